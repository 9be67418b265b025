//! Keys that steer a running scan, on a pseudo-terminal of script(1), and the state that the terminal is left in.

use std::io::Write as _;
use std::process::Output;
use std::time::Duration;

use halfopen::transport::clock::Clock;

use super::{assert_exit, finished, halfopen, list, listeners, program, script, stderr, stdout};

/// Runs a shell line on a terminal of its own, and types each of these after so many milliseconds.
fn typed_slowly(line: &str, typed: &[(u64, &str)]) -> Output {
    let mut child = script(line);
    let mut keyboard = child.stdin.take().expect("a pipe");
    for (after, keys) in typed {
        std::thread::sleep(Duration::from_millis(*after));
        // The program may have ended already; what it printed tells.
        let _ = keyboard
            .write_all(keys.as_bytes())
            .and_then(|()| keyboard.flush());
    }
    let output = child.wait_with_output().expect("it ends");
    drop(keyboard);
    output
}

/// A scan of closed ports that takes 20 seconds.
fn slow(more: &str) -> String {
    format!(
        "{} 127.0.0.1 -m connect -p 1-6000 --rate 300 --max-time 30s {more}",
        program()
    )
}

/// What `stty` says of a terminal as users have it.
fn assert_cooked(screen: &str) {
    let last = screen.rsplit("stty tells").next().unwrap_or_default();
    for flag in ["icanon", "echo"] {
        let off = format!("-{flag} ");
        assert!(
            last.contains(&format!(" {flag} ")) && !last.contains(&off),
            "{screen}"
        );
    }
}

const STTY: &str = "echo stty tells; stty -a";

#[test]
fn every_key_is_answered_and_the_terminal_is_put_back() {
    let line = format!("{}; echo exit status $?; {STTY}", slow(""));
    let output = typed_slowly(
        &line,
        &[
            (1_000, "?"),
            (200, "s"),
            (200, "f"),
            (200, "-"),
            (200, "+"),
            (200, "p"),
            (300, "p"),
            (300, "x"),
            (0, "q"),
        ],
    );
    let screen = stdout(&output);
    for told in [
        "keys: p pause and go on, + faster, - slower",
        "status: ",
        "of 6,000 endpoints asked",
        "at most 300/s",
        "nothing open so far",
        "rate: at most 150 packets per second",
        "rate: at most 300 packets per second",
        "paused: answers are still heard",
        "going on",
        "finishing: what is in flight",
        "NOT complete: interrupted",
        "exit status 3",
        "? for keys",
    ] {
        assert!(screen.contains(told), "{told:?} in:\n{screen}");
    }
    // Nothing that was typed is echoed: the letter without a meaning would be the only x before a carriage return.
    assert!(!screen.contains("x\r"), "{screen}");
    assert_cooked(&screen);
}

#[test]
fn nothing_is_sent_while_it_is_paused_and_all_is_found_after() {
    let (_open, ports) = listeners("127.0.0.1", 5);
    let line = format!(
        "{} 127.0.0.1 -m connect -p 1-300,{} --rate 300 --max-time 30s; echo exit status $?",
        program(),
        list(&ports)
    );
    let keys = [(700, "p"), (500, "s"), (1_500, "s"), (200, "p")];
    let output = typed_slowly(&line, &keys);
    let screen = stdout(&output);
    let packets: Vec<&str> = screen
        .split(" packets")
        .filter_map(|before| before.rsplit(' ').next())
        .take(2)
        .collect();
    assert_eq!(packets.len(), 2, "{screen}");
    assert_eq!(packets[0], packets[1], "{screen}");
    let open: Vec<String> = ports.iter().map(u64::to_string).collect();
    assert!(
        screen.contains(&format!("Open ports are: [{}]", open.join(", "))),
        "{screen}"
    );
    assert!(screen.contains("exit status 0"), "{screen}");
}

