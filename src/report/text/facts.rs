//! What was found out about services and hosts, in lines for people.

use crate::model::facts::{
    Basis, Begun, Candidate, Exploited, Finding, Registered, Service, System, Tls,
};
use crate::report::civil::rfc3339;
use crate::report::escape::terminal;

/// `ssh OpenSSH 9.2p1 (by answer)`, in at most this many columns.
pub(super) fn named(service: &Service, columns: usize) -> String {
    let mut what = match (&service.protocol, service.is_inside_tls()) {
        (Some(protocol), true) if protocol != "tls" => {
            format!("{} over TLS", terminal(protocol))
        }
        (Some(protocol), _) => terminal(protocol).into_owned(),
        (None, _) => "unknown".to_owned(),
    };
    if let Some(software) = service.application() {
        what = format!("{what} {}", terminal(&software.title()));
    }
    let basis = match service.basis {
        Basis::ByAnswer => " (by answer)",
        Basis::ByNumber => " (by number)",
    };
    format!("{}{basis}", cut(&what, columns.saturating_sub(basis.len())))
}

/// What is told below the line of a port.
pub(super) fn below(service: &Service, indent: usize, width: usize) -> String {
    let mut text = String::new();
    let mut line =
        |label: &str, value: &str| text.push_str(&paragraph(label, value, indent, width));
    if let Some(application) = service.application() {
        let mut more: Vec<&str> = Vec::new();
        more.extend(application.revision.as_deref());
        more.extend(application.cpe.as_deref());
        if !more.is_empty() {
            line("software", &more.join(", "));
        }
        line(
            "evidence",
            &format!(
                "{} by {}",
                short(&application.evidence.text),
                application.evidence.rule
            ),
        );
    }
    for piece in service
        .software
        .iter()
        .filter(|piece| !std::ptr::eq(*piece, service.application().unwrap_or(piece)))
    {
        line(piece.part.name(), &piece.title());
    }
    if let Some(tls) = &service.tls {
        line("tls", &session(tls));
        if let Some(certificate) = &tls.certificate {
            let until = rfc3339(certificate.not_after);
            let day = until.get(..10).unwrap_or(&until);
            line(
                "certificate",
                &format!(
                    "{}, by {}, {} until {day}, {}",
                    certificate.subject,
                    certificate.issuer,
                    certificate.validity.name(),
                    certificate.trust.name()
                ),
            );
            if !certificate.names.is_empty() {
                line("names", &certificate.names.join(" "));
            }
        }
    }
    for detail in &service.details {
        line(&detail.name, &detail.value);
    }
    text
}

/// `TLS 1.2 to TLS 1.3, h2`
fn session(tls: &Tls) -> String {
    let versions = match (tls.least.as_deref(), tls.most.as_deref()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (Some(only), _) | (None, Some(only)) => only.to_owned(),
        (None, None) => "version not known".to_owned(),
    };
    let further = match tls.begun {
        Begun::AtOnce => tls.alpn.as_deref(),
        Begun::OnRequest => Some("when asked for (STARTTLS)"),
    };
    match further {
        Some(further) => format!("{versions}, {further}"),
        None => versions,
    }
}

/// What a host seems to run, and on what.
pub(super) fn system(system: &System, indent: usize, width: usize) -> String {
    let mut text = String::new();
    if system.candidates.is_empty() {
        text.push_str(&paragraph("System", "unknown", indent, width));
    }
    for candidate in &system.candidates {
        text.push_str(&paragraph("System", &likely(candidate), indent, width));
    }
    if let Some(hardware) = &system.hardware {
        let of = match &hardware.registered {
            Registered::To {
                organisation,
                dated,
            } => format!("{organisation} (registry of {dated})"),
            Registered::Locally => "chosen locally, registered to nobody".to_owned(),
            Registered::Unknown { dated } => format!("not in the registry of {dated}"),
        };
        text.push_str(&paragraph(
            "Hardware",
            &format!("{} {of}", hardware.mac_text()),
            indent,
            width,
        ));
    }
    text
}

