//! What the answer to a SYN looks like, beyond what it says: the stack that made it shows.

use std::fmt;

/// What was seen of a stack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shape {
    /// The packet itself.
    Packet(Signature),
    /// What the kernel tells of the connection that it made.
    Agreed(Agreed),
}

/// A SYN-ACK, as p0f's notation tells it (p0f 3, README, section 5): `4:64+0:0:1460:mss*45,7:mss,sok,ts,nop,ws:df:0`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Signature {
    /// 4 or 6.
    pub version: u8,
    /// Hop limit of the packet when it came.
    pub ttl: u8,
    /// Bytes of IPv4 options or IPv6 extension headers.
    pub ip_options: u8,
    pub mss: Option<u16>,
    /// Receive window, unscaled.
    pub window: u16,
    pub scale: Option<u8>,
    pub layout: Layout,
    pub quirks: Quirks,
    pub payload: Payload,
}

/// Whether a SYN-ACK carries data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Payload {
    Absent,
    Present,
}

/// The kinds of the TCP options in their order, at most [`Layout::MOST`] of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Layout {
    kinds: [u8; Self::MOST],
    count: u8,
    /// Bytes behind the end of the list.
    padding: u8,
}

/// What is unusual about a packet: a set of the constants of this type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Quirks(u16);

/// What two stacks agreed on, as far as TCP_INFO shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Agreed {
    /// `None`: it does not scale its window.
    pub scale: Option<u8>,
    pub timestamps: Timestamps,
    pub sack: Sack,
}

/// RFC 7323.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Timestamps {
    Agreed,
    Absent,
}

/// RFC 2018.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sack {
    Agreed,
    Absent,
}

impl Signature {
    /// The hop limit that the packet most likely began with, and the routers that it then passed.
    pub fn initial_ttl(&self) -> (u8, u8) {
        let initial = [32, 64, 128, 255]
            .into_iter()
            .find(|initial| self.ttl <= *initial)
            .unwrap_or(u8::MAX);
        (initial, initial - self.ttl)
    }

    /// How many segments the window holds, where it holds so many and no part of another.
    pub fn segments(&self) -> Option<(Unit, u16)> {
        let mss = self.mss.filter(|mss| *mss >= LEAST_MSS)?;
        // Linux reckons without the 12 bytes of timestamps in each segment.
        let less = self.layout.has(Layout::TIMESTAMPS).then(|| mss - 12);
        let headers = if self.version == 6 { 60 } else { 40 };
        let units = [
            (Unit::Mss, Some(mss)),
            (Unit::Mss, less),
            (Unit::Mtu, mss.checked_add(headers)),
        ];
        units.into_iter().find_map(|(unit, size)| {
            let size = size?;
            let whole = self.window > 0 && self.window.is_multiple_of(size);
            whole.then(|| (unit, self.window / size))
        })
    }
}

/// What a window is a multiple of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unit {
    Mss,
    Mtu,
}

impl Layout {
    /// A longer list is malformed: see [`Quirks::MALFORMED`].
    pub const MOST: usize = 16;

    const END: u8 = 0;
    const NOP: u8 = 1;
    const MSS: u8 = 2;
    const SCALE: u8 = 3;
    const SACK_PERMITTED: u8 = 4;
    const SACK: u8 = 5;
    const TIMESTAMPS: u8 = 8;

    /// Adds the next option.
    ///
    /// # Errors
    /// The kind, when there are [`Self::MOST`] already.
    pub fn push(&mut self, kind: u8) -> Result<(), u8> {
        let place = self.kinds.get_mut(usize::from(self.count)).ok_or(kind)?;
        *place = kind;
        self.count += 1;
        Ok(())
    }

    /// Says how many bytes stand behind the end of the list.
    pub fn pad(&mut self, bytes: u8) {
        self.padding = bytes;
    }

    fn has(&self, kind: u8) -> bool {
        self.kinds().contains(&kind)
    }

    fn kinds(&self) -> &[u8] {
        self.kinds
            .get(..usize::from(self.count))
            .unwrap_or(&self.kinds)
    }
}

