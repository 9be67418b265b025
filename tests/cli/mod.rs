//! The real program on this machine's loopback addresses, as a user runs it.

mod bad_input;
mod before;
mod completions;
mod configuration;
mod cut_short;
mod db;
mod diff;
mod doctor;
mod identified;
mod keys;
mod merge;
mod mistakes;
mod odd_places;
mod outputs;
mod resume;
mod scans;
mod scene;
mod signals;
mod terminal;
mod web;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Output, Stdio};

use rustix::net::{AddressFamily, SocketType};
use serde_json::Value;

/// The program, with nothing on its standard input, whatever is set on this machine.
fn halfopen() -> Command {
    let mut command = Command::new(program());
    command.stdin(Stdio::null());
    unset(&mut command);
    command
}

/// Keeps the settings of this machine, its user and its environment from a program.
fn unset(command: &mut Command) {
    forget_variables(command);
    command
        .env("HALFOPEN_NO_CONFIG", "true")
        // What whoever runs the tests always leaves out must not decide them either.
        .env("XDG_CONFIG_HOME", "/nonexistent");
}

/// Keeps the settings in this environment from a program.
fn forget_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"HALFOPEN_") {
            command.env_remove(name);
        }
    }
}

/// Starts a shell line on a terminal of its own, for a minute at the most, whatever is set on this machine. What is written
/// to it is typed.
fn script(line: &str) -> Child {
    let mut command = Command::new("timeout");
    unset(&mut command);
    command
        .args(["60", "script", "-q", "-e", "-c", line, "/dev/null"])
        .env("TERM", "xterm")
        .env("PS1", "$ ")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("script(1) of util-linux is installed")
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_halfopen")
}

/// The program without the right to raw sockets, whoever runs the tests.
fn halfopen_without_privilege() -> Command {
    if !rustix::process::geteuid().is_root() {
        return halfopen();
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set=-net_raw,-net_admin", "--inh-caps=-all"])
        .arg(program())
        .stdin(Stdio::null());
    unset(&mut command);
    command
}

fn run(arguments: &[&str]) -> Output {
    finished(halfopen().args(arguments))
}

fn finished(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("results are UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

/// Asserts the exit status, and shows everything when it is another.
fn assert_exit(output: &Output, expected: i32) {
    assert_eq!(
        output.status.code(),
        Some(expected),
        "stdout:\n{}\nstderr:\n{}",
        stdout(output),
        stderr(output)
    );
}

fn json(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The port lines of a JSON report that have this state.
fn ports_of(values: &[Value], state: &str) -> Vec<u64> {
    let mut ports: Vec<u64> = values
        .iter()
        .filter(|value| value["type"] == "port" && value["state"] == state)
        .filter_map(|value| value["port"].as_u64())
        .collect();
    ports.sort_unstable();
    ports
}

/// Listening sockets on an address of the loopback, and their ports in ascending order.
#[expect(clippy::disallowed_methods, reason = "the tests' own servers")]
fn listeners(address: &str, count: usize) -> (Vec<TcpListener>, Vec<u64>) {
    let ip = address.parse().expect("an address");
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind(SocketAddr::new(ip, 0)).expect("a free port"))
        .collect();
    let mut ports: Vec<u64> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("bound").port().into())
        .collect();
    ports.sort_unstable();
    (listeners, ports)
}

/// A port of 127.0.0.1 on which nobody listens, and nobody can as long as the socket that holds it lives.
#[expect(clippy::disallowed_methods, reason = "the tests' own socket")]
fn closed_port() -> (OwnedFd, u64) {
    let socket =
        rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    rustix::net::bind(&socket, &any).expect("a free port");
    let bound = rustix::net::getsockname(&socket).expect("bound");
    let port = SocketAddr::try_from(bound).expect("an address").port();
    (socket, port.into())
}

/// `22,80`
fn list(ports: &[u64]) -> String {
    let ports: Vec<String> = ports.iter().map(u64::to_string).collect();
    ports.join(",")
}
