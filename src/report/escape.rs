//! What came from outside cannot attack its reader: everything that a terminal might obey is written as an escape.
//!
//! Plain are printable ASCII and letters and digits of any script. All else is escaped: control bytes (C0, DEL, C1),
//! marks that change the direction of writing, characters without width, blanks that are not the space, bytes that are
//! not UTF-8. A backslash is doubled, so that the escapes can be undone.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde_json::ser::{CharEscape, Formatter};

/// Whether a terminal shows this character as itself, and does nothing else.
pub fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.is_alphanumeric())
}

/// Text for a terminal: `a\x1b[2Jb`, `\u{202e}`, `\\`.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| is_plain(c) && c != '\\') {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    push(&mut escaped, text);
    Cow::Owned(escaped)
}

/// Bytes for a terminal: as [`terminal`], and what is not UTF-8 byte by byte.
pub fn terminal_bytes(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        push(&mut escaped, chunk.valid());
        for byte in chunk.invalid() {
            push_byte(&mut escaped, *byte);
        }
    }
    escaped
}

/// The bytes of which [`terminal_bytes`] made this text. What is no escape stays as it is.
pub fn undone(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        bytes.extend_from_slice(plain.as_bytes());
        rest = match undone_escape(escape, &mut bytes) {
            Some(after) => after,
            None => {
                bytes.push(b'\\');
                escape.get(1..).unwrap_or_default()
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Text as one word of a format whose separators are ASCII: letters, digits and `. _ : % -` stay, all else is an escape.
pub fn word(text: &str) -> Cow<'_, str> {
    let stays = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '%' | '-');
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) {
            escaped.push(c);
        } else {
            push_escape(&mut escaped, c);
        }
    }
    Cow::Owned(escaped)
}

/// Text for an attribute or the content of XML: escaped as for a terminal, because XML 1.0 cannot hold most control
/// characters even as references; then its own markup as references, and every second of two hyphens, so that it can
/// stand in a comment.
pub fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in terminal(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '-' if escaped.ends_with('-') => escaped.push_str("&#45;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// Writes JSON in which every character that is not [plain](is_plain) is `\uXXXX`: still the same JSON value to any
/// reader, and harmless to a terminal that shows the raw line.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainJson;

impl Formatter for PlainJson {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut plain_from = 0;
        for (at, c) in fragment.char_indices() {
            if is_plain(c) {
                continue;
            }
            writer.write_all(fragment.get(plain_from..at).unwrap_or("").as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = at + c.len_utf8();
        }
        writer.write_all(fragment.get(plain_from..).unwrap_or("").as_bytes())
    }

    fn write_char_escape<W>(&mut self, writer: &mut W, char_escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        serde_json::ser::CompactFormatter.write_char_escape(writer, char_escape)
    }
}

/// Undoes the escape that a text begins with; what stands behind it.
fn undone_escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let escape = text.strip_prefix('\\')?;
    if let Some(after) = escape.strip_prefix('\\') {
        bytes.push(b'\\');
        return Some(after);
    }
    if let Some(byte) = escape.strip_prefix('x') {
        let (digits, after) = byte.split_at_checked(2)?;
        // A sign would be taken as well.
        if digits.starts_with('+') {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        return Some(after);
    }
    let (digits, after) = escape.strip_prefix("u{")?.split_once('}')?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(after)
}

fn push(escaped: &mut String, text: &str) {
    for c in text.chars() {
        if c == '\\' {
            escaped.push_str("\\\\");
        } else if is_plain(c) {
            escaped.push(c);
        } else {
            push_escape(escaped, c);
        }
    }
}

fn push_escape(escaped: &mut String, c: char) {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => push_byte(escaped, byte),
        // Writing to a String cannot fail.
        _ => drop(write!(escaped, "\\u{{{:x}}}", u32::from(c))),
    }
}

fn push_byte(escaped: &mut String, byte: u8) {
    let _ = write!(escaped, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    const ATTACKS: [&str; 8] = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "a\r\nb\0c\t",
        "\u{202e}txt.exe",
        "\u{200b}\u{feff}\u{2028}",
        "\u{7f}\u{9b}31m",
        "\"]]>=cmd|'/c calc'!A0",
        "\\x1b",
        "Zürich 東京",
    ];

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let mut all = ATTACKS.concat();
        all.extend((0..=0x3000).filter_map(char::from_u32));
        for text in [&all, &terminal_bytes(&(0..=255).collect::<Vec<u8>>())] {
            assert!(terminal(text).chars().all(is_plain));
        }
        assert_eq!(terminal("a\u{1b}[2Jb"), "a\\x1b[2Jb");
        assert_eq!(terminal("\u{202e}\\"), "\\u{202e}\\\\");
        assert_eq!(terminal("Zürich 東京"), "Zürich 東京");
        assert_eq!(terminal_bytes(b"ok\xff\x9b"), "ok\\xff\\x9b");
    }

    #[test]
    fn what_is_escaped_for_a_terminal_can_be_undone() {
        let mut all = ATTACKS.concat().into_bytes();
        all.extend(0..=255);
        assert_eq!(undone(&terminal_bytes(&all)), all);
        for text in [
            "\\",
            "\\x",
            "\\xg0",
            "\\x+1",
            "\\u{",
            "\\u{d800}",
            "\\u{}",
            "\\é",
            "\\x1é",
        ] {
            let once = undone(text);
            assert_eq!(undone(&terminal_bytes(&once)), once, "{text}");
        }
    }

    #[test]
    fn a_word_has_no_separator_in_it() {
        let mut all = ATTACKS.concat();
        all.extend((0..=0x3000).filter_map(char::from_u32));
        let separators = ['/', ',', '\t', ' ', '(', ')', '|', ';', '"', '\n'];
        assert!(!word(&all).contains(separators));
        assert_eq!(
            word("a) Ports: 22/open"),
            "a\\x29\\x20Ports:\\x2022\\x2fopen"
        );
        assert_eq!(word("db-1.example"), "db-1.example");
    }

    #[test]
    fn xml_has_no_markup_left_in_it() {
        assert_eq!(
            xml("<a href=\"x\" b='y'>&]]> --- \u{1b}"),
            "&lt;a href=&quot;x&quot; b=&apos;y&apos;&gt;&amp;]]&gt; -&#45;- \\x1b"
        );
        let mut all = ATTACKS.concat();
        all.extend((0..=0x3000).filter_map(char::from_u32));
        let escaped = xml(&all);
        assert!(escaped.chars().all(is_plain));
        assert!(!escaped.contains(['<', '>', '"', '\'']) && !escaped.contains("--"));
    }

    #[test]
    fn json_is_plain_and_reads_back_as_it_was() {
        for text in ATTACKS.iter().copied().chain(["𝄞 \u{1f4a9}"]) {
            let mut line = Vec::new();
            text.serialize(&mut serde_json::Serializer::with_formatter(
                &mut line, PlainJson,
            ))
            .expect("a vector takes all");
            let line = String::from_utf8(line).expect("JSON is UTF-8");
            assert!(line.chars().all(is_plain), "{line}");
            assert_eq!(
                serde_json::from_str::<String>(&line).expect("valid JSON"),
                text
            );
        }
    }
}
