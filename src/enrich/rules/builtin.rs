//! The files of rules that the program carries.

/// Their names and texts.
pub(super) const FILES: [(&str, &str); 1] = [(
    "data/rules/ssh.xml",
    include_str!("../../../data/rules/ssh.xml"),
)];
