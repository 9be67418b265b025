//! Services, systems and devices as `nmap.dtd` has them.

use std::fmt::Write as _;

use super::LONGEST_SHORT;
use crate::model::cpe::Cpe;
use crate::model::facts::{Basis, Hardware, Part, Registered, Service, Software, System};
use crate::report::escape::xml;

/// The element of a service; nothing where it has no name.
pub(super) fn service(service: &Service, text: &mut String) {
    let Some(protocol) = &service.protocol else {
        return;
    };
    let (method, conf) = match service.basis {
        Basis::ByAnswer => ("probed", 10),
        Basis::ByNumber => ("table", 3),
    };
    let _ = write!(text, "\n<service name=\"{}\"", short(protocol));
    if let Some(software) = service.application() {
        let _ = write!(text, " product=\"{}\"", short(&software.product));
        if let Some(version) = &software.version {
            let _ = write!(text, " version=\"{}\"", short(version));
        }
        if let Some(revision) = &software.revision {
            let _ = write!(text, " extrainfo=\"{}\"", short(revision));
        }
    }
    if let Some(system) = service
        .software
        .iter()
        .find(|piece| piece.part == Part::System)
    {
        let _ = write!(text, " ostype=\"{}\"", short(&system.product));
    }
    if service.is_inside_tls() {
        text.push_str(" tunnel=\"ssl\"");
    }
    let _ = write!(text, " method=\"{method}\" conf=\"{conf}\"");
    let names: Vec<String> = service.software.iter().filter_map(uri).collect();
    if names.is_empty() {
        text.push_str("/>\n");
        return;
    }
    text.push_str(">\n");
    for name in names {
        let _ = writeln!(text, "<cpe>{name}</cpe>");
    }
    text.push_str("</service>\n");
}

/// What a host seems to run: nmap's accuracy is our weight in percent.
pub(super) fn system(system: &System, text: &mut String) {
    if system.candidates.is_empty() {
        return;
    }
    text.push_str("<os>\n");
    for candidate in &system.candidates {
        let accuracy = (candidate.weight.clamp(0.0, 1.0) * 100.0).round();
        let named = &candidate.system;
        let _ = writeln!(
            text,
            "<osmatch name=\"{}\" accuracy=\"{accuracy}\" line=\"0\">",
            short(&named.title())
        );
        let vendor = named.vendor.as_deref().unwrap_or("unknown");
        let _ = write!(
            text,
            "<osclass vendor=\"{}\" osfamily=\"{}\" accuracy=\"{accuracy}\"",
            short(vendor),
            short(&named.product)
        );
        if let Some(version) = &named.version {
            let _ = write!(text, " osgen=\"{}\"", short(version));
        }
        match uri(named) {
            Some(name) => {
                let _ = writeln!(text, ">\n<cpe>{name}</cpe>\n</osclass>");
            }
            None => text.push_str("/>\n"),
        }
        text.push_str("</osmatch>\n");
    }
    text.push_str("</os>\n");
}

/// The address of the device.
pub(super) fn hardware(hardware: &Hardware, text: &mut String) {
    let _ = write!(
        text,
        "<address addr=\"{}\" addrtype=\"mac\"",
        hardware.mac_text().to_uppercase()
    );
    if let Registered::To { organisation, .. } = &hardware.registered {
        let _ = write!(text, " vendor=\"{}\"", short(organisation));
    }
    text.push_str("/>\n");
}

/// The CPE as a URI; nothing where it is none, or too long for a line.
fn uri(piece: &Software) -> Option<String> {
    let uri = piece.cpe.as_ref()?.parse::<Cpe>().ok()?.uri();
    (uri.len() <= LONGEST_SHORT).then(|| xml(&uri))
}

/// A word of a line that has several of them.
fn short(text: &str) -> String {
    let cut: String = text.chars().take(64).collect();
    xml(&cut)
}
