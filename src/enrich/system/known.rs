//! Systems by what their SYN-ACKs look like: `data/systems.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::{Agreed, Payload, Quirks, Signature, Unit};

/// All of them.
pub(super) fn systems() -> &'static [Known] {
    static SYSTEMS: LazyLock<Vec<Known>> = LazyLock::new(|| {
        // A test reads the same text, so that a program that passed it has them all.
        read(include_str!("../../../data/systems.toml")).unwrap_or_default()
    });
    &SYSTEMS
}

/// A system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    pub vendor: String,
    pub product: String,
    pub cpe: String,
    /// Hop limit that its packets begin with.
    pub ttl: u8,
    /// How the products begin that are this system, or are built on it.
    pub covers: Vec<String>,
    #[serde(default)]
    pub signature: Vec<Look>,
    #[serde(default)]
    pub agreed: Vec<AgreedLook>,
}

/// What it looks like, and how well that tells it from others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    text: Pattern,
    /// 0 to 1.
    pub weight: f64,
    #[allow(
        dead_code,
        reason = "for whoever reads the file; a test sees that it is there"
    )]
    source: String,
}

/// What it agrees to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgreedLook {
    scale: u8,
    pub weight: f64,
    #[allow(
        dead_code,
        reason = "for whoever reads the file; a test sees that it is there"
    )]
    source: String,
}

/// A signature in p0f's notation; `None` is any.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pattern {
    version: Option<u8>,
    initial_ttl: Option<u8>,
    ip_options: Option<u8>,
    mss: Option<u16>,
    window: Option<Window>,
    scale: Option<u8>,
    layout: Option<String>,
    quirks: Option<Quirks>,
    payload: Option<Payload>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Window {
    Bytes(u16),
    Segments(Unit, u16),
}

impl Known {
    /// How well a packet fits, 0 to 1; 0 where it does not.
    pub(super) fn weighs_packet(&self, signature: &Signature) -> f64 {
        let fitting = self
            .signature
            .iter()
            .filter(|look| look.text.fits(signature));
        fitting.map(|look| look.weight).fold(0.0, f64::max)
    }

    /// The same for what TCP_INFO tells.
    pub(super) fn weighs_agreed(&self, agreed: &Agreed) -> f64 {
        let fitting = self
            .agreed
            .iter()
            .filter(|look| agreed.scale == Some(look.scale));
        fitting.map(|look| look.weight).fold(0.0, f64::max)
    }

    /// Whether a product is this system, or built on it.
    pub(super) fn covers(&self, product: &str) -> bool {
        self.covers.iter().any(|start| {
            let head = product.get(..start.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(start))
        })
    }
}

impl Pattern {
    fn fits(&self, signature: &Signature) -> bool {
        // IPv6 has neither the bit nor the identification, and its flow labels are anybody's.
        let quirks = |quirks: Quirks| match signature.version {
            6 => quirks.without(ONLY_V4).without(Quirks::FLOW),
            _ => quirks,
        };
        let fits = |field: Option<u8>, value: u8| field.is_none_or(|field| field == value);
        fits(self.version, signature.version)
            && fits(self.initial_ttl, signature.initial_ttl().0)
            && fits(self.ip_options, signature.ip_options)
            && fits(self.scale, signature.scale.unwrap_or(0))
            && self.mss.is_none_or(|mss| signature.mss == Some(mss))
            && self.window.is_none_or(|window| match window {
                Window::Bytes(bytes) => signature.window == bytes,
                Window::Segments(unit, count) => signature.segments() == Some((unit, count)),
            })
            && self
                .quirks
                .is_none_or(|wanted| quirks(wanted) == quirks(signature.quirks))
            && self
                .payload
                .is_none_or(|payload| payload == signature.payload)
            && self
                .layout
                .as_ref()
                .is_none_or(|layout| *layout == signature.layout.to_string())
    }
}

/// `4:64:0:1460:mss*45,7:mss,sok,ts,nop,ws:df:0`
impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |what: &str| format!("{what} of the signature {text:?}");
        let fields: Vec<&str> = text.split(':').collect();
        let Ok(
            [
                version,
                ttl,
                ip_options,
                mss,
                window,
                layout,
                quirks,
                payload,
            ],
        ) = <[&str; 8]>::try_from(fields)
        else {
            return Err(wrong("eight fields make up the whole"));
        };
        let (window, scale) = window.split_once(',').ok_or_else(|| wrong("no scale"))?;
        let window = match window.split_once('*') {
            Some(("", "")) => None,
            Some(("mss", count)) => {
                number(count).map(|count| Some(Window::Segments(Unit::Mss, count)))?
            }
            Some(("mtu", count)) => {
                number(count).map(|count| Some(Window::Segments(Unit::Mtu, count)))?
            }
            Some(_) => return Err(wrong("the window")),
            None => Some(Window::Bytes(number(window)?)),
        };
        Ok(Self {
            version: any(version)?,
            initial_ttl: any(ttl)?,
            ip_options: any(ip_options)?,
            mss: any(mss)?,
            window,
            scale: any(scale)?,
            layout: (layout != "*").then(|| layout.to_owned()),
            quirks: match quirks {
                "*" => None,
                "" => Some(Quirks::default()),
                list => {
                    let mut all = Quirks::default();
                    for word in list.split(',') {
                        all.add(Quirks::named(word).ok_or_else(|| wrong("a quirk"))?);
                    }
                    Some(all)
                }
            },
            payload: match payload {
                "*" => None,
                "0" => Some(Payload::Absent),
                "+" => Some(Payload::Present),
                _ => return Err(wrong("the payload")),
            },
        })
    }
}

fn read(text: &str) -> Result<Vec<Known>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        system: Vec<Known>,
    }
    toml::from_str(text).map(|file: File| file.system)
}

fn any<T: std::str::FromStr>(text: &str) -> Result<Option<T>, String> {
    if text == "*" {
        return Ok(None);
    }
    number(text).map(Some)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

/// What only the header of IPv4 has.
const ONLY_V4: Quirks = Quirks::DF.and(Quirks::ID_WITH_DF).and(Quirks::NO_ID);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cpe::Cpe;

    #[test]
    fn every_system_of_the_file_can_be_used() {
        let systems = read(include_str!("../../../data/systems.toml")).expect("well formed");
        assert!(systems.len() >= 7);
        for system in systems {
            assert!(system.cpe.parse::<Cpe>().is_ok(), "{}", system.cpe);
            assert!(system.covers(&system.product));
            assert!(!system.signature.is_empty(), "{}", system.product);
            for look in &system.signature {
                assert!(look.weight > 0.0 && look.weight < 1.0);
                assert!(look.source.len() > 20, "{}", look.source);
            }
            for look in &system.agreed {
                assert!(look.weight > 0.0 && look.weight < 0.5 && look.source.len() > 10);
            }
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for text in [
            "",
            "4:64:0:*:*,*:mss:df",
            "4:64:0:*:*:mss:df:0",
            "4:64:0:*:x*2,*:mss:df:0",
            "4:64:0:*:*,*:mss:odd:0",
            "4:999:0:*:*,*:mss:df:0",
            "4:64:0:*:mss*,*:mss:df:0",
            "4:64:0:*:*,*:mss:df:1",
        ] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
