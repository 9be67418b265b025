//! RTSP: OPTIONS (RFC 2326).

use super::headers;
use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "rtsp",
    ports: &[554, 8554],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"RTSP/1.0 ") {
        return Heard::Strange;
    }
    let Some(head) = headers::whole(said) else {
        return said.more_or_strange();
    };
    let server = headers::field(head, "server");
    Recognised::new("rtsp")
        .detail("status", head.get(9..12).unwrap_or_default())
        .detail_of("server", server)
        .detail_of("methods", headers::field(head, "public"))
        .text("rtsp_header.server", server.unwrap_or_default())
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known};

    #[test]
    fn options() {
        let heard = known(hear(&all(
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE\r\nServer: GStreamer RTSP server\r\n\r\n",
        )));
        assert_eq!(heard.texts[0].text, b"GStreamer RTSP server");
        assert_eq!(heard.details[2].value, "OPTIONS, DESCRIBE");
        assert!(matches!(hear(&all(b"RTSP")), Heard::Strange));
    }
}
