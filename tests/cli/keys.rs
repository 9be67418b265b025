//! Keys that steer a running scan, on a pseudo-terminal of script(1), and the state that the terminal is left in.

use std::io::{Read as _, Write as _};
use std::process::Output;
use std::sync::Mutex;
use std::time::Duration;

use halfopen::transport::clock::Clock;

use super::{assert_exit, finished, halfopen, list, listeners, program, script, stderr, stdout};

/// What is typed next: keys, so many milliseconds after the screen has shown something since the last ones.
type Typed<'a> = (&'a str, u64, &'a str);

/// Runs a shell line on a terminal of its own, and types as it is answered.
fn dialogue(line: &str, typed: &[Typed<'_>]) -> Output {
    let mut child = script(line);
    let mut keyboard = child.stdin.take().expect("a pipe");
    let mut screen = child.stdout.take().expect("a pipe");
    let shown = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                let mut shown = shown.lock().expect("no panic");
                shown.extend_from_slice(&piece[..length]);
            }
        });
        let mut seen = 0;
        for (awaited, after, keys) in typed {
            for _ in 0..PATIENCE_MS / 10 {
                let shown = shown.lock().expect("no panic");
                if String::from_utf8_lossy(&shown[seen..]).contains(awaited) {
                    break;
                }
                drop(shown);
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_millis(*after));
            seen = shown.lock().expect("no panic").len();
            // The program may have ended already; what it printed tells.
            let _ = keyboard
                .write_all(keys.as_bytes())
                .and_then(|()| keyboard.flush());
        }
    });
    let mut output = child.wait_with_output().expect("it ends");
    drop(keyboard);
    output.stdout = shown.into_inner().expect("no panic");
    output
}

/// A busy machine may need as long for an answer. What never comes is missing on the screen.
const PATIENCE_MS: u64 = 10_000;

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
    let output = dialogue(
        &line,
        &[
            ("? for keys", 0, "?"),
            ("keys: p ", 0, "s"),
            ("status: ", 0, "f"),
            ("nothing open", 0, "-"),
            ("at most 150", 0, "+"),
            ("at most 300", 0, "p"),
            ("paused: ", 300, "p"),
            ("going on", 300, "x"),
            ("", 0, "q"),
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
        "{} 127.0.0.1 -m connect -p 1-1200,{} --rate 300 --max-time 30s; echo exit status $?",
        program(),
        list(&ports)
    );
    let keys = [
        ("? for keys", 500, "p"),
        ("paused: ", 500, "s"),
        ("status: ", 1_500, "s"),
        ("status: ", 0, "p"),
    ];
    let output = dialogue(&line, &keys);
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
    let keys = [
        ("? for keys", 2_500, "p"),
        ("paused: ", 500, "f"),
        ("", 300, "q"),
    ];
    let output = dialogue(&line, &keys);
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
    let output = dialogue(&line, &[]);
    let screen = stdout(&output);
    assert!(screen.contains("NOT complete: interrupted"), "{screen}");
    assert_cooked(&screen);
}

#[test]
fn a_suspended_scan_gives_the_terminal_back_and_goes_on_in_the_foreground() {
    let shell = "bash --norc --noprofile -i";
    let start = format!("{}\n", slow(""));
    let output = dialogue(
        shell,
        &[
            ("$ ", 0, &start),
            ("? for keys", 500, "\u{1a}"),
            ("Stopped", 0, "echo stty tells; stty -a\n"),
            ("icanon", 100, "fg\n"),
            ("pass 1, ", 0, "s"),
            ("status: ", 0, "q"),
            (
                "NOT complete: interrupted",
                0,
                "echo stty tells; stty -a; exit\n",
            ),
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
    let output = dialogue(shell, &[("$ ", 0, &start), ("icanon", 100, "exit\n")]);
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
    let output = dialogue(&line, &[("", 1_000, "q")]);
    let screen = stdout(&output);
    assert!(screen.contains("600 closed"), "{screen}");
    assert!(!screen.contains("? for keys"), "{screen}");
}
