//! The protocols that are recognised, one file each, written from their specifications.

pub mod adb;
pub mod amqp;
pub mod dns;
pub mod ftp;
mod headers;
pub mod http;
pub mod imap;
pub mod json;
pub mod kafka;
pub mod ldap;
pub mod memcached;
pub mod mongodb;
pub mod mqtt;
pub mod mysql;
pub mod nats;
mod ntlm;
pub mod pop3;
pub mod postgresql;
pub mod rdp;
pub mod redis;
mod reply;
pub mod rsync;
pub mod rtsp;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod ssh;
pub mod telnet;
pub mod upgrade;
pub mod version;
pub mod vnc;
mod web;
pub mod x11;
pub mod zookeeper;

use crate::enrich::dialogue::{Dialogue, Opening};

/// Every protocol (a static, because they are told apart by where they stand in memory), the likelier ones first: in this order they are tried where the port's number says nothing.
pub static ALL: [&Dialogue; 28] = [
    &ssh::DIALOGUE,
    &smtp::DIALOGUE,
    &ftp::DIALOGUE,
    &pop3::DIALOGUE,
    &imap::DIALOGUE,
    &mysql::DIALOGUE,
    &nats::DIALOGUE,
    &vnc::DIALOGUE,
    &rsync::DIALOGUE,
    &telnet::DIALOGUE,
    // MongoDB answers HTTP with a hint, which HTTP would take for a web server.
    &mongodb::DIALOGUE,
    &http::DIALOGUE,
    &redis::DIALOGUE,
    &postgresql::DIALOGUE,
    &memcached::DIALOGUE,
    &mqtt::DIALOGUE,
    &rdp::DIALOGUE,
    &smb::DIALOGUE,
    &ldap::DIALOGUE,
    &dns::DIALOGUE,
    &amqp::DIALOGUE,
    &rtsp::DIALOGUE,
    &sip::DIALOGUE,
    &zookeeper::DIALOGUE,
    &kafka::DIALOGUE,
    &x11::DIALOGUE,
    &adb::DIALOGUE,
    &version::DIALOGUE,
];

/// Those where the server speaks first.
pub fn greeting() -> impl Iterator<Item = &'static Dialogue> {
    ALL.into_iter()
        .filter(|dialogue| matches!(dialogue.opening, Opening::Server))
}

/// What this port is usually for.
pub fn likely(port: u16) -> impl Iterator<Item = &'static Dialogue> {
    ALL.into_iter()
        .filter(move |dialogue| dialogue.ports.contains(&port))
}

#[cfg(test)]
pub(crate) mod examples {
    use crate::enrich::dialogue::{End, Heard, Recognised, Said};

    /// A server that has said this so far, and that we have not answered.
    pub fn said(bytes: &[u8]) -> Said<'_> {
        said_after(bytes, 0)
    }

    pub fn said_after(bytes: &[u8], answers: u8) -> Said<'_> {
        Said {
            bytes,
            answers,
            end: End::Open,
        }
    }

    /// All that it said.
    pub fn all(bytes: &[u8]) -> Said<'_> {
        Said {
            bytes,
            answers: 1,
            end: End::Closed,
        }
    }

    pub fn known(heard: Heard) -> Recognised {
        match heard {
            Heard::Known(recognised) => *recognised,
            other => panic!("not recognised: {other:?}"),
        }
    }

    pub fn answer(heard: Heard) -> Vec<u8> {
        match heard {
            Heard::Answer(bytes) => bytes,
            other => panic!("no answer: {other:?}"),
        }
    }
}