impl Quirks {
    /// "Do not fragment" is set.
    pub const DF: Self = Self(1);
    /// It has an identification although it may not be fragmented.
    pub const ID_WITH_DF: Self = Self(1 << 1);
    /// It has none although it may be fragmented.
    pub const NO_ID: Self = Self(1 << 2);
    /// Explicit congestion notification.
    pub const ECN: Self = Self(1 << 3);
    /// A bit that must be zero is not.
    pub const RESERVED: Self = Self(1 << 4);
    /// An IPv6 flow label.
    pub const FLOW: Self = Self(1 << 5);
    pub const SEQUENCE_0: Self = Self(1 << 6);
    /// An urgent pointer without its flag.
    pub const URGENT_POINTER: Self = Self(1 << 7);
    pub const URGENT: Self = Self(1 << 8);
    pub const PUSH: Self = Self(1 << 9);
    /// Its own timestamp is zero.
    pub const TIMESTAMP_0: Self = Self(1 << 10);
    /// Something behind the end of the list of options.
    pub const TRAILING: Self = Self(1 << 11);
    /// A scale of over 14 (RFC 7323, 2.3).
    pub const EXCESSIVE_SCALE: Self = Self(1 << 12);
    /// Options that contradict their lengths.
    pub const MALFORMED: Self = Self(1 << 13);

    /// p0f's words, in its order.
    const WORDS: [(Self, &'static str); 14] = [
        (Self::DF, "df"),
        (Self::ID_WITH_DF, "id+"),
        (Self::NO_ID, "id-"),
        (Self::ECN, "ecn"),
        (Self::RESERVED, "0+"),
        (Self::FLOW, "flow"),
        (Self::SEQUENCE_0, "seq-"),
        (Self::URGENT_POINTER, "uptr+"),
        (Self::URGENT, "urgf+"),
        (Self::PUSH, "pushf+"),
        (Self::TIMESTAMP_0, "ts1-"),
        (Self::TRAILING, "opt+"),
        (Self::EXCESSIVE_SCALE, "exws"),
        (Self::MALFORMED, "bad"),
    ];

    /// Whether all of `others` are among these.
    pub fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Both.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These, less the others.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Adds some.
    pub fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// The one of this name.
    pub fn named(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(quirk, _)| *quirk)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (initial, hops) = self.initial_ttl();
        write!(f, "{}:{initial}+{hops}:{}:", self.version, self.ip_options)?;
        match self.mss {
            Some(mss) => write!(f, "{mss}:")?,
            None => f.write_str("*:")?,
        }
        match self.segments() {
            Some((Unit::Mss, count)) => write!(f, "mss*{count},")?,
            Some((Unit::Mtu, count)) => write!(f, "mtu*{count},")?,
            None => write!(f, "{},", self.window)?,
        }
        // Without the option there is no scale, which p0f writes as 0.
        write!(
            f,
            "{}:{}:{}:",
            self.scale.unwrap_or(0),
            self.layout,
            self.quirks
        )?;
        f.write_str(match self.payload {
            Payload::Absent => "0",
            Payload::Present => "+",
        })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, kind) in self.kinds().iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match *kind {
                Self::END => write!(f, "eol+{}", self.padding)?,
                Self::NOP => f.write_str("nop")?,
                Self::MSS => f.write_str("mss")?,
                Self::SCALE => f.write_str("ws")?,
                Self::SACK_PERMITTED => f.write_str("sok")?,
                Self::SACK => f.write_str("sack")?,
                Self::TIMESTAMPS => f.write_str("ts")?,
                other => write!(f, "?{other}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Self::WORDS
            .iter()
            .filter(|(quirk, _)| self.contains(*quirk));
        for (at, (_, word)) in words.enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scale {
            Some(scale) => write!(f, "window scale {scale}")?,
            None => f.write_str("no window scale")?,
        }
        f.write_str(match self.timestamps {
            Timestamps::Agreed => ", timestamps",
            Timestamps::Absent => ", no timestamps",
        })?;
        f.write_str(match self.sack {
            Sack::Agreed => ", SACK",
            Sack::Absent => ", no SACK",
        })
    }
}

/// Below this a window holds nearly any number of segments.
const LEAST_MSS: u16 = 100;
