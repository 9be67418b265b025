//! The stable names of what facts are told in, used in every output and read back from it.

use super::{Basis, Begun, Exploited, Judgement, Part, Trust, Validity};

impl Basis {
    const ALL: [Self; 2] = [Self::ByNumber, Self::ByAnswer];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByNumber => "by number",
            Self::ByAnswer => "by answer",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Part {
    const ALL: [Self; 3] = [Self::Application, Self::System, Self::Hardware];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::System => "system",
            Self::Hardware => "hardware",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Validity {
    const ALL: [Self; 3] = [Self::Valid, Self::Expired, Self::NotYetValid];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Trust {
    const ALL: [Self; 4] = [
        Self::Trusted,
        Self::SelfSigned,
        Self::UnknownIssuer,
        Self::NotJudged,
    ];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::SelfSigned => "self-signed",
            Self::UnknownIssuer => "unknown issuer",
            Self::NotJudged => "not judged",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Judgement {
    const ALL: [Self; 4] = [
        Self::Likely,
        Self::Possible,
        Self::Unknown,
        Self::FixedByDistribution,
    ];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Likely => "likely",
            Self::Possible => "possible",
            Self::Unknown => "unknown",
            Self::FixedByDistribution => "fixed by the distribution",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Exploited {
    const ALL: [Self; 2] = [Self::Known, Self::NotOnRecord];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::NotOnRecord => "not on record",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Begun {
    const ALL: [Self; 2] = [Self::AtOnce, Self::OnRequest];

    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at once",
            Self::OnRequest => "on request",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}
