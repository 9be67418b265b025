//! What does not go together with `--ping` and `--ping-only`.

use halfopen::plan::{Mistake, Shard, TargetSet};
use halfopen::report::text::grouped;
use halfopen::scan::{Options, Ping};

use crate::cli::settings::Task;

/// What does not go together with looking for hosts.
pub fn mistake(options: &Options, task: Task) -> Option<Mistake> {
    if options.ping == Ping::Never {
        return None;
    }
    if task == Task::List {
        return Some(Mistake::new(
            "--list sends nothing, so it cannot know who answers a ping; --ping-only lists hosts",
        ));
    }
    (options.shard != Shard::WHOLE).then(|| {
        Mistake::new(
            "--ping would not find the same hosts for every --shard; list them once with --ping-only and scan that list",
        )
    })
}

/// More hosts than can be looked for at a time.
pub fn too_many_to_ping(targets: &TargetSet, ping: Ping) -> Option<Mistake> {
    let hosts = targets.hosts();
    (ping != Ping::Never && hosts > Ping::MOST_HOSTS).then(|| {
        Mistake::new(format!(
            "{} addresses are too many for a ping; it takes {} at a time",
            grouped(hosts),
            grouped(Ping::MOST_HOSTS)
        ))
    })
}
