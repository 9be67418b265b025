//! MySQL and MariaDB: the server's first packet (MySQL client/server protocol, HandshakeV10 and ERR_Packet).

use crate::enrich::dialogue::{Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "mysql",
    ports: &[3306, 33060],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    let mut reader = Reader::new(said.bytes);
    let (Some(length), Some(number)) = (reader.take(3), reader.u8()) else {
        return said.more_or_strange();
    };
    let length = length
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if number != 0 || !(5..=1024).contains(&length) {
        return Heard::Strange;
    }
    if reader
        .rest()
        .first()
        .is_some_and(|kind| !matches!(kind, 9 | 10 | 0xff))
    {
        return Heard::Strange;
    }
    let Some(packet) = reader.part(length) else {
        return said.more_or_strange();
    };
    handshake(packet)
        .or_else(|| error(packet))
        .map_or(Heard::Strange, Recognised::known)
}

fn handshake(mut packet: Reader<'_>) -> Option<Recognised> {
    packet.u8().filter(|version| matches!(version, 9 | 10))?;
    let version = packet.until(0)?;
    if version.is_empty()
        || !version
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ')
    {
        return None;
    }
    packet.skip(4 + 8 + 1)?;
    let tls = packet
        .u16_le()
        .is_some_and(|capabilities| capabilities & CLIENT_SSL != 0);
    let known = Recognised::new("mysql").text("mysql.banners", version);
    Some(known.detail("tls", if tls { "offered" } else { "not offered" }))
}

/// `Host '10.0.0.1' is not allowed to connect to this MariaDB server`
fn error(mut packet: Reader<'_>) -> Option<Recognised> {
    packet.u8().filter(|kind| *kind == 0xff)?;
    let code = packet.u16_le()?;
    let message = packet.rest();
    if !(1000..=1999).contains(&code) && !message.starts_with(b"Host ") {
        return None;
    }
    let known = Recognised::new("mysql").text("mysql.error", message);
    Some(known.detail("error", message))
}

const CLIENT_SSL: u16 = 0x0800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{known, said};

    #[test]
    fn handshake_and_refusal() {
        let mut packet = b"\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0".to_vec();
        packet.extend([7, 0, 0, 0]);
        packet.extend([b'x'; 8]);
        packet.extend([0, 0xff, 0xff, 0x2d]);
        let mut bytes = vec![packet.len() as u8, 0, 0, 0];
        bytes.extend(&packet);
        let heard = known(hear(&said(&bytes)));
        assert_eq!(heard.texts[0].text, b"5.5.5-10.11.6-MariaDB-0+deb12u1");
        assert_eq!(heard.details[0].value, "offered");
        assert!(matches!(hear(&said(&bytes[..20])), Heard::More));

        let message =
            b"\xff\x6a\x04Host '10.0.0.1' is not allowed to connect to this MariaDB server";
        let mut bytes = vec![message.len() as u8, 0, 0, 0];
        bytes.extend(message);
        assert_eq!(known(hear(&said(&bytes))).texts[0].kind, "mysql.error");
        assert!(matches!(
            hear(&said(b"220 hello there\r\n")),
            Heard::Strange
        ));
    }
}
