//! RDP: connection request and confirm (MS-RDPBCGR, 2.2.1.1 and 2.2.1.2).

use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "rdp",
    ports: &[3389],
    opening: Opening::Client(opening),
    hear,
};

/// TPKT, X.224 connection request, and a negotiation request that offers TLS and CredSSP.
pub(super) const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];

/// What the server wants from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Confirmed {
    /// All its security begins with TLS.
    Tls,
    Other,
}

/// What the connection confirm says, once it is whole.
pub(super) fn confirmed(bytes: &[u8]) -> Option<Confirmed> {
    let length = bytes.get(3).copied().map(usize::from);
    match (bytes, length) {
        ([3, 0, 0, ..], Some(length)) if bytes.len() >= length => {}
        ([] | [3] | [3, 0], _) | ([3, 0, 0, ..], _) => return None,
        _ => return Some(Confirmed::Other),
    }
    Some(match bytes {
        [
            _,
            _,
            _,
            19,
            _,
            0xd0,
            _,
            _,
            _,
            _,
            _,
            2,
            _,
            8,
            0,
            1 | 2 | 8,
            0,
            0,
            0,
        ] => Confirmed::Tls,
        _ => Confirmed::Other,
    })
}

fn opening(_: &Circumstances) -> Vec<u8> {
    REQUEST.to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, &[3, 0, 0]) {
        return Heard::Strange;
    }
    let length = said.bytes.get(3).copied().map_or(usize::MAX, usize::from);
    let Some(packet) = said.bytes.get(..length) else {
        return said.more_or_strange();
    };
    let [_, _, _, _, _, 0xd0, _, _, _, _, _, rest @ ..] = packet else {
        return Heard::Strange;
    };
    let known = Recognised::new("rdp");
    match rest {
        [2, _, 8, 0, protocol, ..] => known.detail("security", security(*protocol)),
        [3, _, 8, 0, code, ..] => known.detail("refused", code.to_string()),
        _ => known.detail("security", "rdp"),
    }
    .known()
}

fn security(protocol: u8) -> &'static str {
    match protocol {
        0 => "rdp",
        1 => "tls",
        2 => "credssp",
        4 => "rdstls",
        8 => "credssp with early user authorisation",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn confirm() {
        let bytes = [
            3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0,
        ];
        assert_eq!(known(hear(&said(&bytes))).details[0].value, "credssp");
        assert_eq!(
            known(hear(&said(&[3, 0, 0, 11, 6, 0xd0, 0, 0, 0x12, 0x34, 0]))).details[0].value,
            "rdp"
        );
        assert!(matches!(hear(&said(&bytes[..7])), Heard::More));
        assert!(matches!(hear(&all(&[3, 0, 0, 2])), Heard::Strange));
    }
}
