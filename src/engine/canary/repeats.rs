//! SYN-ACKs that servers repeat to canaries.
//!
//! A server repeats its SYN-ACK until our reset has arrived, after 1, 3, 7, 15 and 31 s. Where the path loses packets that
//! happens often. Such an answer does not tell how long answers take.

use std::time::Duration;

/// Whether an answer that comes so long after what it answers may be a repeated one.
pub fn is_repeat(delay: Duration) -> bool {
    REPEATS
        .iter()
        .any(|&after| delay >= after && delay <= after + SLACK + after / LATER)
}

/// Linux: `tcp_synack_retries` is 5, and each wait is twice the one before.
const REPEATS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(7),
    Duration::from_secs(15),
    Duration::from_secs(31),
];
/// What the path may take, and how late a kernel's timers are: the longer they are, the more.
const SLACK: Duration = Duration::from_millis(200);
const LATER: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syn_ack_is_repeated_at_its_times_only() {
        let after = |millis| is_repeat(Duration::from_millis(millis));
        for millis in [1005, 3010, 7500, 15_400, 32_000] {
            assert!(after(millis), "{millis}");
        }
        for millis in [0, 500, 2500, 5000, 11_000, 59_000] {
            assert!(!after(millis), "{millis}");
        }
    }
}
