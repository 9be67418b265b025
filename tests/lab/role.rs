//! The processes of the lab: the same program, started again with a role as its first argument.
//!
//! Every role dies with the process that started it.

use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use super::scenario::Scenario;
use super::{Result, serve, tun};

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
        ["tun", name] => tun::run(&Scenario::load(name)?),
        _ => Err(format!("the lab has no role {words:?}")),
    }
}
