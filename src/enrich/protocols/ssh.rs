//! SSH: the server's identification (RFC 4253, 4.2).

use crate::enrich::dialogue::{Dialogue, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "ssh",
    ports: &[22, 2222],
    opening: Opening::Server,
    hear,
};

/// Other lines may stand before it.
fn hear(said: &Said<'_>) -> Heard {
    let mut rest = said.bytes;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
        if let Some(identification) = line.strip_prefix(b"SSH-") {
            if end.is_none() && !said.is_all() {
                return Heard::More;
            }
            return identified(identification);
        }
        match end {
            Some(end) => rest = rest.get(end + 1..).unwrap_or_default(),
            None if b"SSH-".starts_with(line) => return said.more_or_strange(),
            None => return Heard::Strange,
        }
    }
}

/// `2.0-OpenSSH_9.2p1 Debian-2+deb12u3`
fn identified(identification: &[u8]) -> Heard {
    let mut parts = identification.splitn(2, |byte| *byte == b'-');
    let version = parts.next().unwrap_or_default();
    let software = parts.next().unwrap_or_default();
    if !version
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        return Heard::Strange;
    }
    Recognised::new("ssh")
        .detail("protocol", version)
        .text("ssh.banner", software)
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{known, said};

    #[test]
    fn identifications() {
        let heard = known(hear(&said(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")));
        assert_eq!(heard.texts[0].text, b"OpenSSH_9.2p1 Debian-2+deb12u3");
        let heard = known(hear(&said(b"Welcome\r\nSSH-1.99-Cisco-1.25\n")));
        assert_eq!(heard.texts[0].text, b"Cisco-1.25");
        assert_eq!(heard.details[0].value, "1.99");
        assert!(matches!(hear(&said(b"SSH-2.0-dro")), Heard::More));
        assert!(matches!(hear(&said(b"220 hello\r\n")), Heard::More));
        assert!(matches!(hear(&said(b"220 hello")), Heard::Strange));
        assert!(matches!(hear(&said(b"SSH-x\r\n")), Heard::Strange));
    }
}
