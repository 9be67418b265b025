//! One entry as bytes: its kind, then numbers of variable length (7 bits a byte, the lowest first).
//!
//! States, reasons and notes are written by their place in the lists that this version has: a journal of another version is
//! not read.

use std::time::Duration;

use crate::model::{Claim, Kept, Looked, Note, Oddness, Proof, Reason, State, Through, Told};

/// Appends an entry.
pub fn write(kept: &Kept, out: &mut Vec<u8>) {
    match *kept {
        Kept::Told(told) => {
            out.push(TOLD);
            number(told.index, out);
            out.push(place(State::ALL, told.state));
            out.push(place(Reason::all(), told.reason));
            answer(told.rtt, told.ttl, told.attempts, out);
        }
        Kept::Claimed(claim) => {
            out.push(CLAIMED);
            number(claim.index, out);
            out.push(place(ODDNESS, claim.oddness));
            out.push(place(PROOF, claim.proof));
            answer(claim.rtt, claim.ttl, claim.attempts, out);
        }
        Kept::Noted { host, note } => {
            out.push(NOTED);
            number(host.map_or(0, |host| host + 1), out);
            out.push(place(Note::ALL, note));
        }
        Kept::Through(through) => {
            out.push(THROUGH);
            number(through.places, out);
            number(through.missed.to_bits(), out);
            number(through.blocked, out);
            number(through.unheard, out);
        }
        Kept::Up { first, last } => {
            out.push(UP);
            number(first, out);
            number(last, out);
        }
        Kept::Looked(looked) => {
            out.push(LOOKED);
            number(looked.asked, out);
            number(looked.up, out);
            number(looked.untold, out);
        }
    }
}

/// Takes the next entry from `bytes`; `None` where they are none.
pub fn read(bytes: &mut &[u8]) -> Option<Kept> {
    Some(match byte(bytes)? {
        TOLD => {
            let index = take(bytes)?;
            let state = named(State::ALL, byte(bytes)?)?;
            let reason = named(Reason::all(), byte(bytes)?)?;
            let (rtt, ttl, attempts) = taken(bytes)?;
            Kept::Told(Told {
                index,
                state,
                reason,
                rtt,
                ttl,
                attempts,
            })
        }
        CLAIMED => {
            let index = take(bytes)?;
            let oddness = named(ODDNESS, byte(bytes)?)?;
            let proof = named(PROOF, byte(bytes)?)?;
            let (rtt, ttl, attempts) = taken(bytes)?;
            Kept::Claimed(Claim {
                index,
                rtt,
                ttl,
                attempts,
                oddness,
                proof,
            })
        }
        NOTED => Kept::Noted {
            host: take(bytes)?.checked_sub(1),
            note: named(Note::ALL, byte(bytes)?)?,
        },
        THROUGH => Kept::Through(Through {
            places: take(bytes)?,
            missed: Some(f64::from_bits(take(bytes)?)).filter(|missed| *missed >= 0.0)?,
            blocked: take(bytes)?,
            unheard: take(bytes)?,
        }),
        UP => Kept::Up {
            first: take(bytes)?,
            last: take(bytes)?,
        },
        LOOKED => Kept::Looked(Looked {
            asked: take(bytes)?,
            up: take(bytes)?,
            untold: take(bytes)?,
        }),
        _ => return None,
    })
}

/// Round-trip times to the microsecond, as outputs have them.
fn answer(rtt: Option<Duration>, ttl: Option<u8>, attempts: u16, out: &mut Vec<u8>) {
    let micros = rtt.map_or(0, |rtt| rtt.as_micros() as u64 + 1);
    number(micros, out);
    number(ttl.map_or(0, |ttl| u64::from(ttl) + 1), out);
    number(attempts.into(), out);
}

fn taken(bytes: &mut &[u8]) -> Option<(Option<Duration>, Option<u8>, u16)> {
    let rtt = take(bytes)?.checked_sub(1).map(Duration::from_micros);
    let ttl = match take(bytes)?.checked_sub(1) {
        None => None,
        Some(ttl) => Some(u8::try_from(ttl).ok()?),
    };
    Some((rtt, ttl, u16::try_from(take(bytes)?).ok()?))
}

fn place<T: PartialEq>(all: impl IntoIterator<Item = T>, one: T) -> u8 {
    let at = all.into_iter().position(|other| other == one);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn named<T>(all: impl IntoIterator<Item = T>, at: u8) -> Option<T> {
    all.into_iter().nth(at.into())
}

fn number(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = byte(bytes)?;
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const TOLD: u8 = 1;
const CLAIMED: u8 = 2;
const NOTED: u8 = 3;
const THROUGH: u8 = 4;
const UP: u8 = 5;
const LOOKED: u8 = 6;
const ODDNESS: [Oddness; 5] = [
    Oddness::None,
    Oddness::Detour,
    Oddness::NoOptions,
    Oddness::Contradicted,
    Oddness::ZeroWindow,
];
const PROOF: [Proof; 2] = [Proof::Claimed, Proof::Proven];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_kept() -> Vec<Kept> {
        let mut all = vec![
            Kept::Up { first: 0, last: 0 },
            Kept::Up {
                first: 1,
                last: u64::MAX,
            },
            Kept::Looked(Looked {
                asked: 300,
                up: 2,
                untold: 1,
            }),
            Kept::Through(Through {
                places: 1 << 40,
                missed: 0.007,
                blocked: 1,
                unheard: 0,
            }),
        ];
        for note in Note::ALL {
            all.push(Kept::Noted { host: None, note });
            all.push(Kept::Noted {
                host: Some(0),
                note,
            });
        }
        for (at, reason) in Reason::all().enumerate() {
            all.push(Kept::Told(Told {
                index: at as u64 * 12_345,
                state: State::ALL[at % 5],
                reason,
                rtt: (at % 2 == 0).then(|| Duration::from_micros(at as u64 * 999)),
                ttl: (at % 3 == 0).then_some(255),
                attempts: at as u16 * 300,
            }));
        }
        for oddness in ODDNESS {
            for proof in PROOF {
                all.push(Kept::Claimed(Claim {
                    index: u64::MAX,
                    rtt: None,
                    ttl: Some(0),
                    attempts: u16::MAX,
                    oddness,
                    proof,
                }));
            }
        }
        all
    }

    #[test]
    fn what_is_written_is_read_back() {
        let all = any_kept();
        let mut bytes = Vec::new();
        all.iter().for_each(|kept| write(kept, &mut bytes));
        let mut rest = bytes.as_slice();
        for kept in &all {
            assert_eq!(read(&mut rest), Some(*kept));
        }
        assert_eq!(rest, b"");
        // A port that answered costs a few bytes.
        assert!(bytes.len() < all.len() * 16);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() && read(&mut rest).is_some() {}
        }
    }
}
