//! XML as nmap writes it, and masscan after it: which ports of which hosts were found in which state.
//!
//! What nmap covered is told by its `scaninfo`: these ports of each host that has an element. masscan does not say what it
//! looked at (no `services`), so of its files only the listed ports are known. Both lists are of open ports at the least:
//! what nmap covered and does not list was something else, as `extraports` says.
//!
//! Entities of a document type definition are never expanded: it is passed over unread.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use crate::model::Address;
use crate::plan::{Mistake, PortSet, TargetSet, quote};
use crate::report::escape::is_plain;
use crate::results::known::{Author, Covers, Down, Ended, HostKnown, Known, States};
use crate::results::served::{Served, as_written};
use crate::results::zones::Zones;

/// Reads a file from its first element to its last. One that was cut off tells what its whole hosts say.
///
/// # Errors
/// No XML of this kind, or more in it than can be compared.
pub fn read(input: impl BufRead, name: &str, zones: &mut Zones) -> Result<Known, Mistake> {
    let left = Rc::new(Cell::new(LONGEST_MARKUP));
    let mut reader = Reader::from_reader(Rationed {
        input,
        left: Rc::clone(&left),
    });
    let mut depth = 0_u32;
    let mut document = Document::new(zones);
    let mut markup = Vec::new();
    loop {
        markup.clear();
        left.set(LONGEST_MARKUP);
        let read = match reader.read_event_into(&mut markup) {
            Ok(Event::Eof) => break,
            // The reader remembers the names of all open elements.
            Ok(Event::Start(element))
                if depth >= DEEPEST || element.name().as_ref().len() > LONGEST_NAME =>
            {
                Err("elements in too many elements, or of too long a name".to_owned())
            }
            Ok(Event::Start(element)) => {
                depth += 1;
                document.begins(&element)
            }
            Ok(Event::Empty(element)) => document
                .begins(&element)
                .and_then(|()| document.ends(element.name().as_ref())),
            Ok(Event::End(element)) => {
                depth = depth.saturating_sub(1);
                document.ends(element.name().as_ref())
            }
            Ok(_) => Ok(()),
            // Where the end is missing the scan was cut off; hosts whose element is whole are known all the same.
            Err(quick_xml::Error::Syntax(_)) if document.root == Root::Inside => break,
            Err(error) => Err(error.to_string()),
        };
        read.map_err(|what| {
            let at = reader.buffer_position();
            Mistake::new(format!("{}: at byte {at}: {what}", quote(name)))
        })?;
    }
    document
        .finish()
        .map_err(|what| Mistake::new(format!("{}: {what}", quote(name))))
}

/// What was read so far.
struct Document<'a> {
    zones: &'a mut Zones,
    known: Known,
    root: Root,
    /// `services` of every `scaninfo` of TCP.
    services: Vec<String>,
    /// How many ports were asked of each host.
    asked: u64,
    /// It is a file of ours, which counts every port that was tested.
    ours: bool,
    /// The command line, and how many hosts it came to.
    command: String,
    total: Option<u64>,
    host: Option<Host>,
    port: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Root {
    NotYet,
    Inside,
}

/// The host whose element is open.
#[derive(Default)]
struct Host {
    address: Option<Address>,
    known: HostKnown,
    /// Ports that are counted and not listed.
    extra: u64,
}

impl<'a> Document<'a> {
    fn new(zones: &'a mut Zones) -> Self {
        let mut known = Known::new(Covers::Listed, Author::Another);
        // Until its last element says that it is whole.
        known.ended = Ended::CutShort { untested: None };
        Self {
            zones,
            known,
            root: Root::NotYet,
            services: Vec::new(),
            asked: 0,
            ours: false,
            command: String::new(),
            total: None,
            host: None,
            port: None,
        }
    }

