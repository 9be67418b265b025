//! What a host seems to run: candidates with their evidence, or none.
//!
//! Two kinds of evidence name a candidate: what its services say (`os.*` of a rule), and a SYN-ACK that looks like a known
//! system's. Where both mean the same family they stand in one candidate. A hop limit names nobody, because every maker
//! uses one of three values; it only speaks for a candidate that is there.

mod known;
#[cfg(test)]
mod tests;

use crate::model::facts::{Candidate, Evidence, Hardware, Part, Service, Software, System};
use crate::model::{Address, Shape};

use known::{Known, systems};

/// What a host seems to run, from what its stack looks like, what its services said, and whose its network interface is.
/// `None` where nothing at all is known.
pub fn system(
    address: Address,
    shapes: &[Shape],
    services: &[Service],
    hardware: Option<Hardware>,
) -> Option<System> {
    let mut candidates = Candidates::default();
    let mut told: Vec<&Software> = services
        .iter()
        .filter(|service| service.endpoint.address == address)
        .flat_map(|service| &service.software)
        .filter(|piece| piece.part == Part::System)
        .collect();
    // The most specific first, so that the others speak for it.
    told.sort_by_key(|piece| specificity(piece));
    for piece in told {
        candidates.told(piece);
    }
    for shape in shapes {
        candidates.looks(shape);
    }
    for shape in shapes {
        candidates.began_with(shape);
    }
    let system = System {
        address,
        candidates: candidates.ranked(),
        signatures: shapes.iter().filter_map(signature).collect(),
        hardware,
    };
    let is_empty =
        system.candidates.is_empty() && system.signatures.is_empty() && system.hardware.is_none();
    (!is_empty).then_some(system)
}

#[derive(Default)]
struct Candidates(Vec<Candidate>);

impl Candidates {
    /// A service told of a system.
    fn told(&mut self, piece: &Software) {
        if let Some(same) = self
            .0
            .iter_mut()
            .find(|candidate| speaks_for(piece, &candidate.system))
        {
            same.add(piece.evidence.clone(), TOLD);
        } else if self.0.len() < MOST {
            self.0.push(Candidate {
                system: piece.clone(),
                further: Vec::new(),
                weight: TOLD,
            });
        }
    }

    /// A stack looks like that of some systems.
    fn looks(&mut self, shape: &Shape) {
        for known in systems() {
            let (weight, rule) = match shape {
                Shape::Packet(signature) => (known.weighs_packet(signature), "tcp.signature"),
                Shape::Agreed(agreed) => (known.weighs_agreed(agreed), "tcp.options"),
            };
            if weight == 0.0 {
                continue;
            }
            let evidence = evidence(
                rule,
                match shape {
                    Shape::Packet(signature) => signature.to_string(),
                    Shape::Agreed(agreed) => agreed.to_string(),
                },
            );
            if !self.support(known, &evidence, weight) && self.0.len() < MOST {
                self.0.push(Candidate {
                    system: Software {
                        part: Part::System,
                        vendor: Some(known.vendor.clone()),
                        product: known.product.clone(),
                        version: None,
                        revision: None,
                        cpe: Some(known.cpe.clone()),
                        evidence,
                    },
                    further: Vec::new(),
                    weight,
                });
            }
        }
    }

    /// The hop limit of a packet speaks for candidates that begin with it.
    fn began_with(&mut self, shape: &Shape) {
        let Shape::Packet(signature) = shape else {
            return;
        };
        let (initial, hops) = signature.initial_ttl();
        let routers = match hops {
            0 => "no router".to_owned(),
            1 => "1 router".to_owned(),
            hops => format!("{hops} routers"),
        };
        let evidence = evidence(
            "ip.ttl",
            format!("{}: {initial} less {routers}", signature.ttl),
        );
        for known in systems().iter().filter(|known| known.ttl == initial) {
            self.support(known, &evidence, HOP_LIMIT);
        }
    }

    /// Adds evidence to every candidate of this family; `false` where there is none.
    fn support(&mut self, known: &Known, evidence: &Evidence, weight: f64) -> bool {
        let mut any = false;
        for candidate in &mut self.0 {
            if known.covers(&candidate.system.product) {
                candidate.add(evidence.clone(), weight);
                any = true;
            }
        }
        any
    }

    fn ranked(mut self) -> Vec<Candidate> {
        self.0.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        self.0
    }
}

impl Candidate {
    /// Adds evidence that is not there yet. Independent pieces leave a doubt that is the product of theirs.
    fn add(&mut self, evidence: Evidence, weight: f64) {
        let is_known = self.system.evidence == evidence || self.further.contains(&evidence);
        if is_known || self.further.len() >= FURTHER {
            return;
        }
        self.weight = (1.0 - (1.0 - self.weight) * (1.0 - weight)).min(SUREST);
        self.further.push(evidence);
    }
}

/// Less is more specific.
fn specificity(piece: &Software) -> u8 {
    let is_generic = piece
        .vendor
        .as_ref()
        .is_none_or(|vendor| *vendor == piece.product);
    u8::from(is_generic) * 2 + u8::from(piece.version.is_none())
}

/// Whether `piece` means the same as `other`, or something more general. Of a piece that is a kernel's name alone (Linux by
/// Linux) the version is the kernel's, which says nothing against a distribution.
fn speaks_for(piece: &Software, other: &Software) -> bool {
    let family = |product: &str| systems().iter().position(|known| known.covers(product));
    let is_generic =
        piece.vendor.as_deref() == Some(piece.product.as_str()) || piece.vendor.is_none();
    let same_product = piece.product == other.product;
    let same_family =
        family(&piece.product).is_some() && family(&piece.product) == family(&other.product);
    if is_generic {
        return same_product || same_family;
    }
    // "Windows" by IIS is what "Windows Server 2016" by SMB says more exactly.
    let is_part = same_product
        || (same_family && piece.version.is_none() && other.product.starts_with(&piece.product));
    piece.vendor == other.vendor
        && is_part
        && (piece.version.is_none() || piece.version == other.version)
}

fn signature(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Packet(signature) => Some(signature.to_string()),
        Shape::Agreed(_) => None,
    }
}

fn evidence(rule: &str, text: String) -> Evidence {
    Evidence {
        rule: rule.to_owned(),
        text,
    }
}

/// A banner can lie and a proxy can speak for a machine behind it.
const TOLD: f64 = 0.8;

/// One of three values that everybody uses.
const HOP_LIMIT: f64 = 0.1;

/// Nothing that a host says proves what it is.
const SUREST: f64 = 0.99;

/// Candidates of a host, and further evidence of each: bounds on what a liar makes us keep.
const MOST: usize = 8;
const FURTHER: usize = 16;
