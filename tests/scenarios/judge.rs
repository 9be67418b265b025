//! Whether a run says what its scenario expects.

use std::collections::BTreeMap;
use std::time::Duration;

use halfopen::model::Reason;

use super::Run;
use super::file::Expect;

/// Whether a scan may call itself complete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Whole,
    Lacking,
}

pub fn judge(expect: &Expect, proof: Proof, run: &Run, here: &str) {
    if let Some(expected) = &expect.states {
        assert_eq!(&states(run), expected, "{here}: states");
    }
    let said = |state: &str| {
        let (states, reason) = (states(run), format!("{state} "));
        let alike = states
            .into_iter()
            .filter(|(name, _)| name == state || name.starts_with(&reason));
        alike.map(|(_, count)| count).sum::<u64>()
    };
    for state in &expect.never {
        assert_eq!(said(state), 0, "{here}: {state}");
    }
    for (state, least) in &expect.least {
        assert!(
            said(state) >= *least,
            "{here}: {} {state} of {least}",
            said(state)
        );
    }
    assert_eq!(
        run.verdicts.len() as u64,
        run.summary.endpoints,
        "{here}: one verdict for each endpoint"
    );
    assert_eq!(
        run.summary.complete,
        proof == Proof::Whole,
        "{here}: complete: {:?}",
        run.summary
    );
    let most = Duration::from_millis(expect.at_most_ms);
    assert!(
        run.summary.elapsed <= most,
        "{here}: took {:?}",
        run.summary.elapsed
    );
    let least = Duration::from_millis(expect.at_least_ms);
    assert!(
        run.summary.elapsed >= least,
        "{here}: took only {:?}",
        run.summary.elapsed
    );
    let packets = run.summary.packets_sent;
    assert!(
        packets <= expect.at_most_packets,
        "{here}: {packets} packets"
    );
}

/// "state reason" -> how many endpoints; open by SYN-ACK is just "open".
pub fn states(run: &Run) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for verdict in &run.verdicts {
        let name = match verdict.reason {
            Reason::SynAck => verdict.state.name().to_owned(),
            reason => format!("{} {}", verdict.state.name(), reason.name()),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}
