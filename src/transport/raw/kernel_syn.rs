//! How this kernel's own SYNs look: its settings decide hop limit and window scale.

use std::fs;

use crate::wire::SynShape;

/// Reads the settings of this network namespace; what cannot be read gets the kernel's usual value.
pub(super) fn shape() -> SynShape {
    let number = |path: &str, field: usize| -> Option<u64> {
        let text = fs::read_to_string(path).ok()?;
        text.split_ascii_whitespace().nth(field)?.parse().ok()
    };
    let hop_limit = number("/proc/sys/net/ipv4/ip_default_ttl", 0)
        .and_then(|ttl| u8::try_from(ttl).ok())
        .unwrap_or(64);
    // tcp_select_initial_window: room for the largest receive buffer that is allowed.
    let room = number("/proc/sys/net/ipv4/tcp_rmem", 2)
        .max(number("/proc/sys/net/core/rmem_max", 0))
        .unwrap_or(6 << 20);
    SynShape {
        hop_limit,
        window_scale: window_scale(room),
        timestamp_offset: rand::random(),
    }
}

fn window_scale(room: u64) -> u8 {
    let bits = room.max(1).ilog2();
    u8::try_from(bits.saturating_sub(15).min(14)).unwrap_or(14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_the_kernel() {
        // 6 MiB was the default up to Linux 6.15, 32 MiB since.
        assert_eq!(window_scale(6 << 20), 7);
        assert_eq!(window_scale(32 << 20), 10);
        assert_eq!(window_scale(0), 0);
        assert_eq!(window_scale(65_535), 0);
        assert_eq!(window_scale(u64::MAX), 14);
    }
}