#[test]
fn what_was_found_so_far_is_shown_by_host() {
    let (_open, ports) = listeners("127.0.0.1", 9);
    let line = format!(
        "{} 127.0.0.1 -m connect -p 1-3000,{} --rate 500 --max-time 20s",
        program(),
        list(&ports)
    );
    let output = typed_slowly(&line, &[(3_000, "p"), (500, "f"), (300, "q")]);
    let screen = stdout(&output);
    // Whatever was open by then is in the list, once as it was found and once in the answer; this machine may have servers
    // of its own among the ports.
    let mut found: Vec<u64> = screen
        .split("open 127.0.0.1:")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next()?.parse().ok())
        .collect();
    found.sort_unstable();
    let told: Vec<String> = found.iter().map(u64::to_string).collect();
    let answer = if told.is_empty() {
        "nothing open so far".to_owned()
    } else {
        format!("127.0.0.1: {}", told.join(", "))
    };
    assert!(screen.contains(&answer), "{answer:?} in:\n{screen}");
}

#[test]
fn a_scan_that_is_terminated_puts_the_terminal_back() {
    let line = format!("timeout --foreground 1 {}; {STTY}", slow(""));
    let output = typed_slowly(&line, &[(2_500, "")]);
    let screen = stdout(&output);
    assert!(screen.contains("NOT complete: interrupted"), "{screen}");
    assert_cooked(&screen);
}

#[test]
fn a_suspended_scan_gives_the_terminal_back_and_goes_on_in_the_foreground() {
    let shell = "bash --norc --noprofile -i";
    let start = format!("{}\n", slow(""));
    let output = typed_slowly(
        shell,
        &[
            (300, &start),
            (1_500, "\u{1a}"),
            (500, "echo stty tells; stty -a\n"),
            (500, "fg\n"),
            (1_000, "s"),
            (500, "q"),
            (2_500, "echo stty tells; stty -a; exit\n"),
        ],
    );
    let screen = stdout(&output);
    assert!(screen.contains("Stopped"), "{screen}");
    let suspended = screen.split("Stopped").nth(1).unwrap_or_default();
    let suspended = suspended.split("fg\r").next().unwrap_or_default();
    assert_cooked(suspended);
    let after = screen.rsplit("fg\r").next().unwrap_or_default();
    assert!(after.contains("status: "), "{screen}");
    assert!(after.contains("pass 1, "), "it is drawn again: {screen}");
    assert!(after.contains("NOT complete: interrupted"), "{screen}");
    assert_cooked(&screen);
}

#[test]
fn a_scan_in_the_background_leaves_the_terminal_alone_and_is_not_stopped() {
    let shell = "bash --norc --noprofile -i";
    let start = format!(
        "{} 127.0.0.1 -m connect -p 1-200 --rate 200 & wait $!; echo exit status $?; echo stty tells; stty -a\n",
        program()
    );
    let output = typed_slowly(shell, &[(300, &start), (3_500, "exit\n")]);
    let screen = stdout(&output);
    assert!(screen.contains("exit status 0"), "{screen}");
    assert!(!screen.contains("Stopped"), "{screen}");
    assert_cooked(&screen);
}

#[test]
fn the_status_is_said_regularly_without_a_terminal_too() {
    let mut command = halfopen();
    command.args(["127.0.0.1", "-m", "connect", "-p", "1-300", "--rate", "200"]);
    let clock = Clock::start();
    let begun = clock.now();
    let output = finished(command.args(["--stats-every", "200ms"]));
    let most = clock.now().since(begun).as_millis() / 200;
    assert_exit(&output, 0);
    let said = stderr(&output);
    let lines = said.lines().filter(|line| line.starts_with("status: "));
    // The scan takes a second and a half, on a busy machine longer, and there a line may be late.
    let count = lines.count();
    assert!(count >= 3 && count as u128 <= most, "{count}: {said}");
    let output = finished(halfopen().args(["127.0.0.1", "--stats-every", "5"]));
    assert_exit(&output, 2);
    assert!(
        stderr(&output).contains("usable interval"),
        "{}",
        stderr(&output)
    );
}

/// There a program cannot see whose the terminal is, so it leaves the keyboard alone.
#[test]
fn keys_were_promised_in_a_process_namespace_where_none_is_read() {
    if !super::scene::possible("keys_were_promised_in_a_process_namespace_where_none_is_read") {
        return;
    }
    let line = format!(
        "unshare -Unrpf sh -c 'ip link set lo up; {} 127.0.0.1 -m connect -p 1-600 --rate 300'",
        program()
    );
    let output = typed_slowly(&line, &[(1_000, "q")]);
    let screen = stdout(&output);
    assert!(screen.contains("600 closed"), "{screen}");
    assert!(!screen.contains("? for keys"), "{screen}");
}