/// `Linux 6 (0.80): tcp.signature 4:64:..; os by ssh.banner ..`
fn likely(candidate: &Candidate) -> String {
    let first = std::iter::once(&candidate.system.evidence).chain(&candidate.further);
    let evidence: Vec<String> = first
        .map(|evidence| format!("{} {}", evidence.rule, short(&evidence.text)))
        .collect();
    format!(
        "{} ({:.2}): {}",
        candidate.system.title(),
        candidate.weight,
        evidence.join("; ")
    )
}

/// One vulnerability that a service may have.
pub(super) fn finding(finding: &Finding, indent: usize, width: usize) -> String {
    let mut what = format!(
        "{} on port {}: {}",
        finding.id,
        finding.endpoint.port,
        finding.judgement.name()
    );
    if finding.exploited == Exploited::Known {
        what.push_str(", exploited");
    }
    if let Some(epss) = finding.epss {
        what.push_str(&format!(", EPSS {epss:.2}"));
    }
    if let Some(score) = finding.score {
        what.push_str(&format!(", score {score:.1}"));
    }
    what.push_str(&format!(
        "; {}; {} ({})",
        finding.software, finding.rule, finding.source
    ));
    paragraph("", &what, indent, width)
}

/// `found` lines on a terminal.
pub(super) fn found(service: &Service, endpoint: &str, width: usize) -> String {
    let before = format!("serves {} ", terminal(endpoint));
    let room = width.saturating_sub(before.len()).max(20);
    format!("{before}{}\n", named(service, room))
}

/// A labelled text, set into the width there is; long words are broken, and no more than a few lines are told.
fn paragraph(label: &str, value: &str, indent: usize, width: usize) -> String {
    let blanks = " ".repeat(indent);
    let label = if label.is_empty() {
        String::new()
    } else {
        format!("{label}: ")
    };
    let room = width.saturating_sub(indent).max(20);
    let escaped = terminal(value);
    let mut lines = vec![label];
    for word in escaped.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let taken = rest.len().min(room.saturating_sub(2));
            let piece: String = rest.drain(..taken).collect();
            let Some(line) = lines.last_mut() else { break };
            let blank = usize::from(!line.is_empty() && !line.ends_with(' '));
            if line.trim().is_empty() || line.chars().count() + blank + taken <= room {
                if blank == 1 {
                    line.push(' ');
                }
                line.push_str(&piece);
            } else {
                lines.push(format!("  {piece}"));
            }
        }
    }
    let more = lines.len() > MOST_LINES;
    lines.truncate(MOST_LINES);
    if let (true, Some(last)) = (more, lines.last_mut()) {
        let kept: String = last.chars().take(room.saturating_sub(3)).collect();
        *last = format!("{}...", kept.trim_end_matches(['.', ' ']));
    }
    lines.iter().fold(String::new(), |text, line| {
        text + &blanks + line.trim_end() + "\n"
    })
}

/// What a conclusion was drawn from, as much as tells it apart.
fn short(evidence: &str) -> String {
    cut(evidence, EVIDENCE)
}

/// Not longer than this.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// Characters of what something was concluded from; the formats for programs have all of it.
const EVIDENCE: usize = 60;

/// Lines of one paragraph.
const MOST_LINES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_within_their_width() {
        let long = "word ".repeat(30) + &"x".repeat(200);
        for width in [20, 40, 80] {
            let text = paragraph("label", &long, 4, width);
            assert!(
                text.lines().all(|line| line.len() <= width.max(24)),
                "{text}"
            );
            assert!(text.lines().count() <= MOST_LINES);
        }
        assert_eq!(
            paragraph("title", "a\u{1b}[2Jb", 2, 40),
            "  title: a\\x1b[2Jb\n"
        );
        assert_eq!(cut("abcdefgh", 6), "abc...");
    }
}
