//! X11: connection setup without an authorisation (X Window System Protocol, 8). What is set up is dropped at once.

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};
use crate::enrich::reader::Reader;

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "x11",
    ports: &[6000, 6001, 6002, 6003, 6010],
    opening: Opening::Client(opening),
    hear,
};

/// Least significant byte first, protocol 11.0.
fn opening(_: &Circumstances) -> Vec<u8> {
    vec![b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn hear(said: &Said<'_>) -> Heard {
    let mut reader = Reader::new(said.bytes);
    let (Some(outcome), Some(length), Some(major), Some(minor), Some(units)) = (
        reader.u8(),
        reader.u8(),
        reader.u16_le(),
        reader.u16_le(),
        reader.u16_le(),
    ) else {
        return said.more_or_strange();
    };
    let known = Recognised::new("x11").detail("protocol", format!("{major}.{minor}"));
    let size = usize::from(units) * 4;
    let whole = reader.rest().len() >= size || said.is_all();
    match outcome {
        0..=2 if major != 11 && outcome != 2 => Heard::Strange,
        0..=2 if !whole => Heard::More,
        0 => {
            let reason = reader.take(length.into()).unwrap_or_default();
            known.detail("refused", reason).known()
        }
        1 => {
            let vendor = vendor(reader);
            let (release, name) = vendor.unwrap_or_default();
            known
                // Others may be refused: servers let hosts in one by one as well.
                .detail("access", "granted to us without authorisation")
                .detail("release", release.to_string())
                .detail("vendor", name)
                .text(
                    "x11.vendor",
                    &[name, b" ", release.to_string().as_bytes()].concat(),
                )
                .known()
        }
        _ => Heard::Strange,
    }
}

fn vendor(mut setup: Reader<'_>) -> Option<(u32, &[u8])> {
    let release = setup.u32_le()?;
    setup.skip(12)?;
    let length = setup.u16_le()?;
    setup.skip(14)?;
    Some((release, setup.take(length.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn refused_and_open() {
        let mut bytes = vec![0, 22, 11, 0, 0, 0, 6, 0];
        bytes.extend(b"No protocol specified\n\0\0");
        let heard = known(hear(&said(&bytes)));
        assert_eq!(heard.details[1].value, "No protocol specified");
        let mut bytes = vec![1, 0, 11, 0, 0, 0, 13, 0];
        bytes.extend(12_101_007_u32.to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend([20, 0]);
        bytes.extend([0; 14]);
        bytes.extend(b"The X.Org Foundation 12101007");

        let heard = known(hear(&all(&bytes)));
        assert_eq!(heard.texts[0].text, b"The X.Org Foundation 12101007");
        // That others are let in as well is not known: it was called open to everybody.
        assert_eq!(
            heard.details[1].value,
            "granted to us without authorisation"
        );
        assert!(matches!(hear(&all(b"HTTP/1.1 400")), Heard::Strange));
    }
}
