use std::num::NonZeroUsize;

use halfopen::plan::{Internet, Surroundings, TargetList};

use super::*;
use crate::cli::input::folders::Folders;
use crate::cli::schedulers::Environment;

/// Without the folders of this machine: what is typed decides.
fn decide(args: &Args, machine: &Machine) -> Result<Settings, Vec<Mistake>> {
    let input = input::read(args, machine, &Folders::none());
    super::decide(args, machine, &input)
}

fn machine() -> Machine {
    Machine {
        surroundings: Surroundings {
            interfaces: vec![("lo".to_owned(), 1), ("eth0".to_owned(), 2)],
            broadcast: Vec::new(),
        },
        addresses: vec![
            "127.0.0.1".parse().expect("an address"),
            "10.9.0.1".parse().expect("an address"),
        ],
        cores: NonZeroUsize::MIN,
        random: 4711,
        task: Environment::new(),
    }
}

fn one_target() -> Args {
    Args {
        targets: vec!["10.9.0.2".to_owned()],
        ..Args::default()
    }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn told(args: &Args) -> Vec<String> {
    decide(args, &machine())
        .expect_err("a mistake")
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn defaults_are_as_documented() {
    let settings = decide(&one_target(), &machine()).expect("no mistake");
    let options = settings.options;
    assert_eq!(options.mode, Mode::Auto);
    assert_eq!(options.send_path, SendPath::Ip);
    assert_eq!(options.seed, 4711);
    assert_eq!(options.patience, Duration::from_secs(3));
    assert_eq!(options.max_attempts, 20);
    assert_eq!(options.miss_budget, 0.01);
    assert_eq!((options.rate, options.max_time), (None, None));
    assert_eq!(settings.ports.len(), 1000);
    assert_eq!(settings.noise, Noise::Normal);
    assert!(settings.notes[0].to_string().contains("top:1000"));
    assert!(settings.show.has(State::Suspect) && !settings.show.has(State::Closed));
}

#[test]
fn parts_of_a_scan_agree_on_the_order() {
    let args = Args {
        shard: text("2/4"),
        ..one_target()
    };
    let settings = decide(&args, &machine()).expect("no mistake");
    let shard = settings.options.shard;
    assert_eq!((shard.index(), shard.count()), (1, 4));
    assert_eq!(settings.order, Order::OfThePlan);
    let seeded = Args {
        seed: text("5"),
        ..args
    };
    let settings = decide(&seeded, &machine()).expect("no mistake");
    assert_eq!((settings.order, settings.options.seed), (Order::Seeded, 5));
    let whole = decide(&one_target(), &machine()).expect("no mistake");
    assert_eq!(whole.order, Order::Seeded);
}

#[test]
fn a_scheduler_says_which_part_this_is() {
    let task = Environment::from([("JOB_COMPLETION_INDEX", "2".to_owned())]);
    let shard = |typed: &str| -> Result<(u64, u64), String> {
        let args = Args {
            shard: text(typed),
            ..one_target()
        };
        let machine = Machine {
            task: task.clone(),
            ..machine()
        };
        let shard = decide(&args, &machine)
            .map_err(|all| all[0].to_string())?
            .options
            .shard;
        Ok((shard.index(), shard.count()))
    };
    assert_eq!(shard("auto/4"), Ok((2, 4)));
    assert_eq!(shard("AUTO/4"), Ok((2, 4)));
    for (typed, wrong) in [
        ("auto", "not of how many"),
        ("auto/2", "there are only 2 parts"),
        ("auto/", "is not a number of parts"),
        ("auto//4", "is not a number of parts"),
        ("auto4", "shards are written I/N"),
    ] {
        let told = shard(typed).expect_err(typed);
        assert!(told.contains(wrong), "{typed}: {told}");
    }
}

#[test]
fn all_mistakes_come_together() {
    let args = Args {
        targets: vec!["256.1.1.1".to_owned(), "a..b".to_owned()],
        exclude: vec!["10.0.0.0/99".to_owned()],
        ports: text("0,htpp"),
        exclude_ports: vec!["x!".to_owned()],
        mode: text("sny"),
        threads: text("100000"),
        rate: text("fast"),
        max_attempts: text("0"),
        miss_budget: text("2"),
        patience: text("3"),
        max_time: text("0s"),
        seed: text("-1"),
        shard: text("5/4"),
        send_path: text("fram"),
        interface: text("nope"),
        source: text("192.0.2.1"),
        show: text("opne"),
        ..Args::default()
    };
    let told = told(&args).join("\n");
    for part in [
        "256.1.1.1",
        "a..b",
        "10.0.0.0/99",
        "port 0",
        "htpp",
        "x!",
        r#"unknown mode "sny"; did you mean syn?"#,
        r#""100000" is not a number of threads; write 1 to 1024 threads"#,
        r#""fast" is not a rate"#,
        "write 1 to 100 attempts",
        "a usable miss budget; write 0.000001 to 1",
        r#""3" is not a usable patience; write a time such as 500ms"#,
        r#""0s" is not a usable time limit"#,
        r#""-1" is not a seed"#,
        "shards are written I/N with I from 1 to N",
        r#"unknown send path "fram"; did you mean frame?"#,
        r#"no interface "nope" (have: lo, eth0)"#,
        r#""192.0.2.1" is not an address of this machine; it has 127.0.0.1, 10.9.0.1"#,
        r#"unknown state "opne"; did you mean open?"#,
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

#[test]
fn frames_are_for_crafted_syns_only() {
    for (typed, meant) in [
        ("ip", SendPath::Ip),
        ("Frame", SendPath::Frame),
        ("force-frame", SendPath::ForceFrame),
    ] {
        let mut args = Args {
            send_path: text(typed),
            ..one_target()
        };
        for mode in ["syn", "auto"] {
            args.mode = text(mode);
            let options = decide(&args, &machine()).expect("no mistake").options;
            assert_eq!(options.send_path, meant);
        }
        args.mode = text("connect");
        match meant {
            SendPath::Ip => assert!(decide(&args, &machine()).is_ok()),
            SendPath::Frame | SendPath::ForceFrame => {
                assert_eq!(
                    told(&args),
                    ["--send-path frame is for crafted SYNs; with -m connect the kernel sends"]
                );
            }
        }
    }
}

#[test]
fn names_wait_for_the_resolver() {
    let args = Args {
        targets: vec!["db.example".to_owned()],
        ..Args::default()
    };
    assert!(decide(&args, &machine()).is_ok());
    let input = input::read(&args, &machine(), &Folders::none());
    assert_eq!(input.targets.unresolved().len(), 1);
}

#[test]
fn nothing_left_after_the_excludes() {
    let args = Args {
        ports: text("80"),
        exclude_ports: vec!["80".to_owned()],
        ..one_target()
    };
    assert_eq!(told(&args), ["nothing left to scan after the excludes"]);
    let args = Args {
        exclude: vec!["10.9.0.0/24".to_owned()],
        ..one_target()
    };
    assert_eq!(told(&args), ["nothing left to scan after the excludes"]);
    assert!(told(&Args::default())[0].starts_with("no targets given"));
}

#[test]
fn the_internet_needs_permission_and_an_exclude() {
    let whole = Args {
        targets: vec!["0.0.0.0/0".to_owned()],
        ..Args::default()
    };
    let allowed = Args {
        allow_internet: true,
        ..whole.clone()
    };
    for args in [&whole, &allowed] {
        assert!(told(args)[0].contains("--allow-internet"));
    }
    let meant = Args {
        exclude: vec!["10.0.0.0/8,192.168.0.0/16".to_owned()],
        ..allowed
    };
    assert!(decide(&meant, &machine()).is_ok());
}

#[test]
fn show_takes_lists_and_all() {
    let shown = |states: &str| words::show(states).expect("states");
    assert!(shown("all").has(State::Error));
    let two = shown("open,Closed");
    assert!(two.has(State::Open) && two.has(State::Closed) && !two.has(State::Suspect));
    assert!(words::show(" ,").is_err());
}

/// SYN mode once passed over such a source, and connect mode failed with it.
#[test]
fn a_source_of_the_other_ip_version_is_a_mistake() {
    let mismatch = |targets: &[&str], source: Option<&str>| {
        let mut list = TargetList::new(Surroundings::default(), Internet::Refused);
        targets.iter().for_each(|target| list.add(target));
        let set = list.finish().expect("targets").set;
        let source = source.map(|source| source.parse().expect("an address"));
        source_mismatch(&set, source).map(|mistake| mistake.to_string())
    };
    assert_eq!(mismatch(&["10.9.0.2", "::1"], None), None);
    assert_eq!(mismatch(&["10.9.0.2"], Some("10.9.0.1")), None);
    assert_eq!(
        mismatch(&["10.9.0.2", "::1"], Some("10.9.0.1")).as_deref(),
        Some("--source 10.9.0.1 is IPv4 and ::1 is IPv6; scan the two versions apart")
    );
    assert_eq!(
        mismatch(&["10.9.0.2"], Some("::1")).as_deref(),
        Some("--source ::1 is IPv6 and 10.9.0.2 is IPv4; scan the two versions apart")
    );
}
