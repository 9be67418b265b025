//! Witnesses: a few kernel connects beside a half-open scan, because the capture lies before rp_filter, the INPUT chain and
//! address translation, so the kernel may hear less or more than it shows.
//!
//! - The first clean SYN-ACK that comes by an interface is confirmed. If no connect is answered, this machine drops the answers.
//! - Where a host answered next to nothing, some of its endpoints are tried. If connects are answered, the same endpoints
//!   are asked by SYNs once more; if that is not heard, the capture is deaf on that interface, and the scan goes on by kernel
//!   connects there.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::engine::confirm::Confirm;
use crate::engine::own_drops::ASKED_AGAIN;
use crate::engine::space::Step;
use crate::engine::{Asking, COMMON, Engine, Extra, WITNESS};
use crate::model::{How, Observation, Probe, Seen, Source, Time};

/// What witnesses have told so far.
pub struct Witness {
    /// By the number of the way.
    ways: Vec<OfWay>,
    dropped: Told,
    /// Hosts that answered SYNs and no connect.
    unheard: Vec<u64>,
    /// Silent endpoints to be tried, and those under way.
    wanted: VecDeque<u64>,
    under_way: HashSet<u64>,
    life: Duration,
}

/// What they told of one interface.
#[derive(Clone, Default)]
struct OfWay {
    first: First,
    /// How long the first connects to it live.
    short: Duration,
    /// Silent endpoints that were tried.
    tried: usize,
    /// Endpoints that a connect was answered by and the capture was not, and those that both heard.
    only_connect: Vec<u64>,
    both: usize,
    check: Check,
}

/// The first clean SYN-ACK.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum First {
    #[default]
    NotYet,
    Wanted(u64, u8),
    Asked(u64, u8),
    /// Connects are answered, or nothing is to be found out.
    Settled,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Told {
    #[default]
    No,
    Yes,
}

/// Whether SYNs to what connects were answered by are heard.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Check {
    #[default]
    None,
    /// Their answers are on their way.
    Until(Time),
    Done,
}

/// Of which hosts witnesses are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Among {
    All,
    /// Those whose gateway has failed to answer, for which none could be chosen then.
    CutOff,
}

impl Default for Witness {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Witness {
    /// Witnesses for so many ways.
    pub fn new(ways: usize) -> Self {
        Self {
            ways: vec![OfWay::default(); ways],
            dropped: Told::No,
            unheard: Vec::new(),
            wanted: VecDeque::new(),
            under_way: HashSet::new(),
            life: Duration::ZERO,
        }
    }

    /// A kernel connect was answered.
    pub fn heard(&mut self, way: usize) {
        self.ways[way].first = First::Settled;
    }

    /// Whether it is time to say that answers are dropped, which is said once.
    pub fn tell_dropped(&mut self) -> bool {
        std::mem::replace(&mut self.dropped, Told::Yes) == Told::No
    }

    /// A clean SYN-ACK came from this endpoint.
    pub fn clean_syn_ack(&mut self, way: usize, index: u64) {
        let first = &mut self.ways[way].first;
        if *first == First::NotYet {
            *first = First::Wanted(index, 0);
        }
    }

    pub fn is_busy(&self) -> bool {
        let busy = |way: &OfWay| {
            let first = matches!(way.first, First::Wanted(..) | First::Asked(..));
            first || matches!(way.check, Check::Until(_))
        };
        self.ways.iter().any(busy) || !self.wanted.is_empty() || !self.under_way.is_empty()
    }

    pub fn can_ask(&self) -> bool {
        let wanted = |way: &OfWay| matches!(way.first, First::Wanted(..));
        self.ways.iter().any(wanted) || !self.wanted.is_empty()
    }

    pub fn due_at(&self) -> Time {
        let due = self.ways.iter().filter_map(|way| match way.check {
            Check::Until(at) => Some(at),
            Check::None | Check::Done => None,
        });
        due.min().unwrap_or(Time::NEVER)
    }

    /// How many silent endpoints of one way may be tried.
    fn most_tried(&self) -> usize {
        (MOST_TRIED / self.ways.len()).max(MOST_OF_HOST)
    }
}

impl Engine {
    /// Sends what is to be tried by kernel connect, and judges what came back.
    pub(super) fn ask_witnesses(&mut self, now: Time, left: &mut usize, out: &mut Vec<Probe>) {
        for way in 0..self.witness.ways.len() {
            self.judge_way(way, now);
            self.ask_first(way, left, out);
        }
        while *left > 0
            && let Some(index) = self.witness.wanted.pop_front()
        {
            let known = self
                .order
                .rank(index)
                .is_none_or(|rank| self.ledger.answered.has(rank));
            if !known && self.push_witness(index, SILENT, self.witness.life, out) {
                self.witness.under_way.insert(index);
                *left -= 1;
            }
        }
    }

