//! Outputs read back: what is written is what is read, and what is broken is said.

mod changes;
mod hostile;
mod identified;
mod parts;

use std::io::Cursor;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use halfopen::model::{
    Address, Endpoint, Event, HostNote, LocalFault, Note, Reason, State, Summary, Time,
    Unreachable, Verdict,
};
use halfopen::plan::{Mistake, Plan, PortSet, Shard, Shuffle, TargetSet};
use halfopen::report::jsonl::JsonLines;
use halfopen::report::names::Names;
use halfopen::report::{Header, Report, Scope, Show};
use halfopen::results::join::{Gaps, Joined, join, survey};
use halfopen::results::replay::replay;
use halfopen::results::zones::Zones;

/// A network of 192.0.2.0/28 and 40 ports, of which this is a made-up truth.
fn truth(endpoint: &Endpoint) -> (State, Reason) {
    let IpAddr::V4(ip) = endpoint.address.ip else {
        return (State::Filtered, Reason::NoAnswer);
    };
    match (ip.octets()[3], endpoint.port) {
        (host, port) if host % 3 == 0 && port % 10 == 2 => (State::Open, Reason::SynAck),
        (3, _) => (State::Filtered, Reason::Icmp(Unreachable::AdminProhibited)),
        (6, 30..) => (State::Suspect, Reason::Unconfirmed),
        (7, 1) => (State::Error, Reason::Local(LocalFault::Firewall)),
        (0..8, _) => (State::Closed, Reason::Rst),
        _ => (State::Filtered, Reason::NoAnswer),
    }
}

/// A scan that was never run: its plan, what it shows, and which part of it this is.
struct Made {
    targets: &'static str,
    ports: &'static str,
    shard: Shard,
    show: Vec<State>,
    seed: u64,
    late: Duration,
}

impl Made {
    fn part(index: u64, count: u64) -> Self {
        Self {
            targets: "192.0.2.0/28",
            ports: "1-40",
            shard: Shard::new(index, count).expect("a shard"),
            show: vec![State::Open, State::Suspect],
            seed: 7,
            late: Duration::from_secs(index),
        }
    }

    fn started(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_709_164_800) + self.late
    }

    /// The JSON lines of this part.
    fn lines(&self, truth: fn(&Endpoint) -> (State, Reason)) -> String {
        let targets = TargetSet::parse(&[self.targets], &[]).expect("targets");
        let ports = PortSet::parse(self.ports).expect("ports").set;
        let plan = Plan::new(targets, ports);
        let names = Names {
            services: [(2, "two".to_owned())].into(),
            hosts: [(
                Address::new([192, 0, 2, 3].into()),
                "evil\u{1b}[2J\"]]>.example".to_owned(),
            )]
            .into(),
            ..Names::default()
        };
        let target_list = plan.targets().ranges();
        let header = Header {
            version: "0.1.0".to_owned(),
            mode: "syn".to_owned(),
            reason_for_mode: "raw sockets are available".to_owned(),
            scope: Scope::Ports,
            hosts: plan.hosts(),
            only_host: (plan.hosts() == 1).then(|| plan.host(0)).flatten(),
            ports: plan.ports().len().into(),
            endpoints: self.shard.len(plan.len()),
            seed: self.seed,
            shard: (self.shard.index() + 1, self.shard.count()),
            missing_shards: Vec::new(),
            target_list: target_list
                .map(|range| names.range(&range.first(), &range.last()))
                .collect(),
            port_list: plan.ports().to_string(),
            command: "halfopen".to_owned(),
            started: self.started(),
        };
        let mut report = JsonLines::new(Show::of(&self.show), names);
        let mut out = Vec::new();
        report.start(&header, &mut out).expect("a vector takes all");
        let mut summary = Summary {
            complete: true,
            endpoints: header.endpoints,
            packets_sent: 100 * (self.shard.index() + 1),
            loss: Some(0.1 * self.shard.index() as f64),
            expected_missed: 0.001,
            elapsed: Duration::from_secs(5),
            ..Summary::default()
        };
        let shuffle = Shuffle::new(plan.len(), self.seed);
        for rank in 0..self.shard.len(plan.len()) {
            let position = self.shard.position(rank);
            let endpoint = plan.endpoint(shuffle.index(position)).expect("planned");
            let (state, reason) = truth(&endpoint);
            match state {
                State::Open => summary.open += 1,
                State::Closed => summary.closed += 1,
                State::Filtered => summary.filtered += 1,
                State::Suspect => summary.suspect += 1,
                State::Error => summary.error += 1,
            }
            let verdict = Verdict {
                endpoint,
                state,
                reason,
                rtt: Some(Duration::from_micros(position)),
                ttl: Some(64),
                attempts: 2,
                at: Time(position * 1_000_000),
            };
            let event = Event::Verdict(verdict);
            report.event(&event, &mut out).expect("a vector takes all");
        }
        let notes = [
            (plan.host(3), Note::ResetsLimited),
            (None, Note::AnswersDropped),
        ];
        for (address, note) in notes {
            let event = Event::Host(HostNote { address, note });
            report.event(&event, &mut out).expect("a vector takes all");
        }
        summary.complete = summary.error == 0;
        report
            .finish(&summary, &mut out)
            .expect("a vector takes all");
        String::from_utf8(out).expect("JSON is UTF-8")
    }
}

/// What files named 0, 1, .. come to.
fn joined(files: &[String], gaps: Gaps) -> Result<(Joined, String), Vec<Mistake>> {
    let mut zones = Zones::default();
    let mut parts = Vec::new();
    for (at, file) in files.iter().enumerate() {
        parts.push(
            survey(Cursor::new(file), &at.to_string(), &mut zones)
                .map_err(|mistake| vec![mistake])?,
        );
    }
    let joined = join(&parts, gaps, &zones)?;
    let mut report = JsonLines::new(joined.show, joined.names.clone());
    let mut out = Vec::new();
    report
        .start(&joined.header, &mut out)
        .expect("a vector takes all");
    let open = |name: &str| {
        Ok(Cursor::new(
            &files[name.parse::<usize>().expect("a number")],
        ))
    };
    replay(&parts, &joined, &mut zones, open, &mut |event| {
        report.event(event, &mut out)
    })
    .expect("it was read before");
    report
        .finish(&joined.summary, &mut out)
        .expect("a vector takes all");
    Ok((joined, String::from_utf8(out).expect("JSON is UTF-8")))
}

fn told(files: &[String], gaps: Gaps) -> Vec<String> {
    joined(files, gaps)
        .expect_err("a mistake")
        .iter()
        .map(ToString::to_string)
        .collect()
}