    fn begins(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name = element.name();
        let name = name.as_ref();
        if self.root == Root::NotYet {
            if name != "nmaprun" {
                return Err(format!(
                    "{} where nmap and masscan have nmaprun",
                    quote(name)
                ));
            }
            self.root = Root::Inside;
            self.ours = of(element, "scanner")?.as_deref() == Some("halfopen");
            if self.ours {
                self.known.author = Author::Halfopen;
            }
            // Two hyphens are often written as entities; one that is defined nowhere makes the whole unreadable.
            let command = of(element, "args")?.unwrap_or_default();
            self.command = unescape(&command).map_or_else(|_| String::new(), Cow::into_owned);
            return Ok(());
        }
        match (name, &mut self.host) {
            ("scaninfo", _) if of(element, "protocol")?.as_deref() == Some("tcp") => {
                self.services.extend(of(element, "services")?);
                let count = of(element, "numservices")?.unwrap_or_default();
                self.asked = self.asked.max(count.parse().unwrap_or(0));
            }
            // masscan has no word for how it ended.
            ("finished", _) if !matches!(of(element, "exit")?.as_deref(), Some("error")) => {
                self.known.ended = Ended::Whole;
            }
            ("hosts", _) => {
                self.total = of(element, "total")?.and_then(|total| total.parse().ok());
            }
            ("host", _) => {
                let mut host = Host::default();
                if of(element, "timedout")?.as_deref() == Some("true") {
                    host.known.rest = States::UNKNOWN;
                }
                self.host = Some(host);
            }
            ("status", Some(host)) if of(element, "state")?.as_deref() == Some("down") => {
                host.known.down = Down::Yes;
            }
            ("address", Some(host)) => {
                let kind = of(element, "addrtype")?;
                if matches!(kind.as_deref(), Some("ipv4" | "ipv6") | None) {
                    let text = of(element, "addr")?.unwrap_or_default();
                    let address = self.zones.address(&text);
                    host.address =
                        Some(address.ok_or_else(|| format!("{} is no address", quote(&text)))?);
                }
            }
            ("extraports", Some(host)) => {
                let count = of(element, "count")?.unwrap_or_default();
                host.extra = host.extra.saturating_add(count.parse().unwrap_or(0));
                let state = of(element, "state")?.unwrap_or_default();
                host.known.rest = host.known.rest.and(states(&state));
            }
            ("port", Some(_)) => {
                let text = of(element, "portid")?.unwrap_or_default();
                let tcp = of(element, "protocol")?.as_deref() == Some("tcp");
                let port = text.parse::<u16>().ok().filter(|port| *port > 0 || !tcp);
                let port = port.ok_or_else(|| format!("{} is no port", quote(&text)))?;
                self.port = tcp.then_some(port);
            }
            ("state", Some(host)) => {
                if let Some(port) = self.port {
                    let state = of(element, "state")?.unwrap_or_default();
                    host.known.ports.insert(port, states(&state));
                }
            }
            ("service", Some(host)) => {
                let served = served(element, self.known.author)?;
                host.known.served.extend(self.port.zip(served));
            }
            _ => {}
        }
        Ok(())
    }

