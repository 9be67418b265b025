//! `halfopen doctor`: what it says, in every privilege that the tests can have.

use super::{assert_exit, finished, halfopen_without_privilege, json, run, stderr, stdout};

#[test]
fn without_privilege_connect_mode_works_and_the_way_to_syn_mode_is_told() {
    let output = finished(halfopen_without_privilege().arg("doctor"));
    assert_exit(&output, 0);
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    for expected in [
        "Mode         connect: ",
        "sudo setcap cap_net_raw+ep /",
        "Descriptors  soft limit ",
        "127.0.0.1/8",
        "syn      127.0.0.1  not to be had: it needs CAP_NET_RAW\n",
        "connect  127.0.0.1  works",
        "Ready        connect mode works\n",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
}

#[test]
fn a_mode_that_must_work_and_does_not_is_exit_status_4() {
    let output = finished(halfopen_without_privilege().args(["doctor", "-m", "syn", "--json"]));
    assert_exit(&output, 4);
    let found = &json(&output)[0];
    assert_eq!(found["type"], "doctor");
    assert_eq!(found["mode"], serde_json::Value::Null);
    assert_eq!(found["ready"], false);
    assert_eq!(found["privilege"]["raw"], false);
    assert_eq!(found["send_paths"]["ip"]["possible"], false);
    let tests = found["self_tests"].as_array().expect("a list");
    assert_eq!(tests.len(), 4);
    assert_eq!(tests[0]["outcome"], "refused");
    assert_eq!(tests[2]["outcome"], "works");
}

/// With privilege (root in CI) both modes are tried for real.
#[test]
fn with_privilege_an_answer_is_heard_in_both_modes() {
    let output = run(&["doctor", "--json"]);
    assert_exit(&output, 0);
    let found = &json(&output)[0];
    assert_eq!(found["ready"], true);
    let raw = found["privilege"]["raw"] == true;
    for test in found["self_tests"].as_array().expect("a list") {
        let expected = match (test["mode"].as_str(), raw) {
            (Some("syn"), false) => "refused",
            // Machines without IPv6 exist.
            _ if test["outcome"] == "no-address" && test["address"] == "::1" => "no-address",
            _ => "works",
        };
        assert_eq!(test["outcome"], expected, "{test}");
    }
    assert_eq!(found["mode"], if raw { "syn" } else { "connect" });
}

#[test]
fn mistakes_of_its_command_line_are_told_together() {
    let output = run(&["doctor", "--jsno", "-m", "sny"]);
    assert_exit(&output, 2);
    assert_eq!(
        stderr(&output),
        "error: unknown flag \"--jsno\"; did you mean --json?\n\
         error: unknown mode \"sny\"; did you mean syn?\n"
    );
    assert_exit(&run(&["doctor", "127.0.0.1"]), 2);
    let help = stdout(&run(&["doctor", "--help"]));
    assert!(help.contains("--json") && help.ends_with('\n'), "{help}");
}

/// Behind `--` the word is a host again: it does not resolve, or it does, but it is never the command.
#[test]
fn a_host_of_that_name_goes_behind_two_hyphens() {
    let output = run(&["-m", "connect", "-p", "0", "--", "doctor"]);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("port 0 cannot be scanned"));
}
