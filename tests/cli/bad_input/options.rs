//! Options. Rows of options that this file does not know yet belong here too.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::{check, refused};
use crate::cli::scene::{self, Scene};

/// One mistake in one option, beside a target that is right.
pub(super) fn check_options(test: &str, rows: &[(&[&str], &str)]) {
    let typed: Vec<(Vec<&str>, [&str; 1])> = rows
        .iter()
        .map(|(options, expected)| ([options, &["127.0.0.1"][..]].concat(), [*expected]))
        .collect();
    let rows: Vec<super::Row<'_>> = typed
        .iter()
        .map(|(typed, expected)| (&typed[..], &expected[..]))
        .collect();
    check(test, &rows);
}

#[test]
fn mistaken_values() {
    check_options(
        "mistaken_values",
        &[
            (
                &["--rate", "0"],
                r#""0" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--rate", "-5"],
                r#""-5" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--rate=-5"],
                r#""-5" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--rate", "1e99"],
                r#""1e99" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--rate", "fast"],
                r#""fast" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--rate", "NaN"],
                r#""NaN" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "0"],
                r#""0" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "-5"],
                r#""-5" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "1e99"],
                r#""1e99" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "fast"],
                r#""fast" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "NaN"],
                r#""NaN" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "10000001"],
                r#""10000001" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--host-rate", "1 k"],
                r#""1 k" is not a rate; the rate is 1 to 10,000,000 packets per second; k and M are understood"#,
            ),
            (
                &["--threads", "0"],
                r#""0" is not a number of threads; write 1 to 1024 threads"#,
            ),
            (
                &["-t100000"],
                r#""100000" is not a number of threads; write 1 to 1024 threads"#,
            ),
            (
                &["--max-attempts", "0"],
                r#""0" is not a number of attempts; write 1 to 100 attempts"#,
            ),
            (
                &["--miss-budget", "2"],
                r#""2" is not a usable miss budget; write 0.000001 to 1"#,
            ),
            (
                &["--patience", "3"],
                r#""3" is not a usable patience; write a time such as 500ms, …"#,
            ),
            (
                &["--max-time", "0s"],
                r#""0s" is not a usable time limit; write a time such as 500ms, …"#,
            ),
            (&["--seed", "-1"], r#""-1" is not a seed; …"#),
            (&["-m", "sny"], r#"unknown mode "sny"; did you mean syn?"#),
            (
                &["--confirm", "nevr"],
                r#"unknown confirmation "nevr"; did you mean never?"#,
            ),
            (
                &["-m", "connect", "--confirm", "never"],
                "--confirm never completes no connection; -m connect completes one with every open port",
            ),
            (
                &["--send-path", "fram"],
                r#"unknown send path "fram"; did you mean frame?"#,
            ),
            (
                &["--show", "opne"],
                r#"unknown state "opne"; did you mean open?"#,
            ),
            (
                &["--show", ","],
                "the list of states is empty; write --show open,closed,filtered,suspect,error or all",
            ),
            (&["-e", "nope0"], r#"no interface "nope0" (have: …)"#),
            (
                &["--source", "192.0.2.1"],
                r#""192.0.2.1" is not an address of this machine; it has …"#,
            ),
            (
                &["--shard", "0/4"],
                r#"no such shard: "0/4"; shards are written I/N with I from 1 to N, or auto"#,
            ),
            (
                &["--shard", "5/4"],
                r#"no such shard: "5/4"; shards are written I/N with I from 1 to N, or auto"#,
            ),
            (
                &["--shard", "a"],
                r#"no such shard: "a"; shards are written I/N with I from 1 to N, or auto"#,
            ),
            (
                &["--shard", "auto"],
                "--shard auto found no task number; looked for SLURM_ARRAY_TASK_ID and SLURM_PROCID (Slurm), …; write --shard I/N",
            ),
            (
                &["--shard", "auto/0"],
                r#""0" is not a number of parts; write 1 to 18446744073709551615 parts"#,
            ),
        ],
    );
}

#[test]
fn habits_from_nmap() {
    check_options(
        "habits_from_nmap",
        &[
            (&["-sS"], "nmap's -sS is `-m syn` here"),
            (&["-sT"], "nmap's -sT is `-m connect` here"),
            (
                &["-Pn"],
                "nmap's -Pn is the default here: only `--ping` leaves out hosts that do not answer",
            ),
            (
                &["-n"],
                "nmap's -n is not needed here: addresses are never looked up",
            ),
            (
                &["-T4"],
                "nmap's -T4 is not needed here: the pace follows what the path lets through (`--rate` is a ceiling)",
            ),
            (
                &["-oX", "scan.xml"],
                "nmap's -oX is `-o FILE.xml` here (`-o xml:-` for standard output)",
            ),
            (
                &["-oG", "-"],
                "nmap's -oG is `-o FILE.gnmap` here (`-o gnmap:-` for standard output)",
            ),
            (
                &["--open"],
                "nmap's --open is the default here (`--show open` leaves out even suspects)",
            ),
            (
                &["--top-ports", "100"],
                "nmap's --top-ports is `-p top:N` here",
            ),
            (&["-F"], "nmap's -F is `-p top:100` here"),
            (&["-iL", "hosts.txt"], "nmap's -iL is `-i FILE` here"),
            (
                &["--min-rate", "5"],
                "nmap's --min-rate does not exist here: Halfopen is as fast as the path allows (`--rate` is a ceiling)",
            ),
            (&["--max-rate=5"], "nmap's --max-rate is `--rate` here"),
        ],
    );
}

#[test]
fn mistaken_flags() {
    check_options(
        "mistaken_flags",
        &[
            (
                &["--prots"],
                r#"unknown flag "--prots"; did you mean --ports?"#,
            ),
            (
                &["--zebra"],
                r#"unknown flag "--zebra"; halfopen --help lists the flags"#,
            ),
            (
                &["--excludefile=x"],
                r#"unknown flag "--excludefile"; did you mean --exclude-file?"#,
            ),
            (
                &["-p", "80", "-p", "81"],
                "--ports given twice; write one list, such as -p 22,80",
            ),
            (
                &["--rate", "5", "--rate", "6"],
                "--rate given twice; give it once",
            ),
            (&["--json=1"], "--json takes no value"),
            (&["--rate", "--json"], "--rate needs a value: --rate RATE"),
        ],
    );
}

#[test]
fn an_argument_that_is_no_text_is_named_by_its_place() {
    let mut command = crate::cli::halfopen();
    command
        .arg("127.0.0.1")
        .arg(OsStr::from_bytes(b"--rate=\xff"));
    let output = crate::cli::finished(&mut command);
    crate::cli::assert_exit(&output, 2);
    assert_eq!(
        crate::cli::stderr(&output),
        "error: argument 2 is not UTF-8\n"
    );
}

#[test]
fn all_mistakes_of_a_command_line_are_reported_together() {
    check(
        "all_mistakes_of_a_command_line_are_reported_together",
        &[(
            &[
                "--prots",
                "-sS",
                "256.1.1.1",
                "a..b",
                "-p",
                "0,70000",
                "--rate",
                "0",
                "-m",
                "sny",
                "--shard",
                "5/4",
                "-i",
                "/nonexistent",
                "--exclude",
                "1.2.3",
            ],
            &[
                r#"unknown flag "--prots"; did you mean --ports?"#,
                "nmap's -sS is `-m syn` here",
                r#"refusing to scan, because "1.2.3" might be scanned by mistake: "1.2.3" is not an IPv4 address …"#,
                r#""256.1.1.1" is not an IPv4 address (four numbers 0-255, such as 10.0.0.5)"#,
                r#""a..b" is not a valid host name (a label is empty)"#,
                r#"cannot read targets from "/nonexistent": No such file or directory"#,
                "port 0 cannot be scanned; ports are 1-65535",
                r#""70000" is out of range (1-65535)"#,
                r#"unknown mode "sny"; did you mean syn?"#,
                r#"no such shard: "5/4"; shards are written I/N with I from 1 to N, or auto"#,
                r#""0" is not a rate; …"#,
            ],
        )],
    );
}

#[test]
fn syn_mode_without_privilege_names_the_way_out() {
    if !scene::possible("syn_mode_without_privilege_names_the_way_out") {
        return;
    }
    let scene = Scene::new();
    let ended = scene.run_without(
        "net_raw,-net_admin",
        &["-m", "syn", "127.0.0.1", "-p", "80"],
    );
    refused(
        &ended,
        &["-m", "syn", "127.0.0.1", "-p", "80"],
        4,
        &[
            "…CAP_NET_RAW…; start it with NET_RAW (docker: --cap-add NET_RAW), or use -m connect, which needs no privilege",
        ],
    );
}
