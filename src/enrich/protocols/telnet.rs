//! Telnet: options that the server wants are refused until it shows its prompt (RFC 854). Nothing is typed.

use crate::enrich::dialogue::{Dialogue, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "telnet",
    ports: &[23, 2323],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    match said.bytes {
        [] => return said.more_or_strange(),
        [IAC] => return said.more_or_strange(),
        [IAC, WILL..=DONT, ..] => {}
        _ => return Heard::Strange,
    }
    let (requests, text) = apart(said.bytes);
    if said.is_all() {
        return Recognised::new("telnet")
            .text("telnet.banner", &text)
            .detail("prompt", &text)
            .known();
    }
    // One request is refused at a time, so that the count of our answers tells which were.
    match requests.get(usize::from(said.answers)) {
        Some(refusal) if said.answers < MOST_REFUSALS => Heard::Answer(refusal.to_vec()),
        _ => Heard::More,
    }
}

/// What we say to each request, and the text between them.
fn apart(bytes: &[u8]) -> (Vec<[u8; 3]>, Vec<u8>) {
    let (mut refusals, mut text) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != IAC {
            text.extend((first != 0).then_some(first));
            continue;
        }
        match rest {
            [verb @ WILL..=DONT, option, behind @ ..] => {
                match *verb {
                    WILL => refusals.push([IAC, DONT, *option]),
                    DO => refusals.push([IAC, WONT, *option]),
                    _ => {}
                }
                rest = behind;
            }
            // What is negotiated further is not ours.
            [SB, ..] => {
                let end = rest.windows(2).position(|two| two == [IAC, SE]);
                rest = rest
                    .get(end.map_or(rest.len(), |at| at + 2)..)
                    .unwrap_or_default();
            }
            [_, behind @ ..] => rest = behind,
            [] => {}
        }
    }
    (refusals, text)
}

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;
const MOST_REFUSALS: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{answer, known, said};

    #[test]
    fn options_are_refused_and_the_prompt_is_read() {
        let bytes = b"\xff\xfd\x18\xff\xfb\x01\r\nDebian GNU/Linux 12\r\nlogin: ";
        assert_eq!(answer(hear(&said(bytes))), [255, 252, 0x18]);
        let heard = known(hear(&Said {
            bytes,
            answers: 2,
            end: crate::enrich::dialogue::End::Quiet,
        }));
        assert_eq!(heard.texts[0].text, b"Debian GNU/Linux 12\r\nlogin:");
        assert!(matches!(hear(&said(b"login: ")), Heard::Strange));
    }
}