    fn ends(&mut self, name: &str) -> Result<(), String> {
        match name {
            "port" => self.port = None,
            "host" => {
                let Some(mut host) = self.host.take() else {
                    return Ok(());
                };
                let Some(address) = host.address else {
                    return Ok(());
                };
                for (port, states) in &host.known.ports {
                    self.known.list(address, *port, *states)?;
                }
                for (port, served) in std::mem::take(&mut host.known.served) {
                    self.known.serve(address, port, served)?;
                }
                let told = host.extra.saturating_add(host.known.ports.len() as u64);
                let is_counted = self.ours || host.extra > 0;
                // masscan has an element for each port, and a resumed nmap may have two for a host.
                let known = self.known.host(address)?;
                known.down = host.known.down;
                known.rest = known.rest.and(host.known.rest);
                if is_counted && told < self.asked {
                    // The scan was cut short: nobody knows which of the others were asked.
                    known.rest = known.rest.and(States::UNKNOWN);
                } else if host.extra == 0 && known.rest == States::NONE {
                    // All open ports are listed (--open leaves out all others).
                    known.rest = States::CLOSED.and(States::FILTERED);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Known, String> {
        if self.root == Root::NotYet {
            return Err("ends before its first element".to_owned());
        }
        let services: Vec<&str> = self
            .services
            .iter()
            .map(String::as_str)
            .filter(|services| !services.is_empty())
            .collect();
        if !services.is_empty() {
            let ports = PortSet::parse(&services.join(","))
                .map_err(|_| "a scaninfo whose services are no list of ports")?;
            self.known.covers = Covers::Hosts {
                ports: ports.set,
                targets: targets(&self.command, self.total),
            };
        }
        Ok(self.known)
    }
}

/// The targets of a command line, where all of them are addresses and nothing else looks like one: they come to as many
/// hosts as the file says at its end. nmap has no other word for what it looked at.
fn targets(command: &str, total: Option<u64>) -> Option<TargetSet> {
    if command.contains("--exclude") {
        return None;
    }
    let words: Vec<&str> = command
        .split_ascii_whitespace()
        .filter(|word| TargetSet::parse(&[word], &[]).is_ok())
        .collect();
    let targets = TargetSet::parse(&words, &[]).ok()?;
    (Some(targets.hosts()) == total).then_some(targets)
}

/// The value of an attribute, as it stands there.
fn of(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    // Twice the same name is not looked for: that takes the square of their number.
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.as_ref() == name {
            return Ok(Some(attribute.value.into_owned()));
        }
    }
    Ok(None)
}

/// What a server told, not what is registered for its port. nmap tells the distribution's revision within the version.
fn served(element: &BytesStart<'_>, author: Author) -> Result<Option<Served>, String> {
    if of(element, "method")?.as_deref() != Some("probed") {
        return Ok(None);
    }
    let text = |name: &str| -> Result<Option<String>, String> {
        let Some(raw) = of(element, name)? else {
            return Ok(None);
        };
        // What a document type definition would have to explain is not known.
        let Ok(plain) = unescape(&raw) else {
            return Ok(None);
        };
        Ok(Some(match author {
            // It is escaped already, and cut.
            Author::Halfopen if plain.chars().all(is_plain) => plain.into_owned(),
            _ => as_written(&plain),
        }))
    };
    let Some(protocol) = text("name")? else {
        return Ok(None);
    };
    Ok(Some(Served {
        protocol,
        product: text("product")?,
        version: text("version")?,
        revision: match author {
            Author::Halfopen => text("extrainfo")?,
            Author::Another => None,
        },
    }))
}

/// nmap's words. It has no notion of a suspect port, so what it calls open may be one.
fn states(word: &str) -> States {
    word.split('|').fold(States::NONE, |all, word| {
        all.and(match word {
            "open" => States::OPEN.and(States::SUSPECT),
            "closed" => States::CLOSED,
            "filtered" => States::FILTERED,
            // unfiltered: an ACK scan tells no more than that.
            _ => States::UNKNOWN,
        })
    })
}

/// Hands out at most so many bytes until the ration is set again: no element, text or comment fills the memory.
struct Rationed<R> {
    input: R,
    left: Rc<Cell<usize>>,
}

impl<R: BufRead> Read for Rationed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Rationed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.input.fill_buf()?;
        let some = buffer.len().min(self.left.get());
        if some == 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!(
                "markup of more than {} MiB",
                LONGEST_MARKUP >> 20
            )));
        }
        Ok(&buffer[..some])
    }

    fn consume(&mut self, count: usize) {
        self.left.set(self.left.get().saturating_sub(count));
        self.input.consume(count);
    }
}

/// nmap's scripts nest their tables in a few elements.
const DEEPEST: u32 = 64;
const LONGEST_NAME: usize = 256;

/// nmap's longest is the list of all ports in `services`: 375 KiB.
const LONGEST_MARKUP: usize = 8 << 20;
