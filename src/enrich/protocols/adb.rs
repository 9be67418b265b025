//! Android Debug Bridge: CNXN (AOSP, packages/modules/adb/protocol.txt). No key is shown and no stream is opened.

use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "adb",
    ports: &[5555],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    let payload = b"host::\0";
    let sum: u32 = payload.iter().map(|byte| u32::from(*byte)).sum();
    let command = u32::from_le_bytes(*b"CNXN");
    let mut bytes = Vec::new();
    for word in [
        command,
        0x0100_0000,
        4096,
        payload.len() as u32,
        sum,
        !command,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(payload);
    bytes
}

fn hear(said: &Said<'_>) -> Heard {
    let command = [b"CNXN", b"AUTH", b"STLS"]
        .into_iter()
        .find(|command| may_begin(said.bytes, *command));
    let Some(command) = command else {
        return Heard::Strange;
    };
    let mut reader = Reader::new(said.bytes);
    let words: Option<Vec<u32>> = (0..6).map(|_| reader.u32_le()).collect();
    let Some(words) = words else {
        return said.more_or_strange();
    };
    let (length, magic) = (words[3], words[5]);
    if magic != !words[0] || length > 4096 {
        return Heard::Strange;
    }
    let known = Recognised::new("adb");
    match command {
        b"AUTH" => known.detail("access", "needs a key").known(),
        b"STLS" => known.detail("access", "needs TLS").known(),
        _ => match reader.take(length as usize) {
            None => said.more_or_strange(),
            Some(banner) => banner_of(known, banner).known(),
        },
    }
}

/// `device::ro.product.name=x;ro.product.model=y;...`
fn banner_of(known: Recognised, banner: &[u8]) -> Recognised {
    let banner = banner.strip_suffix(b"\0").unwrap_or(banner);
    let property = |name: &str| {
        let rest = banner.split(|byte| matches!(byte, b';' | b':'));
        rest.into_iter()
            .find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    };
    known
        .detail("access", "granted to us without authorisation")
        .detail_of("product", property("ro.product.name"))
        .detail_of("model", property("ro.product.model"))
        .detail_of("device", property("ro.product.device"))
        .text("adb.banner", banner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn banner_and_key() {
        let payload = b"device::ro.product.name=sdk;ro.product.model=Pixel 7;\0";
        let command = u32::from_le_bytes(*b"CNXN");
        let mut bytes = Vec::new();
        for word in [
            command,
            0x0100_0000,
            4096,
            payload.len() as u32,
            0,
            !command,
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(payload);
        assert!(matches!(hear(&said(&bytes[..30])), Heard::More));
        assert_eq!(known(hear(&said(&bytes))).details[2].value, "Pixel 7");
        assert!(matches!(hear(&all(&bytes[..20])), Heard::Strange));
    }
}
