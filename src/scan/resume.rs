//! Going on where an earlier run ended, and giving what this one finds to be kept.

use std::io;
use std::iter::Peekable;
use std::time::Duration;

use crate::engine::Engine;
use crate::model::{Kept, Looked, Pinged};
use crate::plan::{AddressRange, TargetSet};
use crate::scan::ping::Found;
use crate::scan::{Control, EVENT_BATCH, NAP, OpenError, Sink};
use crate::transport::Transport;

/// What was kept, in its order; read while it is restored, so that it need not fit into memory.
pub(super) type Past = Peekable<Box<dyn Iterator<Item = io::Result<Kept>> + Send>>;

/// Restores what was kept of the ports, and tells it to the sink like news. Nothing is sent.
pub(super) fn restore(
    past: Past,
    engine: &mut Engine,
    transport: &mut dyn Transport,
    sink: &mut dyn Sink,
    control: &Control,
) -> Result<(), OpenError> {
    let mut events = Vec::new();
    for kept in past {
        let kept = kept.map_err(cannot_read)?;
        engine.restore(&kept, transport.now());
        while let Some(event) = engine.poll_event() {
            events.push(event);
            if events.len() >= EVENT_BATCH {
                wait_for(sink, transport);
                sink.take(&mut events);
            }
        }
        if control.stop().asked() > 0 {
            break;
        }
    }
    engine.restored(transport.now());
    if !events.is_empty() {
        wait_for(sink, transport);
        sink.take(&mut events);
    }
    Ok(())
}

/// The hosts that an earlier run found, if it was done with looking.
pub(super) fn known_hosts(
    past: &mut Past,
    targets: &TargetSet,
) -> Result<Option<Found>, OpenError> {
    let mut ranges = Vec::new();
    let search = |kept: &io::Result<Kept>| {
        !matches!(
            kept,
            Ok(Kept::Told(_) | Kept::Claimed(_) | Kept::Noted { .. } | Kept::Through(_))
        )
    };
    while let Some(kept) = past.next_if(search) {
        match kept.map_err(cannot_read)? {
            Kept::Up { first, last } => {
                let hosts = (first..=last).map_while(|host| targets.host(host));
                ranges.extend(hosts.map(AddressRange::single));
            }
            Kept::Looked(looked) => {
                return Ok(Some(Found {
                    up: TargetSet::new(&ranges, &[]).ok(),
                    pinged: Pinged {
                        asked: looked.asked,
                        up: looked.up,
                    },
                    untold: looked.untold,
                    packets: 0,
                    elapsed: Duration::ZERO,
                }));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Gives the hosts that were found to be kept.
pub(super) fn keep_hosts(found: &Found, targets: &TargetSet, sink: &mut dyn Sink) {
    let mut kept = Vec::new();
    let mut run: Option<(u64, u64)> = None;
    let up = found.up.iter().flat_map(TargetSet::iter);
    for host in up.filter_map(|address| targets.rank(&address)) {
        run = match run {
            Some((first, last)) if last + 1 == host => Some((first, host)),
            ended => {
                kept.extend(ended.map(|(first, last)| Kept::Up { first, last }));
                Some((host, host))
            }
        };
    }
    kept.extend(run.map(|(first, last)| Kept::Up { first, last }));
    kept.push(Kept::Looked(Looked {
        asked: found.pinged.asked,
        up: found.pinged.up,
        untold: found.untold,
    }));
    sink.keep(&mut kept);
}

fn wait_for(sink: &mut dyn Sink, transport: &mut dyn Transport) {
    while !sink.ready() {
        // What comes now answers nothing that was asked.
        transport.recv(transport.now() + NAP, &mut Vec::new());
    }
}

fn cannot_read(source: io::Error) -> OpenError {
    OpenError::Io {
        attempted: "cannot read what an earlier run has found".to_owned(),
        source,
    }
}
