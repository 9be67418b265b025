//! What a wrong command line gets where no namespace is to be had; the whole table is in `bad_input`.

use super::{assert_exit, run, stderr, stdout};

/// The lines on standard error. Asserts that nothing was sent or printed, and that every line can be shown.
fn told(arguments: &[&str]) -> Vec<String> {
    let output = run(arguments);
    assert_exit(&output, 2);
    assert_eq!(stdout(&output), "");
    let lines: Vec<String> = stderr(&output).lines().map(str::to_owned).collect();
    for line in &lines {
        assert!(line.starts_with("error: "), "{line}");
        assert!(
            line.len() < 400 && !line.contains(char::is_control),
            "{line:?}"
        );
    }
    lines
}

#[test]
fn nothing_is_sent_for_half_a_right_command_line() {
    let (listeners, ports) = super::listeners("127.0.0.1", 1);
    listeners[0].set_nonblocking(true).expect("a socket option");
    let port = ports[0].to_string();
    told(&["127.0.0.1", "-p", &port, "--rate", "0", "-m", "connect"]);
    let accepted = listeners[0].accept().map(|_| ());
    assert_eq!(
        accepted.expect_err("nobody connected").kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn a_name_that_does_not_resolve_is_the_environments_mistake() {
    // RFC 6761 keeps .invalid free for ever; without any resolver the reason differs, the status does not.
    let output = run(&["nosuch.invalid", "-p", "1"]);
    assert_exit(&output, 4);
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with("error: cannot resolve \"nosuch.invalid\": "));
    // With a mistake of the user's beside it, that one counts.
    assert_exit(&run(&["nosuch.invalid", "-p", "0"]), 2);
}
