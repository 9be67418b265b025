//! What is to be made of words that were no answer to what was asked.

use super::Interview;
use super::agenda::{Likely, Round};
use crate::enrich::dialogue::{Dialogue, End, Heard, Said};
use crate::enrich::protocols;

impl Interview {
    /// An answer to something else may be one that another protocol knows.
    pub(super) fn look_for_hints(&mut self, said: &[u8]) {
        if said.is_empty() {
            return;
        }
        let all = Said {
            bytes: said,
            answers: u8::MAX,
            end: End::Closed,
        };
        for dialogue in protocols::ALL {
            let asked = self
                .asked
                .iter()
                .any(|asked| std::ptr::eq(*asked, dialogue));
            let Heard::Known(recognised) = (dialogue.hear)(&all) else {
                continue;
            };
            self.hint.get_or_insert(*recognised);
            if !asked {
                self.agenda.retain(|round| !round.asks(dialogue));
                self.agenda
                    .push_front(Round::Ask(dialogue, Likely::ByNumber));
            }
            return;
        }
    }
}

/// Whoever knows this greeting goes on with it.
pub(super) fn greeted(said: &Said<'_>) -> (Option<&'static Dialogue>, Heard) {
    let mut heard = Heard::Strange;
    for dialogue in protocols::greeting() {
        match (dialogue.hear)(said) {
            Heard::Strange => {}
            Heard::More => heard = Heard::More,
            found => return (Some(dialogue), found),
        }
    }
    (None, heard)
}
