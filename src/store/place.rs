//! How messages name files.

use std::path::Path;

/// A path as messages have it: quoted, escaped and short.
pub fn shown(path: &Path) -> String {
    short(&path.to_string_lossy())
}

/// A name as messages have it; of a long one the end.
pub fn short(text: &str) -> String {
    let escaped: String = text.escape_debug().collect();
    let length = escaped.chars().count();
    if length <= SHOWN {
        return format!("\"{escaped}\"");
    }
    // The end says more than the beginning.
    let end: String = escaped.chars().skip(length - SHOWN).collect();
    format!("\"...{end}\"")
}

/// Characters of a path.
const SHOWN: usize = 120;
