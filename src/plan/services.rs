//! Names of services and the TCP ports that IANA has registered for them.

mod table;

use table::REGISTERED;

/// The TCP ports registered under this name, ascending; none when the name is unknown. Names are compared in lower
/// case, as RFC 6335 has it.
pub fn registered_ports(name: &str) -> impl Iterator<Item = u16> {
    let name = name.to_ascii_lowercase();
    REGISTERED
        .iter()
        .filter(move |&&(_, known)| known == name)
        .map(|&(port, _)| port)
}

/// The name that a TCP port is registered under; the customary one where there are several. It says what the number
/// is for, not what listens there.
pub fn registered_name(port: u16) -> Option<&'static str> {
    let at = REGISTERED.partition_point(|&(known, _)| known < port);
    REGISTERED
        .get(at)
        .filter(|&&(known, _)| known == port)
        .map(|&(_, name)| name)
}

/// All names, by ascending port.
pub(super) fn registered_names() -> impl Iterator<Item = &'static str> {
    REGISTERED.iter().map(|&(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_are_names() {
        assert!(REGISTERED.len() >= 300, "{}", REGISTERED.len());
        assert!(REGISTERED.is_sorted_by_key(|&(port, _)| port));
        for (at, entry) in REGISTERED.iter().enumerate() {
            let (port, name) = *entry;
            assert_ne!(port, 0, "{name}");
            assert!(!REGISTERED[..at].contains(entry), "{name} {port} twice");
            // RFC 6335 asks for letters, digits and hyphens; older entries have underscores, dots and pluses.
            assert!(name.bytes().any(|byte| byte.is_ascii_lowercase()), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || b"-_.+".contains(&byte)),
                "{name}"
            );
        }
    }

    #[test]
    fn both_directions() {
        for (port, name) in [
            (22, "ssh"),
            (80, "http"),
            (443, "https"),
            (3306, "mysql"),
            (5432, "postgresql"),
            (6379, "redis"),
        ] {
            assert_eq!(registered_name(port), Some(name));
            assert_eq!(registered_ports(name).collect::<Vec<_>>(), [port]);
        }
        assert_eq!(registered_ports("SSH").collect::<Vec<_>>(), [22]);
        assert_eq!(registered_ports("www").collect::<Vec<_>>(), [80]);
        assert_eq!(
            registered_ports("ircu").collect::<Vec<_>>(),
            [6665, 6666, 6667, 6668, 6669]
        );
        assert_eq!(registered_ports("no-such-service").count(), 0);
        assert_eq!(registered_name(0), None);
        assert_eq!(registered_name(65535), None);
    }
}
