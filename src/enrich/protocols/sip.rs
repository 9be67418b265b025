//! SIP over TCP: OPTIONS (RFC 3261, 11).

use super::headers;
use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "sip",
    ports: &[5060, 5061],
    opening: Opening::Client(opening),
    hear,
};

fn opening(at: &Circumstances) -> Vec<u8> {
    let host = at.host_and_port();
    let tag = at.random;
    format!(
        "OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/TCP halfopen.invalid;branch=z9hG4bK{tag:x}\r\nMax-Forwards: 70\r\n\
         From: <sip:halfopen@halfopen.invalid>;tag={tag:x}\r\nTo: <sip:{host}>\r\nCall-ID: {tag:x}@halfopen.invalid\r\n\
         CSeq: 1 OPTIONS\r\nContact: <sip:halfopen@halfopen.invalid>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"SIP/2.0 ") {
        return Heard::Strange;
    }
    let Some(head) = headers::whole(said) else {
        return said.more_or_strange();
    };
    let server = headers::field(head, "server");
    let agent = headers::field(head, "user-agent");
    Recognised::new("sip")
        .detail("status", head.get(8..11).unwrap_or_default())
        .detail_of("server", server.or(agent))
        .detail_of("methods", headers::field(head, "allow"))
        .text("sip_header.server", server.unwrap_or_default())
        .text("sip_header.user_agent", agent.unwrap_or_default())
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known};

    #[test]
    fn options() {
        let heard = known(hear(&all(
            b"SIP/2.0 200 OK\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\n\r\n",
        )));
        assert_eq!(heard.texts[0].text, b"kamailio (5.6.3 (x86_64/linux))");
        assert!(matches!(hear(&all(b"SIP/2.0 ")), Heard::Strange));
    }
}
