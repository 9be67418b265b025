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
use super::host_name::HostName;
use super::mistake::{Mistake, Note, quote};
use super::surroundings::Surroundings;
use super::target::{Internet, Purpose, Target, needs_permission};
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
    included: Vec<AddressRange>,
    excluded: Vec<AddressRange>,
    names: BTreeMap<HostName, Wanted>,
    mistakes: Vec<Mistake>,
    notes: Vec<Note>,
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

impl TargetList {
    /// An empty list on a machine with these surroundings.
    pub fn new(surroundings: Surroundings, internet: Internet) -> Self {
        Self {
            surroundings,
            internet,
            given: 0,
            included: Vec::new(),
            excluded: Vec::new(),
            names: BTreeMap::new(),
            mistakes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds one target. The order of the calls is the order of the arguments that messages speak of.
    pub fn add(&mut self, text: &str) {
        self.given += 1;
        if text.is_empty() {
            self.mistakes.push(Mistake::new(format!(
                "empty target at argument {}",
                self.given
            )));
            return;
        }
        match self.read(text, Purpose::Scan) {
            Ok(Target::Addresses(ranges)) => self.included.extend(ranges),
            Ok(Target::Name(name)) => self.names.entry(name).or_default().scan = true,
            Err(mistake) => self.mistakes.push(mistake),
        }
    }

    /// Takes one target out, whether it was or will be added. Malformed text ends the scan before it begins.
    pub fn exclude(&mut self, text: &str) {
        match self.read(text, Purpose::Exclude) {
            Ok(Target::Addresses(ranges)) => self.excluded.extend(ranges),
            Ok(Target::Name(name)) => self.names.entry(name).or_default().exclude = true,
            Err(mistake) => self.mistakes.push(Mistake::refusing(text, &mistake)),
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
        let ranges = addresses
            .iter()
            .map(|&address| AddressRange::single(address));
        if wanted.exclude {
            self.excluded.extend(ranges.clone());
        }
        if !wanted.scan {
            return;
        }
        let unscannable = self.surroundings.unscannable();
        let before = self.included.len();
        for range in ranges {
            let address = range.first();
            let lacks_zone = matches!(address.ip, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local())
                && address.zone == 0;
            if lacks_zone
                || unscannable
                    .iter()
                    .any(|hole| hole.overlap(&range).is_some())
            {
                self.notes.push(Note::new(format!(
                    "{} resolves to {address}, which cannot be a TCP target: skipped",
                    quote(name.as_str())
                )));
            } else {
                self.included.push(range);
            }
        }
        if self.included.len() == before {
            self.mistakes.push(Mistake::cannot_resolve(
                name.as_str(),
                "none of its addresses can be a TCP target",
            ));
        }
    }

    /// Tells that a name could not be resolved, and why (`no such name`, `server failed`, `timed out`).
    pub fn fail(&mut self, name: &HostName, why: &str) {
        if let Some(wanted) = self.names.get_mut(name) {
            wanted.answer = Answer::Failed(why.to_string());
        }
    }

    /// Ends the list: joins what was added and takes away what was excluded.
    ///
    /// # Errors
    /// All mistakes so far, names without an answer, no targets, too many, or nothing left after the excludes.
    pub fn finish(self) -> Result<Parsed<TargetSet>, Vec<Mistake>> {
        let mut mistakes = self.mistakes;
        if self.given == 0 {
            mistakes.push(Mistake::new(
                "no targets given; name hosts, addresses or networks, such as 10.0.0.0/24",
            ));
        }
        for (name, wanted) in &self.names {
            let why = match &wanted.answer {
                Answer::Addresses => continue,
                Answer::Failed(why) => why,
                Answer::NotAsked => "it was not looked up",
            };
            let mistake = Mistake::cannot_resolve(name.as_str(), why);
            if wanted.exclude {
                mistakes.push(Mistake::refusing(name.as_str(), &mistake));
            } else {
                mistakes.push(mistake);
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut excluded = self.excluded;
        excluded.extend(self.surroundings.unscannable());
        let set = TargetSet::new(&self.included, &excluded).map_err(|mistake| vec![mistake])?;
        if self.internet == Internet::Refused && set.hosts() > LARGEST_TOTAL {
            return Err(vec![needs_permission(
                "all targets together: ",
                set.hosts().into(),
            )]);
        }
        Ok(Parsed {
            set,
            notes: self.notes,
        })
    }

    fn read(&mut self, text: &str, purpose: Purpose) -> Result<Target, Mistake> {
        let mut notes = Vec::new();
        let target = Target::parse(text, purpose, self.internet, &self.surroundings, &mut notes)?;
        self.notes.append(&mut notes);
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
