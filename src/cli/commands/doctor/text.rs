//! What was found, for people.

use halfopen::report::escape::terminal;
use halfopen::report::text::grouped;

use super::findings::{Descriptors, Findings, Outcome, Tested};

/// The whole text. Names come from the system and are escaped.
pub fn of(findings: &Findings) -> String {
    let mut lines = vec![format!("Halfopen {}", findings.version)];
    lines.push(match findings.mode {
        Some(mode) => format!("Mode         {mode}: {}", findings.reason_for_mode),
        None => format!("Mode         none: {}", findings.reason_for_mode),
    });
    let privilege = &findings.privilege;
    lines.push(format!("Privilege    {}", privilege.about));
    lines.push(format!(
        "             effective: {}",
        capabilities(&privilege.effective)
    ));
    if privilege.permitted != privilege.effective {
        lines.push(format!(
            "             permitted: {}",
            capabilities(&privilege.permitted)
        ));
    }
    lines.push(format!(
        "             SYN mode for every user: {}",
        privilege.setcap
    ));
    lines.push(descriptors(&findings.descriptors));
    let width = |text: fn(&super::findings::Interface) -> usize| {
        findings.interfaces.iter().map(text).max().unwrap_or(0)
    };
    let names = width(|interface| interface.name.chars().count());
    for (number, interface) in findings.interfaces.iter().enumerate() {
        lines.push(format!(
            "{:<13}{:names$}  {:4}  {:8}  mtu {:5}  {}",
            if number == 0 { "Interfaces" } else { "" },
            interface.name,
            if interface.up { "up" } else { "down" },
            interface.framing,
            interface.mtu,
            interface.addresses.join(" "),
        ));
    }
    let paths = [
        ("Send paths", "ip", &findings.send_paths.ip),
        ("", "frame", &findings.send_paths.frame),
    ];
    for (title, name, path) in paths {
        let possible = if path.possible { "yes" } else { "no " };
        lines.push(format!("{title:<13}{name:<5}  {possible}  {}", path.about));
    }
    for (number, test) in findings.self_tests.iter().enumerate() {
        let title = if number == 0 { "Self-test" } else { "" };
        lines.push(format!("{title:<13}{}", tested(test)));
    }
    lines.push(match (findings.mode, findings.ready) {
        (Some(mode), true) => format!("Ready        {mode} mode works"),
        (Some(mode), false) => format!("Not ready    {mode} mode does not work on this machine"),
        (None, _) => "Not ready    no mode can be opened".to_owned(),
    });
    lines
        .iter()
        .map(|line| format!("{}\n", terminal(line.trim_end())))
        .collect()
}

fn capabilities(names: &[String]) -> String {
    match names.len() {
        0 => "no capability".to_owned(),
        // Root has some forty of them.
        count if count > SHOWN => {
            let raw = names.iter().any(|name| name == "CAP_NET_RAW");
            let with = if raw { "with" } else { "without" };
            format!("{count} capabilities, {with} CAP_NET_RAW")
        }
        _ => names.join(", "),
    }
}

fn descriptors(found: &Descriptors) -> String {
    let limit = |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), grouped);
    format!(
        "Descriptors  soft limit {}, hard limit {}: {} connects at a time",
        limit(found.soft),
        limit(found.hard),
        grouped(u64::try_from(found.connects).unwrap_or(u64::MAX)),
    )
}

fn tested(test: &Tested) -> String {
    let outcome = match test.outcome {
        Outcome::Works => "works",
        Outcome::Refused => "not to be had",
        Outcome::Deaf => "FAILS",
        Outcome::NoAddress => "not tested",
    };
    let mut line = format!("{:<7}  {:<9}  {outcome}", test.mode, test.address);
    if let Some(rtt) = test.rtt_us {
        line.push_str(&format!(", answer after {:.2} ms", rtt as f64 / 1000.0));
    }
    if let Some(why) = &test.why {
        line.push_str(&format!(": {why}"));
    }
    line
}

/// Capabilities that are still listed one by one.
const SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_capabilities_are_counted() {
        let names = |count: usize| vec!["CAP_NET_RAW".to_owned(); count];
        assert_eq!(capabilities(&[]), "no capability");
        assert_eq!(capabilities(&names(1)), "CAP_NET_RAW");
        assert_eq!(
            capabilities(&names(40)),
            "40 capabilities, with CAP_NET_RAW"
        );
    }
}
