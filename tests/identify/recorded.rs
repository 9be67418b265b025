//! The answers of Debian's packages, each given to the dialogue that it belongs to, and to all others.

use std::fs;
use std::path::Path;

use halfopen::enrich::dialogue::{Dialogue, End, Heard, Recognised, Said};
use halfopen::enrich::protocols::{self, version};
use halfopen::enrich::rules::Rules;
use halfopen::model::facts::Software;

/// What one server said on one connection, and what is known of it.
struct Recorded {
    /// Files of `answers/`: what it said at first, and after our answer.
    said: &'static [&'static str],
    /// The dialogue that it belongs to.
    dialogue: &'static Dialogue,
    protocol: &'static str,
    /// Product, version and revision of the package that was installed; empty where the server does not tell it.
    software: [&'static str; 3],
}

const fn recorded(
    said: &'static [&'static str],
    dialogue: &'static Dialogue,
    protocol: &'static str,
    software: [&'static str; 3],
) -> Recorded {
    Recorded {
        said,
        dialogue,
        protocol,
        software,
    }
}

const RECORDED: &[Recorded] = &[
    recorded(
        &["openssh.greeting"],
        &protocols::ssh::DIALOGUE,
        "ssh",
        ["OpenSSH", "9.2p1", "Debian-2+deb12u10"],
    ),
    recorded(
        &["dropbear.greeting"],
        &protocols::ssh::DIALOGUE,
        "ssh",
        ["Dropbear", "2022.83", ""],
    ),
    recorded(
        &["nginx.http"],
        &protocols::http::DIALOGUE,
        "http",
        ["nginx", "1.22.1", ""],
    ),
    recorded(
        &["nginx.http-to-tls-port"],
        &protocols::http::DIALOGUE,
        "http",
        ["nginx", "1.22.1", ""],
    ),
    recorded(
        &["apache.http"],
        &protocols::http::DIALOGUE,
        "http",
        ["Apache HTTP Server", "2.4.71", ""],
    ),
    recorded(
        &["apache.bad-request"],
        &protocols::http::DIALOGUE,
        "http",
        ["Apache HTTP Server", "2.4.71", ""],
    ),
    recorded(
        &["lighttpd.http"],
        &protocols::http::DIALOGUE,
        "http",
        ["lighttpd", "1.4.69", ""],
    ),
    recorded(
        &["etcd.http"],
        &protocols::http::DIALOGUE,
        "http",
        ["", "", ""],
    ),
    recorded(
        &["etcd.version"],
        &version::DIALOGUE,
        "etcd",
        ["etcd", "3.4.23", ""],
    ),
    recorded(
        &["cups.http"],
        &protocols::http::DIALOGUE,
        "ipp",
        ["CUPS", "2.4", ""],
    ),
    recorded(
        &["proftpd.greeting", "proftpd.feat"],
        &protocols::ftp::DIALOGUE,
        "ftp",
        ["ProFTPD", "", ""],
    ),
    recorded(
        &["vsftpd.greeting"],
        &protocols::ftp::DIALOGUE,
        "ftp",
        ["vsftpd", "3.0.3", ""],
    ),
    recorded(
        &["postfix.greeting", "postfix.ehlo"],
        &protocols::smtp::DIALOGUE,
        "smtp",
        ["Postfix", "", ""],
    ),
    recorded(
        &["exim.greeting", "exim.ehlo"],
        &protocols::smtp::DIALOGUE,
        "smtp",
        ["Exim", "4.96", ""],
    ),
    recorded(
        &["dovecot.pop3-greeting", "dovecot.pop3-capa"],
        &protocols::pop3::DIALOGUE,
        "pop3",
        ["Dovecot", "", ""],
    ),
    recorded(
        &["dovecot.imap-greeting", "dovecot.imap-id"],
        &protocols::imap::DIALOGUE,
        "imap",
        ["Dovecot", "", ""],
    ),
    recorded(
        &["mariadb.greeting"],
        &protocols::mysql::DIALOGUE,
        "mysql",
        ["MariaDB", "10.11.19", "Debian-0+deb12u1"],
    ),
    recorded(
        &["mariadb.refused"],
        &protocols::mysql::DIALOGUE,
        "mysql",
        ["MariaDB", "", ""],
    ),
    recorded(
        &["postgresql.unknown-version"],
        &protocols::postgresql::DIALOGUE,
        "postgresql",
        ["PostgreSQL", "", ""],
    ),
    recorded(
        &["redis.info"],
        &protocols::redis::DIALOGUE,
        "redis",
        ["Redis", "7.0.15", ""],
    ),
    recorded(
        &["memcached.version"],
        &protocols::memcached::DIALOGUE,
        "memcached",
        ["memcached", "1.6.18", ""],
    ),
    recorded(
        &["bind.version"],
        &protocols::dns::DIALOGUE,
        "domain",
        ["BIND", "9.18.49", "Debian-1~deb12u3"],
    ),
    recorded(
        &["unbound.version"],
        &protocols::dns::DIALOGUE,
        "domain",
        ["Unbound", "1.17.1", ""],
    ),
    recorded(
        &["mosquitto.connack", "mosquitto.version"],
        &protocols::mqtt::DIALOGUE,
        "mqtt",
        ["Mosquitto", "2.0.11", ""],
    ),
    recorded(
        &["nats.info"],
        &protocols::nats::DIALOGUE,
        "nats",
        ["NATS Server", "2.9.10", ""],
    ),
    recorded(
        &["rabbitmq.start"],
        &protocols::amqp::DIALOGUE,
        "amqp",
        ["RabbitMQ", "3.10.8", ""],
    ),
    recorded(
        &["rabbitmq.other-version"],
        &protocols::amqp::DIALOGUE,
        "amqp",
        ["", "", ""],
    ),
    recorded(
        &["openldap.root-dse"],
        &protocols::ldap::DIALOGUE,
        "ldap",
        ["OpenLDAP", "", ""],
    ),
    recorded(
        &["samba.smb2-negotiate"],
        &protocols::smb::DIALOGUE,
        "microsoft-ds",
        ["Samba", "", ""],
    ),
    recorded(
        &["rsync.greeting"],
        &protocols::rsync::DIALOGUE,
        "rsync",
        ["rsync", "", ""],
    ),
    recorded(
        &["tigervnc.greeting", "tigervnc.security"],
        &protocols::vnc::DIALOGUE,
        "vnc",
        ["", "", ""],
    ),
    // TigerVNC's X server is X.Org's, of the version that it was built from.
    recorded(
        &["xorg.setup"],
        &protocols::x11::DIALOGUE,
        "x11",
        ["X.Org X Server", "21.1.6", ""],
    ),
];