    /// Whether the capture hears what comes by this way, once the answers that tell must have come.
    fn judge_way(&mut self, way: usize, now: Time) {
        let told = &mut self.witness.ways[way];
        let Check::Until(at) = told.check else {
            return;
        };
        if now < at {
            return;
        }
        told.check = Check::Done;
        if told.only_connect.len() >= LEAST_HEARD && told.only_connect.len() > told.both {
            self.go_deaf(way, now);
        }
    }

    fn ask_first(&mut self, way: usize, left: &mut usize, out: &mut Vec<Probe>) {
        let First::Wanted(index, tries) = self.witness.ways[way].first else {
            return;
        };
        if *left == 0 {
            return;
        }
        self.witness.ways[way].first = First::Asked(index, tries);
        // Short ones first: on a path that loses packets, the kernel's own repeats would hold up the scan's end.
        let told = &mut self.witness.ways[way];
        if tries == 0 {
            // Once its host has answered all, nobody remembers how long that took.
            told.short = self.lanes[COMMON].rtt.timeout() * 4;
        }
        let life = match tries < SHORT_TRIES {
            true => told.short.max(SHORT).min(self.config.patience),
            false => self.config.patience,
        };
        *left -= usize::from(self.push_witness(index, u16::from(tries), life, out));
    }

    fn push_witness(
        &mut self,
        index: u64,
        attempt: u16,
        patience: Duration,
        out: &mut Vec<Probe>,
    ) -> bool {
        let Some(endpoint) = self.plan.endpoint(index) else {
            return false;
        };
        out.push(Probe {
            index,
            endpoint,
            attempt: WITNESS | attempt,
            how: How::Handshake { patience },
        });
        true
    }

    /// A witness has ended.
    pub(super) fn witnessed(
        &mut self,
        id: usize,
        step: Step,
        attempt: u16,
        observation: &Observation,
    ) {
        if attempt & ASKED_AGAIN != 0 {
            return self.asked_again(id, step, observation);
        }
        let way = self.way(step.index);
        let heard = matches!(observation.seen, Seen::SynAck(_) | Seen::Rst { .. });
        if heard {
            self.witness.heard(way);
        }
        if attempt & SILENT == 0 {
            return self.first_ended(way, &observation.seen);
        }
        if !self.witness.under_way.remove(&step.index) || !heard {
            return;
        }
        if self.ledger.answered.has(step.rank) {
            self.witness.ways[way].both += 1;
            return;
        }
        self.witness.ways[way].only_connect.push(step.index);
        if self.witness.ways[way].only_connect.len() == 1 {
            // Of many hosts few are there: the first that is heard has more to tell.
            self.want_host(step.index / self.ports());
        }
        if self.still_hears() {
            self.take(id, step.index / self.ports(), step, observation);
        }
        if let Asking::Syn { .. } = self.config.asking {
            // Once more by a SYN: perhaps the host has only just come up.
            self.extra.push_back((step, Extra::Check));
            let rtt = observation.source.rtt();
            let rtt = rtt.unwrap_or_else(|| self.lanes[COMMON].rtt.timeout());
            let wait = (rtt * 4).max(CHECK) + self.host_rate.canaries_wait();
            self.witness.ways[way].check = Check::Until(self.doubts.now.max(observation.at) + wait);
        }
    }

    fn first_ended(&mut self, way: usize, seen: &Seen) {
        let First::Asked(index, tries) = self.witness.ways[way].first else {
            return;
        };
        self.witness.ways[way].first = match seen {
            Seen::Silence if tries < SHORT_TRIES => First::Wanted(index, tries + 1),
            // Before a limiter, or a target that has shut itself, connects are lost like everything else.
            Seen::Silence if self.is_kept_back(index / self.ports()) => First::Settled,
            Seen::Silence => {
                self.keep_unheard(index / self.ports());
                First::Settled
            }
            _ => First::Settled,
        };
    }

    /// This host answers SYNs and no connect: this machine drops its answers, if it goes on to answer.
    pub(super) fn keep_unheard(&mut self, host: u64) {
        let unheard = &self.witness.unheard;
        if unheard.len() < MOST_TRIED && !unheard.contains(&host) {
            self.witness.unheard.push(host);
        }
    }

    /// The walks are over. Says that answers are dropped where a host that connects did not hear has not shut itself meanwhile.
    pub(super) fn tell_unheard_of(&mut self) {
        let hosts = std::mem::take(&mut self.witness.unheard);
        let answers = |host: &u64| {
            let id = self.lane_of(*host);
            let gone = self.is_given_up(id) || self.lanes[id].control.is_choked();
            !gone && !self.is_behind_limiter(id)
        };
        if hosts.iter().any(answers) {
            self.say_dropped();
        }
    }

    /// Whether something on the way to this host is known to let in less than is sent.
    fn is_kept_back(&self, host: u64) -> bool {
        self.is_behind_limiter(self.lane_of(host)) || self.summary.blocked > 0
    }

    /// Whether a limiter was found before this lane, or before the network that it is part of.
    fn is_behind_limiter(&self, id: usize) -> bool {
        self.lanes[id].control.has_found_limiter() || self.network.is_limiting()
    }

