//! The words that options take, each read on its own: text in, a value or one mistake out.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use halfopen::model::State;
use halfopen::plan::{Mistake, Shard, Surroundings, nearest, quote};
use halfopen::report::Show;
use halfopen::scan::{Confirm, Mode, SendPath};

use crate::cli::quantity;
use crate::cli::schedulers::{self, Environment};

/// The words of `--mode`.
pub const MODES: [&str; 3] = ["auto", "syn", "connect"];
/// The words of `--send-path`.
pub const SEND_PATHS: [&str; 3] = ["ip", "frame", "force-frame"];
/// The words of `--confirm`.
pub const CONFIRMATIONS: [&str; 2] = ["auto", "never"];

pub fn mode(text: &str) -> Result<Mode, Mistake> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Mode::Auto),
        "syn" => Ok(Mode::Syn),
        "connect" => Ok(Mode::Connect),
        other => Err(unknown("mode", text, other, &MODES)),
    }
}

pub fn send_path(text: &str) -> Result<SendPath, Mistake> {
    match text.to_ascii_lowercase().as_str() {
        "ip" => Ok(SendPath::Ip),
        "frame" => Ok(SendPath::Frame),
        "force-frame" => Ok(SendPath::ForceFrame),
        other => Err(unknown("send path", text, other, &SEND_PATHS)),
    }
}

pub fn confirm(text: &str) -> Result<Confirm, Mistake> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Confirm::Auto),
        "never" => Ok(Confirm::Never),
        other => Err(unknown("confirmation", text, other, &CONFIRMATIONS)),
    }
}

pub fn show(text: &str) -> Result<Show, Mistake> {
    let mut states = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let lower = word.to_ascii_lowercase();
        if lower == "all" {
            states.extend(State::ALL);
            continue;
        }
        match State::ALL.iter().find(|state| state.name() == lower) {
            Some(state) => states.push(*state),
            None => {
                let mut known = State::ALL.map(State::name).to_vec();
                known.push("all");
                return Err(unknown("state", word, &lower, &known));
            }
        }
    }
    if states.is_empty() {
        return Err(Mistake::new(
            "the list of states is empty; write --show open,closed,filtered,suspect,error or all",
        ));
    }
    Ok(Show::of(&states))
}

/// `2/4`, or what the scheduler says: `auto`, `auto/4`.
pub fn shard(text: &str, task: &Environment) -> Result<Shard, Mistake> {
    let lower = text.to_ascii_lowercase();
    match (lower.as_str(), lower.strip_prefix("auto/")) {
        ("auto", _) => schedulers::shard(None, task),
        (_, Some(parts)) => {
            let parts = quantity::whole(parts, "parts", 1..=u64::MAX)?;
            schedulers::shard(Some(parts), task)
        }
        _ => Shard::parse(text),
    }
}

pub fn threads(text: &str) -> Result<NonZeroUsize, Mistake> {
    quantity::whole::<usize>(text, "threads", 1..=1024)
        .map(|threads| NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))
}

pub fn interface(text: &str, surroundings: &Surroundings) -> Result<String, Mistake> {
    let known = surroundings.interfaces.iter().map(|(name, _)| name);
    if known.clone().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<&str> = known.map(String::as_str).collect();
    Err(Mistake::new(format!(
        "no interface {} (have: {})",
        quote(text),
        names.join(", ")
    )))
}

pub fn source(text: &str, addresses: &[IpAddr]) -> Result<IpAddr, Mistake> {
    let Ok(address) = text.parse::<IpAddr>().map(|address| address.to_canonical()) else {
        return Err(Mistake::about(
            text,
            "is not an address",
            "--source takes an IPv4 or IPv6 address of this machine",
        ));
    };
    // All of 127.0.0.0/8 is this machine, though only one address of it is written down.
    let loopback = matches!(address, IpAddr::V4(v4) if v4.is_loopback());
    if loopback || addresses.contains(&address) {
        return Ok(address);
    }
    let have: Vec<String> = addresses.iter().take(6).map(ToString::to_string).collect();
    Err(Mistake::about(
        text,
        "is not an address of this machine",
        &format!("it has {}", have.join(", ")),
    ))
}

fn unknown(what: &str, text: &str, lower: &str, known: &[&str]) -> Mistake {
    let right = match nearest(lower, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write {}", known.join(", ")),
    };
    Mistake::new(format!("unknown {what} {}; {right}", quote(text)))
}
