//! The stable names of what facts are told in, used in every output and read back from it.

use super::{Basis, Begun, Exploited, Judgement, Part, Trust, Validity};

/// Gives each variant its name, and the way back.
macro_rules! names {
    ($($of:ident { $($variant:ident = $name:literal,)+ })+) => {$(
        impl $of {
            /// The stable name used in every output.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    )+};
}

names! {
    Basis {
        ByNumber = "by number",
        ByAnswer = "by answer",
    }
    Part {
        Application = "application",
        System = "system",
        Hardware = "hardware",
    }
    Validity {
        Valid = "valid",
        Expired = "expired",
        NotYetValid = "not yet valid",
    }
    Trust {
        Trusted = "trusted",
        SelfSigned = "self-signed",
        UnknownIssuer = "unknown issuer",
        NotJudged = "not judged",
    }
    Judgement {
        Likely = "likely",
        Possible = "possible",
        Unknown = "unknown",
        FixedByDistribution = "fixed by the distribution",
    }
    Exploited {
        Known = "known",
        NotOnRecord = "not on record",
    }
    Begun {
        AtOnce = "at once",
        OnRequest = "on request",
    }
}
