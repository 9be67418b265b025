//! What is told of hosts: their loss, and all of them where hosts are what was asked for. Every format has a line for each. All but text and JSON lines once left them out.

use std::time::Duration;

use halfopen::model::{
    Address, Alive, Event, HostLoss, HostNote, Note, Sign, State, Summary, Time,
};
use halfopen::report::csv::Csv;
use halfopen::report::fields::FIELDS;
use halfopen::report::grepable::Grepable;
use halfopen::report::list::List;
use halfopen::report::text::{Live, Text};
use halfopen::report::xml::Xml;
use halfopen::report::{Scope, Show};

use super::{Script, address, json, network, parsed, played};

fn alive(address: Address, sign: Sign, rtt: Option<Duration>) -> Event {
    Event::Alive(Alive {
        address,
        sign,
        rtt,
        at: Time(1_500_000_000),
    })
}

/// Three of 254, in the order in which they were found.
fn three_hosts() -> Script {
    let zoned = Address::new("fe80::1".parse().expect("an address")).with_zone(3);
    let mut script = network();
    script.header.scope = Scope::Hosts;
    script.events = vec![
        alive(zoned, Sign::Neighbour, None),
        alive(address("10.9.0.10"), Sign::Rst, None),
        alive(
            address("10.9.0.2"),
            Sign::EchoReply,
            Some(Duration::from_micros(512)),
        ),
    ];
    script.summary = Summary {
        complete: true,
        ..Summary::default()
    };
    script
}

fn open() -> Show {
    Show::of(&[State::Open])
}

#[test]
fn xml_has_the_hosts_that_are_up() {
    let script = three_hosts();
    let text = played(Xml::new(open(), script.names.clone()), &script);
    let hosts = text
        .split_once("<debugging level=\"0\"/>\n")
        .expect("a head")
        .1;
    let (hosts, end) = hosts.split_once("<runstats>").expect("figures");
    assert_eq!(
        hosts,
        "<host>\n\
         <status state=\"up\" reason=\"echo-reply\" reason_ttl=\"0\"/>\n\
         <address addr=\"10.9.0.2\" addrtype=\"ipv4\"/>\n\
         <hostnames>\n<hostname name=\"db.example\" type=\"user\"/>\n</hostnames>\n\
         </host>\n\
         <host>\n\
         <status state=\"up\" reason=\"reset\" reason_ttl=\"0\"/>\n\
         <address addr=\"10.9.0.10\" addrtype=\"ipv4\"/>\n\
         </host>\n\
         <host comment=\"zone eth0\">\n\
         <status state=\"up\" reason=\"nd-response\" reason_ttl=\"0\"/>\n\
         <address addr=\"fe80::1\" addrtype=\"ipv6\"/>\n\
         </host>\n"
    );
    assert!(
        end.contains("<hosts up=\"3\" down=\"251\" total=\"254\"/>"),
        "{end}"
    );
    assert!(!text.contains("<scaninfo"), "no ports were scanned: {text}");
}

#[test]
fn grepable_has_the_hosts_that_are_up() {
    let script = three_hosts();
    let text = played(Grepable::new(open(), script.names.clone()), &script);
    let hosts: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        hosts,
        [
            "Host: 10.9.0.2 (db.example)\tStatus: Up",
            "Host: 10.9.0.10 ()\tStatus: Up",
            "Host: fe80::1%eth0 ()\tStatus: Up",
        ]
    );
}

#[test]
fn csv_has_the_hosts_in_the_columns_of_ports() {
    let script = three_hosts();
    let csv = Csv::new(open(), script.names.clone(), FIELDS.to_vec());
    assert_eq!(
        played(csv, &script),
        "address,port,protocol,state,reason,service,rtt_us,ttl,attempts,time,name\r\n\
         fe80::1%eth0,,,up,neighbour,,,,,1.500000,\r\n\
         10.9.0.10,,,up,rst,,,,,1.500000,\r\n\
         10.9.0.2,,,up,echo-reply,,512,,,1.500000,db.example\r\n"
    );
}

#[test]
fn the_list_has_the_hosts_without_a_port_and_none_of_them_is_open() {
    let script = three_hosts();
    let text = played(List::new(open(), script.names.clone()), &script);
    assert_eq!(
        text.lines().skip(1).collect::<Vec<_>>(),
        [
            "up ndp 0 fe80::1%eth0 1709164801",
            "up tcp 0 10.9.0.10 1709164801",
            "up icmp 0 10.9.0.2 1709164801",
            "# end",
        ]
    );
}

/// It was null wherever there was more than one host.
#[test]
fn json_lines_have_the_loss_of_each_host() {
    let mut script = network();
    // It comes before the verdicts of some hosts, and once for each block of a big plan.
    for (first, later) in [(60, 20), (15, 5)] {
        script.events.insert(
            0,
            Event::Loss(HostLoss {
                address: address("10.9.0.10"),
                first,
                later,
            }),
        );
    }
    let lines = parsed(&json(script, &[State::Open]));
    let loss = |host: &str| {
        let mut hosts = lines.iter().filter(|line| line["type"] == "host");
        hosts.find(|line| line["address"] == host).expect("a host")["loss"].clone()
    };
    assert_eq!(loss("10.9.0.10"), 0.25);
    assert!(loss("10.9.0.9").is_null());
}

/// A search that was not whole once ended with `NOT complete` and no word why; the JSON lines had it.
#[test]
fn a_list_of_hosts_lacked_the_notes_on_the_search() {
    let mut script = three_hosts();
    script.events.push(Event::Host(HostNote {
        address: None,
        note: Note::AnswersDropped,
    }));
    let text = Text::new(open(), script.names.clone(), Live::AtTheEnd, 80);
    let text = played(text, &script);
    let note = text.lines().find(|line| line.starts_with("# Note: "));
    assert!(
        note.is_some_and(|note| note.ends_with("(answers-dropped)")),
        "{text}"
    );
}
