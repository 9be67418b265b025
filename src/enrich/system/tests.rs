use super::*;
use crate::model::facts::{Basis, Registered};
use crate::model::{Agreed, Endpoint, Layout, Payload, Quirks, Sack, Signature, Timestamps};

fn host() -> Address {
    Address::new("10.9.0.2".parse().expect("address"))
}

fn packet(ttl: u8, window: u16, scale: u8, kinds: &[u8], quirks: &[Quirks]) -> Shape {
    let mut layout = Layout::default();
    for kind in kinds {
        layout.push(*kind).expect("short");
    }
    let mut all = Quirks::default();
    for quirk in quirks {
        all.add(*quirk);
    }
    Shape::Packet(Signature {
        version: 4,
        ttl,
        ip_options: 0,
        mss: Some(1460),
        window,
        scale: Some(scale),
        layout,
        quirks: all,
        payload: Payload::Absent,
    })
}

fn linux() -> Shape {
    packet(64, 65160, 7, &[2, 4, 8, 1, 3], &[Quirks::DF])
}

fn windows() -> Shape {
    packet(
        125,
        65535,
        8,
        &[2, 1, 3, 1, 1, 4],
        &[Quirks::DF, Quirks::ID_WITH_DF],
    )
}

fn service(port: u16, vendor: &str, product: &str, version: Option<&str>) -> Service {
    Service {
        endpoint: Endpoint {
            address: host(),
            port,
        },
        protocol: None,
        basis: Basis::ByAnswer,
        tls: None,
        software: vec![Software {
            part: Part::System,
            vendor: Some(vendor.to_owned()),
            product: product.to_owned(),
            version: version.map(str::to_owned),
            revision: None,
            cpe: None,
            evidence: evidence("banner", format!("on {port}")),
        }],
        details: Vec::new(),
        greeting: Vec::new(),
    }
}

/// Vendor, product and version of the candidates, and the rules that speak for each.
fn told(shapes: &[Shape], services: &[Service]) -> Vec<(String, Vec<String>)> {
    let Some(system) = system(host(), shapes, services, None) else {
        return Vec::new();
    };
    let of = |candidate: &Candidate| {
        let system = &candidate.system;
        let name = [
            system.vendor.as_deref(),
            Some(&*system.product),
            system.version.as_deref(),
        ];
        let mut rules = vec![system.evidence.rule.clone()];
        rules.extend(
            candidate
                .further
                .iter()
                .map(|evidence| evidence.rule.clone()),
        );
        (
            name.into_iter().flatten().collect::<Vec<_>>().join(" "),
            rules,
        )
    };
    system.candidates.iter().map(of).collect()
}

