//! Hosts of which a limiter lets in so little that a scan may hear nothing of them.

use halfopen::engine::Asking;

use crate::scenarios::{open, run, scenario};

/// In company nobody reckoned with what a kernel repeats: the path had no rest, canaries failed on it, and the limiter was
/// taken for bursts of losses. Then no pass proved anything, and the scan ended in doubt although it had found everything.
#[test]
fn a_limiter_in_company_was_taken_for_bursts_of_losses_for_what_a_kernel_repeats() {
    let scenario = scenario("limited_silent_100_in_company");
    for seed in [0, 3, 6, 7, 8, 10, 12, 13] {
        let run = run(&scenario, Asking::Handshake, seed);
        assert_eq!(open(&run), scenario.truth(), "seed {seed}");
        assert!(run.summary.complete, "seed {seed}: {:?}", run.summary);
    }
}