    /// A SYN was answered by an endpoint that had answered before: if that was by connect, the capture is not deaf.
    pub(super) fn heard_again(&mut self, index: u64, observation: &Observation) {
        let raw = matches!(observation.source, Source::Flow(_));
        let answer = matches!(
            observation.seen,
            Seen::SynAck(_) | Seen::Detour(_) | Seen::Rst { .. }
        );
        if !raw || !answer {
            return;
        }
        for way in &mut self.witness.ways {
            if let Some(at) = way.only_connect.iter().position(|&only| only == index) {
                way.only_connect.swap_remove(at);
                way.both += 1;
            }
        }
    }

    /// A pass is over. Of the common lane's, witnesses follow the first, and the one that stands for it because of a gateway
    /// that came back.
    pub(super) fn conclude_pass(&mut self, id: usize) {
        let lane = &mut self.lanes[id];
        let finds_way = lane.finds_way();
        lane.conclude(self.config.asking);
        if id == COMMON && lane.pass.number == 0 {
            self.choose_witnesses(Among::All);
        } else if id == COMMON && finds_way {
            self.choose_witnesses(Among::CutOff);
        }
    }

    /// Chooses endpoints of hosts that answered next to nothing.
    pub(super) fn choose_witnesses(&mut self, among: Among) {
        let half_open = matches!(self.config.asking, Asking::Syn { .. });
        if !half_open || self.config.confirm == Confirm::Never {
            return;
        }
        let timeout = self.lanes[COMMON].rtt.timeout();
        // They end when the listening does: a silent host costs no more time than without them.
        let life = self.config.patience.saturating_sub(timeout);
        self.witness.life = life.max(self.config.patience / 2);
        let most = self.witness.most_tried();
        let mut of_host: HashMap<u64, usize> = HashMap::new();
        let mut rank = 0;
        for _ in 0..LOOKED_AT {
            if self.witness.ways.iter().all(|way| way.tried >= most) {
                return;
            }
            let Some(next) = self.ledger.answered.next_zero(rank) else {
                return;
            };
            rank = next + 1;
            let index = self.order.index(next);
            let host = index / self.ports();
            let count = of_host.entry(host).or_default();
            let passed = among == Among::CutOff && self.gateway_found_dead(index).is_none();
            if *count >= MOST_OF_HOST || passed || !self.is_silent(host, index) {
                continue;
            }
            let way = self.way(index);
            if self.witness.ways[way].tried >= most {
                continue;
            }
            *count += 1;
            self.witness.ways[way].tried += 1;
            self.witness.wanted.push_back(index);
        }
    }

    /// Some more endpoints of one host.
    fn want_host(&mut self, host: u64) {
        let first = host * self.ports();
        let silent = |index: &u64| {
            let rank = self.order.rank(*index);
            rank.is_some_and(|rank| !self.ledger.answered.has(rank))
                && !self.witness.under_way.contains(index)
        };
        let way = self.way(first);
        let room = self
            .witness
            .most_tried()
            .saturating_sub(self.witness.ways[way].tried)
            .max(LEAST_HEARD);
        let more: Vec<u64> = (first..first + self.ports())
            .filter(silent)
            .take(room.min(MOST_OF_HOST))
            .collect();
        self.witness.ways[way].tried += more.len();
        self.witness.wanted.extend(more);
    }

    /// Whether next to nothing was heard of a host that is not known to be absent, nor to be behind a gateway that is.
    fn is_silent(&self, host: u64, index: u64) -> bool {
        let (answered, open) = match self.hosts.get(&host) {
            Some(known) => (known.answered(), known.open_count()),
            None if self.plan.hosts() == 1 => {
                let lane = &self.lanes[COMMON];
                (lane.heard + self.past.answered(), lane.open)
            }
            None => (0, 0),
        };
        let lane = &self.lanes[COMMON];
        let cut_off = lane.cut_off || lane.pass.cut_off;
        let absent = self
            .plan
            .endpoint(index)
            .is_none_or(|endpoint| self.absent.contains_key(&endpoint.address))
            || cut_off && self.gateway_found_dead(index).is_some();
        // Whose SYN-ACKs are heard is heard; resets may be missing because the host limits them.
        !absent && open < LEAST_HEARD as u64 && answered * NEXT_TO_NOTHING <= self.ports()
    }
}

/// Marks the attempt number of a witness for silence; the others count their tries.
const SILENT: u16 = 0x100;
const SHORT_TRIES: u8 = 6;
const SHORT: Duration = Duration::from_millis(20);
const CHECK: Duration = Duration::from_millis(200);
const MOST_TRIED: usize = 64;
const MOST_OF_HOST: usize = 8;
const LOOKED_AT: usize = 4_096;
/// A host that answered on one port in this many, or fewer, may be heard by connects only.
const NEXT_TO_NOTHING: u64 = 100;
/// One endpoint may have been unlucky by SYN.
const LEAST_HEARD: usize = 2;
