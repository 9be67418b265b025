//! From what was typed to the set of addresses: targets and excludes in any order, names resolved in between.
//!
//! ```
//! use halfopen::plan::{Internet, Surroundings, TargetList};
//!
//! let mut list = TargetList::new(Surroundings::default(), Internet::Refused);
//! list.exclude("10.0.0.7");
//! list.add("10.0.0.0/28");
//! list.add("db.example");
//! for name in list.unresolved() {
//!     // The caller asks the resolver; here it has answered.
//!     list.resolve(&name, &[halfopen::model::Address::new([192, 0, 2, 1].into())]);
//! }
//! let parsed = list.finish().unwrap();
//! assert_eq!(parsed.set.hosts(), 16);
//! ```

use std::collections::BTreeMap;

use crate::model::Address;

use super::address_range::AddressRange;
use super::gathered::Gathered;
use super::host_name::HostName;
use super::mistake::{Mistake, Note, quote};
use super::surroundings::Surroundings;
use super::target::{Internet, Purpose, Target, grouped, needs_permission};
use super::target_set::TargetSet;

/// A value read from text, and what is worth saying about how it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed<T> {
    pub set: T,
    pub notes: Vec<Note>,
}

/// Collects targets and excludes. Order never matters, excludes always win, and mistakes are kept until the end, so
/// that all are reported together.
#[derive(Clone, Debug)]
pub struct TargetList {
    surroundings: Surroundings,
    internet: Internet,
    given: usize,
    excludes: u64,
    included: Gathered,
    excluded: Gathered,
    names: BTreeMap<HostName, Wanted>,
    mistakes: Vec<Mistake>,
    more_mistakes: u64,
    notes: Vec<Note>,
    more_notes: u64,
}

/// What is known of a name.
#[derive(Clone, Debug, Default)]
struct Wanted {
    scan: bool,
    exclude: bool,
    answer: Answer,
}

#[derive(Clone, Debug, Default)]
enum Answer {
    #[default]
    NotAsked,
    Addresses,
    Failed(String),
}

/// All targets together may hold this many addresses without permission; it keeps a list of /8s from being the
/// Internet.
const LARGEST_TOTAL: u64 = 1 << 28;

/// Mistakes and notes beyond so many are counted and not told; a wrong file should not fill the screen.
const MOST_TOLD: usize = 32;

/// Names are looked up one by one, which nobody waits for beyond some hours.
const MOST_NAMES: usize = 1 << 20;

impl TargetList {
    /// An empty list on a machine with these surroundings.
    pub fn new(surroundings: Surroundings, internet: Internet) -> Self {
        Self {
            surroundings,
            internet,
            given: 0,
            excludes: 0,
            included: Gathered::default(),
            excluded: Gathered::default(),
            names: BTreeMap::new(),
            mistakes: Vec::new(),
            more_mistakes: 0,
            notes: Vec::new(),
            more_notes: 0,
        }
    }

    /// Says whether targets as large as the Internet are taken from now on.
    pub fn permit(&mut self, internet: Internet) {
        self.internet = internet;
    }

    /// How many excludes were taken.
    pub fn excludes(&self) -> u64 {
        self.excludes
    }

    /// Adds one target. The order of the calls is the order of the arguments that messages speak of.
    pub fn add(&mut self, text: &str) {
        if text.is_empty() {
            self.given += 1;
            self.complain(Mistake::new(format!(
                "empty target at argument {}",
                self.given
            )));
        } else if let Err(mistake) = self.take(text, Purpose::Scan) {
            self.complain(mistake);
        }
    }

    /// Takes one target out, whether it was or will be added. Malformed text ends the scan before it begins.
    pub fn exclude(&mut self, text: &str) {
        if let Err(mistake) = self.take(text, Purpose::Exclude) {
            self.complain(Mistake::refusing(text, &mistake));
        }
    }

    /// Adds or takes out one target, for callers that know better than this list where the text stands (a line of a
    /// file): they say so, and [`complain`](Self::complain).
    ///
    /// # Errors
    /// When the text is not a target, or not one that can be scanned.
    pub fn take(&mut self, text: &str, purpose: Purpose) -> Result<(), Mistake> {
        match purpose {
            Purpose::Scan => self.given += 1,
            Purpose::Exclude => self.excludes += 1,
        }
        match (self.read(text, purpose)?, purpose) {
            (Target::Addresses(ranges), Purpose::Scan) => self.included.add(ranges),
            (Target::Addresses(ranges), Purpose::Exclude) => self.excluded.add(ranges),
            (Target::Name(name), purpose) => {
                if self.names.len() >= MOST_NAMES {
                    return Err(Mistake::new(format!(
                        "more than {} host names; scan them in parts",
                        grouped(MOST_NAMES as u128)
                    )));
                }
                let wanted = self.names.entry(name).or_default();
                match purpose {
                    Purpose::Scan => wanted.scan = true,
                    Purpose::Exclude => wanted.exclude = true,
                }
                Ok(())
            }
        }
    }

    /// Adds a mistake where the caller looked for targets: there were meant to be some.
    pub fn add_mistaken(&mut self, mistake: Mistake) {
        self.given += 1;
        self.complain(mistake);
    }

    /// Whether no target was added yet, right or wrong.
    pub fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// Adds a mistake that the caller found. Beyond the first few they are only counted.
    pub fn complain(&mut self, mistake: Mistake) {
        if self.mistakes.len() < MOST_TOLD {
            self.mistakes.push(mistake);
        } else {
            self.more_mistakes += 1;
        }
    }

