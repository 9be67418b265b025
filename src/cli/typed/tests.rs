//! Command lines taken apart.

use clap::CommandFactory as _;

use super::*;
use crate::cli::args::Args;

fn told(argv: &[&str]) -> Vec<String> {
    read::<Args>(argv.iter().map(OsString::from))
        .1
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn args(argv: &[&str]) -> Args {
    let (args, mistakes) = read(argv.iter().map(OsString::from));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    args
}

#[test]
fn every_way_to_write_a_value() {
    for argv in [
        &["-p", "80", "h"][..],
        &["-p80", "h"],
        &["-p=80", "h"],
        &["--ports", "80", "h"],
        &["--ports=80", "h"],
        &["h", "-p", "80"],
        &["-p80", "--", "h"],
    ] {
        let args = args(argv);
        assert_eq!(args.ports.as_deref(), Some("80"), "{argv:?}");
        assert_eq!(args.targets, ["h"], "{argv:?}");
    }
    assert_eq!(args(&["-p-", "h"]).ports.as_deref(), Some("-"));
    assert_eq!(args(&["-p", "-", "h"]).ports.as_deref(), Some("-"));
    assert_eq!(args(&["-p", "-80", "h"]).ports.as_deref(), Some("-80"));
    assert_eq!(args(&["-p", "80-", "h"]).ports.as_deref(), Some("80-"));
    assert_eq!(args(&["--rate", "-5", "h"]).rate.as_deref(), Some("-5"));
    assert_eq!(args(&["-p", "", "h"]).ports.as_deref(), Some(""));
    assert_eq!(args(&["--", "-x"]).targets, ["-x"]);
    assert_eq!(args(&["", "h"]).targets, ["", "h"]);
    let both = args(&["-qvp80", "--exclude", "a", "--exclude=b"]);
    assert!(both.quiet && both.verbose);
    assert_eq!(both.exclude, ["a", "b"]);
}

#[test]
fn all_mistakes_are_told_together() {
    assert_eq!(
        told(&[
            "--prots", "-p", "80", "-p", "81", "-sS", "--zebra", "-x", "--json=1", "--rate"
        ]),
        [
            r#"unknown flag "--prots"; did you mean --ports?"#,
            "--ports given twice; write one list, such as -p 22,80",
            "nmap's -sS is `-m syn` here",
            r#"unknown flag "--zebra"; halfopen --help lists the flags"#,
            r#"unknown flag "-x"; halfopen --help lists the flags"#,
            "--json takes no value",
            "--rate needs a value: --rate RATE",
        ]
    );
}

#[test]
fn a_habit_takes_its_value_along() {
    let (args, mistakes) =
        read::<Args>(["-oX", "out.xml", "--top-ports", "100", "-T4", "h"].map(OsString::from));
    assert_eq!(mistakes.len(), 3);
    assert_eq!(args.targets, ["h"]);
    let (args, _) = read::<Args>(["--min-rate", "-q", "h"].map(OsString::from));
    assert!(args.quiet);
}

#[test]
fn the_value_of_an_unknown_flag_was_taken_for_a_target() {
    for argv in [
        &["--port", "22", "h"][..],
        &["--ulimit", "5000", "h"],
        &["--range", "1-100", "h"],
        &["-b", "4500", "h"],
        &["-r", "1-100", "h"],
        &["--ttl", "64", "h"],
        &["--source-port", "80", "h"],
        &["-z", "5", "h"],
        &["--zebra", "5", "h"],
        &["--zebra", "h"],
        &["--jsno", "h"],
        &["-r", "h"],
        &["-a", "h"],
        &["--addresses=h"],
    ] {
        let (args, mistakes) = read::<Args>(argv.iter().map(OsString::from));
        assert_eq!(args.targets, ["h"], "{argv:?}");
        assert_eq!(mistakes.len(), 1, "{argv:?}");
    }
}

#[test]
fn flags_without_a_part_behind_them_are_unknown() {
    let told = told(&["--net-rate", "h"]);
    assert!(told[0].starts_with("unknown flag"), "{told:?}");
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_named_by_their_place() {
    use std::os::unix::ffi::OsStringExt as _;
    let argv = [OsString::from("h"), OsString::from_vec(vec![b'a', 0xff])];
    let told: Vec<String> = read::<Args>(argv)
        .1
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, ["argument 2 is not UTF-8"]);
}

#[test]
fn the_definition_is_sound_and_every_option_has_help() {
    let command = Args::command();
    command.clone().debug_assert();
    for option in command.get_arguments() {
        assert!(option.get_help().is_some(), "{}", option.get_id());
    }
}
