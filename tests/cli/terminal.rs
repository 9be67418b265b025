//! What happens on a terminal: questions, live lines, progress. The terminal is a pseudo-terminal of script(1).

use std::io::Write as _;
use std::process::Output;

use super::{assert_exit, listeners, program, script, stdout};

/// Runs the program on a terminal of its own and types this into it. Both outputs arrive on standard output.
fn on_terminal(arguments: &str, typed: &str) -> Output {
    let mut child = script(&format!("{} {arguments}", program()));
    let mut keyboard = child.stdin.take().expect("a pipe");
    keyboard.write_all(typed.as_bytes()).expect("it reads");
    drop(keyboard);
    child.wait_with_output().expect("it ends")
}

#[test]
fn without_arguments_it_asks_and_then_scans() {
    let (_open, ports) = listeners("127.0.0.1", 1);
    let typed = format!("256.1.1.1\n127.0.0.1\n7\n4\n0\n{}\n", ports[0]);
    let output = on_terminal("-m connect", &typed);
    assert_exit(&output, 0);
    let screen = stdout(&output);
    assert!(screen.contains("is not an IPv4 address"), "{screen}");
    assert!(screen.contains("write 1, 2, 3 or 4"), "{screen}");
    assert!(screen.contains("port 0 cannot be scanned"), "{screen}");
    assert!(
        screen.contains(&format!("open 127.0.0.1:{}", ports[0])),
        "{screen}"
    );
    assert!(
        screen.contains(&format!("Open ports are: [{}]", ports[0])),
        "{screen}"
    );
}

#[test]
fn each_set_can_be_chosen_by_its_number() {
    for (choice, count) in [
        ("1", "1,023 ports"),
        ("2", "49,151 ports"),
        ("3", "9 ports"),
    ] {
        let output = on_terminal("-m connect", &format!("127.0.0.1\n{choice}\n"));
        assert_exit(&output, 0);
        assert!(stdout(&output).contains(count), "{}", stdout(&output));
    }
}

#[test]
fn ports_that_were_typed_are_not_asked_for() {
    let output = on_terminal("-m connect -p common", "127.0.0.1\n");
    assert_exit(&output, 0);
    assert!(
        !stdout(&output).contains("Your choice"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn the_end_of_input_ends_the_questions() {
    for typed in ["", "127.0.0.1\n", "127.0.0.1\n4\n"] {
        let output = on_terminal("", typed);
        assert_exit(&output, 2);
        assert!(
            stdout(&output).contains("error: no "),
            "{}",
            stdout(&output)
        );
    }
}

#[test]
fn progress_is_drawn_on_a_terminal_and_gone_at_the_end() {
    let output = on_terminal("127.0.0.1 -p 1-400 -m connect --rate 400", "");
    assert_exit(&output, 0);
    let screen = stdout(&output);
    assert!(screen.contains("pass 1, "), "{screen}");
    let quiet = on_terminal("-q 127.0.0.1 -p 1-400 -m connect --rate 400", "");
    assert!(!stdout(&quiet).contains("pass 1, "), "{}", stdout(&quiet));
}
