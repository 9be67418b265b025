//! In which order endpoints are sought: in another than that of any walk.

use crate::engine::interleave::Interleave;
use crate::engine::order::Order;
use crate::plan::Shuffle;

/// See the top of the file: a bijection between turns and the endpoints of the present block.
#[derive(Clone, Copy, Debug)]
pub enum Turns {
    /// All of the plan, host after host.
    Plan(Interleave),
    /// Where the block is a part of the plan, as a small shard is, whoever looks at all of the plan finds next to nothing.
    Block(Shuffle),
}

impl Turns {
    /// The turns of the present block of a plan of so many hosts and ports.
    pub fn new(hosts: u64, ports: u64, seed: u64, order: &Order) -> Self {
        let len = order.block_len();
        if len == hosts * ports {
            Self::Plan(Interleave::new(hosts, ports, seed))
        } else {
            Self::Block(Shuffle::new(len, seed))
        }
    }

    /// The plan's index of a turn.
    pub fn index(&self, turn: u64, order: &Order) -> u64 {
        match self {
            Self::Plan(turns) => turns.index(turn),
            Self::Block(turns) => order.index(turns.index(turn)),
        }
    }

    /// The turn of a plan's index; `None` if it belongs to another shard or block.
    pub fn of(&self, index: u64, order: &Order) -> Option<u64> {
        match self {
            Self::Plan(turns) => Some(turns.position(index)),
            Self::Block(turns) => order.rank(index).map(|rank| turns.position(rank)),
        }
    }
}
