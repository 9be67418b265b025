//! The processes of the lab: the same program, started again with a role as its first argument.
//!
//! Every role dies with the process that started it.

use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use super::scenario::Scenario;
use super::{Result, measure, serve, tun};

/// The first argument of a lab process.
pub const ROLE: &str = "lab-role";

/// No scenario lives longer.
const LIFE: Duration = Duration::from_secs(1_800);

/// Plays the role that the arguments (without the program's name) ask for; `None` where they ask for none.
pub fn play(args: &[String]) -> Option<Result<()>> {
    match args {
        [first, rest @ ..] if first == ROLE => Some(start(rest)),
        _ => None,
    }
}

fn start(args: &[String]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("prctl: {error}"))?;
    // A second bound, should the starter hang: no role outlives this.
    std::thread::spawn(|| {
        std::thread::sleep(LIFE);
        std::process::exit(1);
    });
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["hold"] => {
            println!("ready");
            loop {
                std::thread::sleep(LIFE);
            }
        }
        ["serve", name, index] => {
            let scenario = Scenario::load(name)?;
            let index: usize = index
                .parse()
                .map_err(|_| format!("`{index}` is no host's number"))?;
            let host = scenario
                .host
                .get(index)
                .ok_or_else(|| format!("{name} has no host {index}"))?;
            serve::serve(&scenario.open_ports(host), host.server)
        }
        ["measure", file, ref program @ ..] => measure::measure(file, program),
        ["nudge", address] => nudge(address),
        ["tun", name] => tun::run(&Scenario::load(name)?),
        _ => Err(format!("the lab has no role {words:?}")),
    }
}

/// Sends a datagram to `address` 20 times a second: a capture that waits for a next packet before it ends gets one.
#[allow(
    clippy::disallowed_methods,
    reason = "the lab is the network: its machines open sockets"
)]
fn nudge(address: &str) -> Result<()> {
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").map_err(failed)?;
    println!("ready");
    loop {
        // Refused by ICMP or not: it has made the way.
        let _ = socket.send_to(b"", (address, 9));
        std::thread::sleep(Duration::from_millis(50));
    }
}
