//! The settings that decide what a scan's list is, as text: what two runs of one scan must have in common.

use halfopen::plan::Plan;
use halfopen::report::civil::rfc3339;
use halfopen::report::names::Names;
use halfopen::results::journal::Head;
use halfopen::scan::{Confirm, Options, Ping, SendPath};

use crate::cli::args::Args;

/// Gives the options that are not set the values that they had in the scan of this journal. Where targets are named, nothing is:
/// that scan must say itself what it is. Its ceilings give way only to what was `typed`, not to what a file or a variable says of every
/// scan.
pub fn fill(args: &mut Args, head: &Head, typed: &dyn Fn(&str) -> bool) {
    let setting = |name| head.setting(name).filter(|value| !value.is_empty());
    args.targets = setting("targets")
        .map(|targets| targets.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    args.ping |= setting("ping") == Some("true");
    for (name, value) in [
        ("ports", &mut args.ports),
        ("shard", &mut args.shard),
        ("mode", &mut args.mode),
        ("max-attempts", &mut args.max_attempts),
        ("miss-budget", &mut args.miss_budget),
        ("patience", &mut args.patience),
        ("confirm", &mut args.confirm),
        ("interface", &mut args.interface),
        ("source", &mut args.source),
        ("send-path", &mut args.send_path),
    ] {
        if value.is_none() {
            *value = setting(name).map(str::to_owned);
        }
    }
    for (name, option, ceiling) in [
        ("rate", "rate", &mut args.rate),
        ("host-rate", "host_rate", &mut args.host_rate),
    ] {
        if let Some(before) = setting(name).filter(|_| !typed(option)) {
            *ceiling = Some(before.to_owned());
        }
    }
}

/// The head of the journal of such a scan; `mode` is the one that runs, once that is known.
pub fn head(plan: &Plan, options: &Options, names: &Names, mode: Option<&str>) -> Head {
    let targets = plan.targets().ranges();
    let targets: Vec<String> = targets
        .map(|range| names.range(&range.first(), &range.last()))
        .collect();
    let shard = options.shard;
    let interface = options.interface.clone().unwrap_or_default();
    let source = options.source.map(|source| source.to_string());
    let mut settings = vec![
        ("targets", targets.join(",")),
        ("ports", plan.ports().to_string()),
        ("shard", format!("{}/{}", shard.index() + 1, shard.count())),
        ("seed", options.seed.to_string()),
        ("ping", (options.ping != Ping::Never).to_string()),
        ("max-attempts", options.max_attempts.to_string()),
        ("miss-budget", options.miss_budget.to_string()),
        (
            "patience",
            format!("{}ms", options.patience.as_secs_f64() * 1e3),
        ),
        (
            "confirm",
            match options.confirm {
                Confirm::Auto => "auto",
                Confirm::Never => "never",
            }
            .to_owned(),
        ),
        ("interface", interface),
        ("source", source.unwrap_or_default()),
        (
            "send-path",
            match options.send_path {
                SendPath::Ip => "ip",
                SendPath::Frame => "frame",
                SendPath::ForceFrame => "force-frame",
            }
            .to_owned(),
        ),
    ];
    settings.extend(mode.map(|mode| ("mode", mode.to_owned())));
    let ceilings = [("rate", options.rate), ("host-rate", options.host_rate)];
    Head {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: rfc3339(crate::cli::scanning::now()),
        settings: settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        ceilings: ceilings
            .into_iter()
            .filter_map(|(name, rate)| Some((name.to_owned(), rate?.to_string())))
            .collect(),
    }
}
