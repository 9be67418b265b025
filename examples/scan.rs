//! The open ports of this machine, or of the targets that are named: `cargo run --example scan -- 127.0.0.1 22,80`.

use halfopen::{Event, Options, Plan, Scan, State};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let targets = arguments.next().unwrap_or("127.0.0.1".to_owned());
    let ports = arguments.next().unwrap_or("well-known".to_owned());

    let plan = Plan::parse(&targets, &ports)?;
    for event in Scan::open(plan, Options::default())?.events()? {
        match event? {
            Event::Verdict(port) if port.state == State::Open => println!("{}", port.endpoint),
            Event::Summary(summary) => println!("expected missed: {}", summary.expected_missed),
            _ => {}
        }
    }
    Ok(())
}
