//! Which source port a flow leaves by, and back.

/// The block of source ports of one scan: flow k leaves by port `first + k`; one port after them is spare.
///
/// An address of this machine must not be probed on port p *from* port p: that SYN would meet the very socket that
/// reserves p, or complete with itself. Such a probe leaves by the spare port instead. The way back is unambiguous: an
/// answer to the spare port comes from the port whose flow it replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flows {
    first: u16,
    count: u8,
}

impl Flows {
    /// The block that starts at `first`: `count` flows and the spare port. `None` if `count` or `first` is 0 or the block
    /// runs past port 65535.
    pub fn new(first: u16, count: u8) -> Option<Self> {
        let fits = first.checked_add(u16::from(count)).is_some();
        (fits && count > 0 && first > 0).then_some(Self { first, count })
    }

    /// How many flows there are.
    pub fn count(self) -> u8 {
        self.count
    }

    /// The first and the last port of the block, the spare one included.
    pub fn ports(self) -> (u16, u16) {
        (self.first, self.spare())
    }

    /// The source port of a flow's probe to `target_port`; `None` for a flow that the block does not have.
    ///
    /// The spare port is taken for any address, not only for our own: one rule, and no probe ever has equal ports.
    pub fn source_port(self, flow: u8, target_port: u16) -> Option<u16> {
        if flow >= self.count {
            return None;
        }
        let port = self.first + u16::from(flow);
        Some(if port == target_port {
            self.spare()
        } else {
            port
        })
    }

    /// The flow whose probe to `target_port` left by `source_port`; `None` if none can have.
    pub fn flow(self, source_port: u16, target_port: u16) -> Option<u8> {
        let port = match source_port {
            port if port == self.spare() => target_port,
            port if port == target_port => return None,
            port => port,
        };
        let flow = u8::try_from(port.checked_sub(self.first)?).ok()?;
        (flow < self.count).then_some(flow)
    }

    fn spare(self) -> u16 {
        // Checked when made.
        self.first + u16::from(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flow_comes_back_and_nothing_else_does() {
        let flows = Flows::new(61000, 20).unwrap();
        for target_port in [1, 80, 60999, 61000, 61007, 61019, 61020, 61021, 65535] {
            let mut answered = Vec::new();
            for source_port in 0..=u16::MAX {
                if let Some(flow) = flows.flow(source_port, target_port) {
                    assert_ne!(source_port, target_port);
                    assert_eq!(flows.source_port(flow, target_port), Some(source_port));
                    answered.push(flow);
                }
            }
            answered.sort_unstable();
            assert_eq!(answered, (0..20).collect::<Vec<_>>(), "{target_port}");
        }
        assert_eq!(flows.source_port(20, 80), None);
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused() {
        assert_eq!(Flows::new(0, 20), None);
        assert_eq!(Flows::new(61000, 0), None);
        assert_eq!(Flows::new(65530, 6), None);
        assert_eq!(Flows::new(65530, 5).map(Flows::ports), Some((65530, 65535)));
    }
}