fn answer(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/identify/answers")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the dialogue makes of everything that was said, once nothing more comes.
fn heard(dialogue: &Dialogue, said: &[Vec<u8>]) -> Option<Recognised> {
    let mut bytes = Vec::new();
    for (answers, part) in (0_u8..).zip(said) {
        bytes.extend(part);
        let end = if said.len() == usize::from(answers) + 1 {
            End::Quiet
        } else {
            End::Open
        };
        match (dialogue.hear)(&Said {
            bytes: &bytes,
            answers,
            end,
        }) {
            Heard::Known(recognised) => return Some(*recognised),
            Heard::Strange => return None,
            Heard::More | Heard::Answer(_) => {}
        }
    }
    None
}

fn told(software: &[Software]) -> [String; 3] {
    let first = software.first();
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    [
        first.map(|piece| piece.product.clone()).unwrap_or_default(),
        or_empty(first.and_then(|piece| piece.version.clone())),
        or_empty(first.and_then(|piece| piece.revision.clone())),
    ]
}

#[test]
fn real_servers_are_recognised_and_named() {
    let rules = Rules::builtin();
    let mut wrong = Vec::new();
    for Recorded {
        said,
        dialogue,
        protocol,
        software,
    } in RECORDED
    {
        let parts: Vec<Vec<u8>> = said.iter().map(|name| answer(name)).collect();
        let Some(recognised) = heard(dialogue, &parts) else {
            wrong.push(format!("{said:?}: not recognised as {protocol}"));
            continue;
        };
        let by_rules: Vec<Software> = recognised
            .texts
            .iter()
            .flat_map(|text| rules.software(text.kind, &text.text))
            .collect();
        let found = told(&by_rules);
        if recognised.protocol != *protocol || found != *software {
            wrong.push(format!(
                "{said:?}: {} {found:?}, not {protocol} {software:?}; texts {:?}",
                recognised.protocol, recognised.texts
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_dialogue_takes_a_real_server_of_another_protocol_for_its_own() {
    let mut wrong = Vec::new();
    for Recorded {
        said,
        dialogue,
        protocol,
        ..
    } in RECORDED
    {
        let parts: Vec<Vec<u8>> = said.iter().map(|name| answer(name)).collect();
        for other in protocols::ALL {
            // The same request of HTTP may lead to either.
            let of_the_web = dialogue.protocol == "http" && other.protocol == "http";
            if std::ptr::eq(other, *dialogue) || of_the_web {
                continue;
            }
            if let Some(taken) = heard(other, &parts) {
                wrong.push(format!(
                    "{said:?} is {protocol}, and {} takes it for {}",
                    other.protocol, taken.protocol
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_recorded_answer_is_looked_at() {
    let used: Vec<&str> = RECORDED
        .iter()
        .flat_map(|recorded| recorded.said)
        .copied()
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/identify/answers");
    for entry in fs::read_dir(folder).expect("a folder") {
        let name = entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name in ASCII");
        assert!(
            name.starts_with('.')
                || used.contains(&name.as_str())
                || FURTHER.contains(&name.as_str()),
            "{name} is recorded and not looked at"
        );
    }
}

/// Answers to requests that no dialogue makes; every dialogue must bear them.
const FURTHER: &[&str] = &[
    "dovecot.imap-to-http",
    "dovecot.pop3s-greeting",
    "exim.help",
    "postfix.help",
    "postgresql.ssl-request",
    "postgresql.startup",
    "proftpd.help",
    "redis.ping",
    "rsync.modules",
    "samba.smb1-negotiate",
    "samba.smb2-session",
];

#[test]
fn answers_to_other_requests_are_borne() {
    for name in FURTHER {
        let said = [answer(name)];
        for dialogue in protocols::ALL {
            // No panic, and nothing but what it may be.
            if let Some(taken) = heard(dialogue, &said) {
                assert_eq!(taken.protocol, dialogue.protocol, "{name}");
            }
        }
    }
}