    /// The names, of targets and excludes, that nobody has resolved yet.
    pub fn unresolved(&self) -> Vec<HostName> {
        self.names
            .iter()
            .filter(|(_, wanted)| matches!(wanted.answer, Answer::NotAsked))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Tells all addresses of a name. Those that cannot be scanned are skipped with a note; if none is left, that is
    /// a mistake.
    pub fn resolve(&mut self, name: &HostName, addresses: &[Address]) {
        let Some(wanted) = self.names.get_mut(name) else {
            return;
        };
        if addresses.is_empty() {
            wanted.answer = Answer::Failed("it has no address".to_string());
            return;
        }
        wanted.answer = Answer::Addresses;
        let (scan, exclude) = (wanted.scan, wanted.exclude);
        let ranges = addresses
            .iter()
            .map(|&address| AddressRange::single(address));
        if exclude && let Err(mistake) = self.excluded.add(ranges.clone()) {
            self.complain(Mistake::refusing(name.as_str(), &mistake));
        }
        if !scan {
            return;
        }
        let unscannable = self.surroundings.unscannable();
        let mut scannable = Vec::new();
        for range in ranges {
            let address = range.first();
            let lacks_zone = matches!(address.ip, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local())
                && address.zone == 0;
            if lacks_zone
                || unscannable
                    .iter()
                    .any(|hole| hole.overlap(&range).is_some())
            {
                self.note(Note::new(format!(
                    "{} resolves to {address}, which cannot be a TCP target: skipped",
                    quote(name.as_str())
                )));
            } else {
                scannable.push(range);
            }
        }
        if scannable.is_empty() {
            self.complain(Mistake::cannot_resolve(
                name.as_str(),
                "none of its addresses can be a TCP target",
            ));
        } else if let Err(mistake) = self.included.add(scannable) {
            self.complain(mistake);
        }
    }

    /// Tells that a name could not be resolved, and why (`no such name`, `server failed`, `timed out`).
    pub fn fail(&mut self, name: &HostName, why: &str) {
        if let Some(wanted) = self.names.get_mut(name) {
            wanted.answer = Answer::Failed(why.to_string());
        }
    }

    /// Joins what was added and takes away what was excluded.
    ///
    /// # Errors
    /// All mistakes so far, names without an answer, no targets, too many, or nothing left after the excludes.
    pub fn finish(&self) -> Result<Parsed<TargetSet>, Vec<Mistake>> {
        let mut mistakes = self.mistakes.clone();
        if self.more_mistakes > 0 {
            mistakes.push(Mistake::new(format!(
                "{} more mistakes in the targets",
                grouped(self.more_mistakes.into())
            )));
        }
        if self.given == 0 {
            mistakes.push(Mistake::new(
                "no targets given; name hosts, addresses or networks, such as 10.0.0.0/24",
            ));
        }
        mistakes.extend(self.unanswered());
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut excluded = self.excluded.ranges().to_vec();
        excluded.extend(self.surroundings.unscannable());
        let set =
            TargetSet::new(self.included.ranges(), &excluded).map_err(|mistake| vec![mistake])?;
        if self.internet == Internet::Refused && set.hosts() > LARGEST_TOTAL {
            return Err(vec![needs_permission(
                "all targets together: ",
                set.hosts().into(),
            )]);
        }
        let mut notes = self.notes.clone();
        if self.more_notes > 0 {
            notes.push(Note::new(format!(
                "{} more notes on the targets",
                grouped(self.more_notes.into())
            )));
        }
        Ok(Parsed { set, notes })
    }

    /// A mistake for each name that has no addresses, up to a number that can be read.
    fn unanswered(&self) -> impl Iterator<Item = Mistake> {
        let unanswered = self.names.iter().filter_map(|(name, wanted)| {
            let why = match &wanted.answer {
                Answer::Addresses => return None,
                Answer::Failed(why) => why,
                Answer::NotAsked => "it was not looked up",
            };
            let mistake = Mistake::cannot_resolve(name.as_str(), why);
            Some(if wanted.exclude {
                Mistake::refusing(name.as_str(), &mistake)
            } else {
                mistake
            })
        });
        unanswered.take(MOST_TOLD)
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() < MOST_TOLD {
            self.notes.push(note);
        } else {
            self.more_notes += 1;
        }
    }

    /// How many of the addresses that were added the excludes take out; 0 where nothing was added that can be scanned.
    pub fn left_out(&self) -> u64 {
        let unscannable = self.surroundings.unscannable();
        let excluded = [self.excluded.ranges(), &unscannable].concat();
        let hosts = |excluded: &[AddressRange]| {
            TargetSet::new(self.included.ranges(), excluded).map_or(0, |set| set.hosts())
        };
        hosts(&unscannable) - hosts(&excluded)
    }

    fn read(&mut self, text: &str, purpose: Purpose) -> Result<Target, Mistake> {
        let mut notes = Vec::new();
        let target = Target::parse(text, purpose, self.internet, &self.surroundings, &mut notes)?;
        notes.into_iter().for_each(|note| self.note(note));
        Ok(target)
    }
}

impl TargetSet {
    /// Reads targets and excludes that hold no host names, on a machine of which nothing is known: the short way for
    /// callers of the library and for tests.
    ///
    /// # Errors
    /// As [`TargetList::finish`].
    pub fn parse(targets: &[&str], excludes: &[&str]) -> Result<Self, Vec<Mistake>> {
        let mut list = TargetList::new(Surroundings::default(), Internet::Refused);
        targets.iter().for_each(|text| list.add(text));
        excludes.iter().for_each(|text| list.exclude(text));
        list.finish().map(|parsed| parsed.set)
    }
}
