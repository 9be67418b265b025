//! Host names become addresses, all of them, once, before any privilege is used and any packet is sent.

use std::net::ToSocketAddrs as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfopen::model::Address;
use halfopen::plan::{HostName, TargetList};

/// A name as it was given, and what it stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    pub name: String,
    pub addresses: Vec<Address>,
}

/// How many names are asked for at a time: a file may hold thousands, and each may wait for a distant server.
const AT_A_TIME: usize = 16;

/// Resolves every name in the list and tells the list. Names that fail become mistakes of the list.
pub fn all(
    targets: &mut TargetList,
    resolver: &(dyn Fn(&str) -> Result<Vec<Address>, String> + Sync),
) -> Vec<Resolved> {
    let names = targets.unresolved();
    let mut resolved = Vec::new();
    for (name, answer) in names.iter().zip(answers(&names, resolver)) {
        match answer {
            Ok(addresses) => {
                targets.resolve(name, &addresses);
                resolved.push(Resolved {
                    name: name.as_str().to_owned(),
                    addresses,
                });
            }
            Err(why) => targets.fail(name, &why),
        }
    }
    resolved
}

/// The answer for each name, in their order. All threads have ended when it returns.
fn answers(
    names: &[HostName],
    resolver: &(dyn Fn(&str) -> Result<Vec<Address>, String> + Sync),
) -> Vec<Result<Vec<Address>, String>> {
    let next = AtomicUsize::new(0);
    let answers: Vec<OnceLock<_>> = names.iter().map(|_| OnceLock::new()).collect();
    let ask = || {
        while let Some((name, answer)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            names.get(at).zip(answers.get(at))
        } {
            answer.get_or_init(|| resolver(name.as_str()));
        }
    };
    // This thread asks too, so that a machine that gives no threads still gets its answers.
    std::thread::scope(|scope| {
        for _ in 1..names.len().min(AT_A_TIME) {
            if std::thread::Builder::new()
                .spawn_scoped(scope, ask)
                .is_err()
            {
                break;
            }
        }
        ask();
    });
    let unasked = || Err("it was not looked up".to_owned());
    let answers = answers.into_iter().map(OnceLock::into_inner);
    answers
        .map(|answer| answer.unwrap_or_else(unasked))
        .collect()
}

/// Asks the system's resolver (hosts file, DNS, whatever it is told to use). Each address comes once, in its order.
///
/// # Errors
/// Why there is none: `no such name`, `server failed`, or what the system said.
pub fn by_system(name: &str) -> Result<Vec<Address>, String> {
    let answers = (name, 0)
        .to_socket_addrs()
        .map_err(|error| why(&error.to_string()))?;
    let mut addresses = Vec::new();
    for answer in answers {
        let address = match answer {
            std::net::SocketAddr::V4(v4) => Address::new((*v4.ip()).into()),
            std::net::SocketAddr::V6(v6) => {
                Address::new((*v6.ip()).into()).with_zone(v6.scope_id())
            }
        };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err("no such name".to_owned());
    }
    Ok(addresses)
}

/// The standard library hands on the C library's sentence only, not its number (`EAI_NONAME`, ..); these are the
/// sentences of glibc and musl. Any other is passed on as it is.
fn why(said: &str) -> String {
    const NO_NAME: [&str; 4] = [
        "Name or service not known",
        "Name does not resolve",
        "No address associated with hostname",
        "Name has no usable address",
    ];
    const TRY_AGAIN: [&str; 2] = ["Temporary failure in name resolution", "Try again"];
    const FAILED: [&str; 2] = [
        "Non-recoverable failure in name resolution",
        "Unrecoverable error",
    ];
    let is = |sentences: &[&str]| sentences.iter().any(|sentence| said.contains(sentence));
    if is(&NO_NAME) {
        "no such name".to_owned()
    } else if is(&TRY_AGAIN) {
        "server failed or timed out".to_owned()
    } else if is(&FAILED) {
        "server failed".to_owned()
    } else {
        said.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use halfopen::plan::{Cause, Internet, Surroundings};

    use super::*;

    fn list(targets: &[&str], excludes: &[&str]) -> TargetList {
        let mut list = TargetList::new(Surroundings::default(), Internet::Refused);
        targets.iter().for_each(|text| list.add(text));
        excludes.iter().for_each(|text| list.exclude(text));
        list
    }

    fn address(text: &str) -> Address {
        Address::new(text.parse().expect("an address"))
    }

    fn by_table(name: &str) -> Result<Vec<Address>, String> {
        match name {
            "two" => Ok(vec![address("10.0.0.1"), address("2001:db8::1")]),
            "one" => Ok(vec![address("10.0.0.1")]),
            _ => Err("no such name".to_owned()),
        }
    }

    #[test]
    fn all_addresses_are_scanned_and_excluded_names_win() {
        let mut targets = list(&["two"], &["one"]);
        let resolved = all(&mut targets, &by_table);
        assert_eq!(resolved.len(), 2);
        let set = targets.finish().expect("one is left").set;
        assert_eq!(set.iter().collect::<Vec<_>>(), [address("2001:db8::1")]);
    }

    #[test]
    fn many_names_are_asked_at_a_time_and_each_gets_its_own_answer() {
        let names: Vec<String> = (0..500).map(|number| format!("h{number}")).collect();
        let mut targets = list(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let together = std::sync::Barrier::new(AT_A_TIME);
        let resolver = |name: &str| {
            let number: u32 = name[1..].parse().expect("a number");
            // The last ones would wait for company that does not come.
            if number < 16 {
                together.wait();
            }
            match number % 5 {
                0 => Err("no such name".to_owned()),
                _ => Ok(vec![Address::new(
                    std::net::Ipv4Addr::from_bits(number).into(),
                )]),
            }
        };
        let resolved = all(&mut targets, &resolver);
        assert_eq!(resolved.len(), 400);
        for host in resolved {
            let number: u32 = host.name[1..].parse().expect("a number");
            let own = Address::new(std::net::Ipv4Addr::from_bits(number).into());
            assert_eq!(host.addresses, [own]);
        }
    }

    #[test]
    fn names_that_fail_are_the_environments_mistakes() {
        let mut targets = list(&["nowhere", "two"], &["nobody"]);
        all(&mut targets, &by_table);
        let mistakes = targets.finish().expect_err("two names fail");
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                r#"refusing to scan, because "nobody" might be scanned by mistake: cannot resolve "nobody": no such name"#,
                r#"cannot resolve "nowhere": no such name"#,
            ]
        );
        assert!(
            mistakes
                .iter()
                .all(|mistake| mistake.cause() == Cause::Environment)
        );
    }

    #[test]
    fn the_c_librarys_sentences() {
        assert_eq!(
            why("failed to lookup address information: Name or service not known"),
            "no such name"
        );
        assert_eq!(
            why("failed to lookup address information: Try again"),
            "server failed or timed out"
        );
        assert_eq!(why("odd"), "odd");
    }
}