fn names(shapes: &[Shape], services: &[Service]) -> Vec<String> {
    told(shapes, services)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_syn_ack_names_a_candidate_and_is_its_evidence() {
    let system = system(host(), &[linux()], &[], None).expect("something is known");
    let candidate = &system.candidates[0];
    assert_eq!(candidate.system.product, "Linux");
    assert_eq!(candidate.system.evidence.rule, "tcp.signature");
    assert_eq!(
        candidate.system.evidence.text,
        "4:64+0:0:1460:mss*45,7:mss,sok,ts,nop,ws:df:0"
    );
    assert_eq!(candidate.further[0].text, "64: 64 less no router");
    assert!(
        candidate.weight > 0.7 && candidate.weight < 0.8,
        "{}",
        candidate.weight
    );
    assert_eq!(
        system.signatures,
        ["4:64+0:0:1460:mss*45,7:mss,sok,ts,nop,ws:df:0"]
    );
    assert_eq!(system.candidates.len(), 1);
}

#[test]
fn stacks_of_other_systems_are_told_apart() {
    for (shape, name) in [
        (windows(), "Microsoft Windows"),
        (
            packet(64, 65535, 6, &[2, 1, 3, 4, 8], &[Quirks::DF]),
            "FreeBSD FreeBSD",
        ),
        (
            packet(
                60,
                16384,
                6,
                &[2, 1, 1, 4, 1, 3, 1, 1, 8],
                &[Quirks::DF, Quirks::ID_WITH_DF],
            ),
            "OpenBSD OpenBSD",
        ),
        (packet(250, 4128, 0, &[2], &[]), "Cisco IOS"),
    ] {
        assert_eq!(names(&[shape], &[]), [name]);
    }
}

#[test]
fn a_stack_that_nobody_knows_is_unknown_and_its_signature_is_kept() {
    let odd = packet(64, 1000, 3, &[8, 3, 2], &[]);
    let system = system(host(), &[odd], &[], None).expect("a signature");
    assert_eq!(system.candidates, []);
    assert_eq!(system.signatures.len(), 1);
    assert_eq!(super::system(host(), &[], &[], None), None);
}

#[test]
fn what_a_service_says_and_what_the_stack_looks_like_stand_together() {
    let debian = service(22, "Debian", "Linux", Some("12"));
    let apache = service(80, "Debian", "Linux", None);
    let kernel = service(6379, "Linux", "Linux", Some("6.1.0"));
    let all = [kernel, apache, debian];
    assert_eq!(
        told(&[linux()], &all),
        [(
            "Debian Linux 12".to_owned(),
            ["banner", "banner", "banner", "tcp.signature", "ip.ttl"]
                .map(str::to_owned)
                .to_vec()
        )]
    );
}

#[test]
fn a_windows_release_is_more_exact_than_windows() {
    let services = [
        service(80, "Microsoft", "Windows", None),
        service(445, "Microsoft", "Windows Server 2016", Some("10.0.14393")),
    ];
    assert_eq!(
        names(&[windows()], &services),
        ["Microsoft Windows Server 2016 10.0.14393"]
    );
}

#[test]
fn evidence_that_contradicts_makes_two_candidates() {
    let services = [service(22, "Debian", "Linux", Some("12"))];
    assert_eq!(
        names(&[windows()], &services),
        ["Debian Linux 12", "Microsoft Windows"]
    );
    let services = [
        service(22, "Debian", "Linux", Some("12")),
        service(80, "Ubuntu", "Linux", None),
    ];
    assert_eq!(names(&[], &services).len(), 2);
}

#[test]
fn the_same_evidence_counts_once_and_a_hop_limit_names_nobody() {
    let services = [
        service(22, "Debian", "Linux", Some("12")),
        service(22, "Debian", "Linux", Some("12")),
    ];
    assert_eq!(told(&[], &services)[0].1, ["banner"]);
    let odd = packet(128, 1000, 3, &[8, 3, 2], &[]);
    assert_eq!(names(&[odd], &[]), Vec::<String>::new());
}

#[test]
fn a_connection_tells_little_and_weighs_little() {
    let agreed = Shape::Agreed(Agreed {
        scale: Some(8),
        timestamps: Timestamps::Absent,
        sack: Sack::Agreed,
    });
    let system = system(host(), &[agreed], &[], None).expect("something");
    let candidate = &system.candidates[0];
    assert_eq!(candidate.system.product, "Windows");
    assert_eq!(
        candidate.system.evidence.text,
        "window scale 8, no timestamps, SACK"
    );
    assert!(candidate.weight < 0.5);
    assert_eq!(system.signatures, Vec::<String>::new());
}

#[test]
fn services_of_other_hosts_say_nothing_of_this_one() {
    let mut other = service(22, "Debian", "Linux", None);
    other.endpoint.address = Address::new("10.9.0.3".parse().expect("address"));
    assert_eq!(system(host(), &[], &[other], None), None);
}

#[test]
fn hardware_alone_is_something_and_liars_are_bounded() {
    let hardware = Hardware {
        mac: [2, 0, 0, 0, 0, 1],
        registered: Registered::Locally,
    };
    assert!(system(host(), &[], &[], Some(hardware)).is_some());
    let services: Vec<Service> = (0..100)
        .map(|port| service(port, &format!("V{port}"), "P", Some("1")))
        .chain((0..100).map(|port| service(port, "W", "Q", None)))
        .collect();
    let system = system(host(), &[], &services, None).expect("candidates");
    assert!(system.candidates.len() <= MOST);
    assert!(
        system
            .candidates
            .iter()
            .all(|candidate| candidate.further.len() <= FURTHER)
    );
    assert!(
        system
            .candidates
            .iter()
            .all(|candidate| candidate.weight <= SUREST)
    );
}
