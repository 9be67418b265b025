//! Replies of three digits and text, over one line or several, as FTP and SMTP have them (RFC 5321, 4.2; RFC 959, 4.2).

/// The first whole reply, and what comes behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    pub code: u16,
    /// Without codes.
    pub lines: Vec<&'a [u8]>,
    pub rest: &'a [u8],
}

/// What can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read<'a> {
    Whole(Reply<'a>),
    /// The reply may still become whole; so far these are its code and lines.
    Part(u16, Vec<&'a [u8]>),
    /// No reply of this kind.
    Other,
}

/// Reads the first reply.
pub fn read(bytes: &[u8]) -> Read<'_> {
    let mut rest = bytes;
    let mut lines = Vec::new();
    let mut first = None;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        rest = rest.get(end + 1..).unwrap_or_default();
        let code = code(line);
        let separator = line.get(3).copied().unwrap_or(b' ');
        match (first, code) {
            (None, None) => return Read::Other,
            (None, Some(found)) if !matches!(separator, b' ' | b'-') || found < 100 => {
                return Read::Other;
            }
            (None, Some(found)) => first = Some(found),
            _ => {}
        }
        let of_this = code == first;
        let text = if of_this { line.get(4..) } else { Some(line) };
        lines.push(text.unwrap_or_default());
        if let (true, b' ', Some(code)) = (of_this, separator, first) {
            return Read::Whole(Reply { code, lines, rest });
        }
    }
    match (first.or_else(|| code(rest)), rest.len()) {
        (Some(code), _) => {
            if lines.is_empty() {
                lines.push(rest.get(4..).unwrap_or_default());
            }
            Read::Part(code, lines)
        }
        (None, ..3) if rest.iter().all(u8::is_ascii_digit) => Read::Part(0, lines),
        _ => Read::Other,
    }
}

fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_several() {
        let Read::Whole(reply) = read(b"220-a\r\n220-b\r\n220 c\r\n250 d\r\n") else {
            panic!("no whole reply");
        };
        assert_eq!((reply.code, reply.rest), (220, &b"250 d\r\n"[..]));
        assert_eq!(reply.lines, [b"a", b"b", b"c"]);
        assert_eq!(read(b"220-a\r\n22"), Read::Part(220, vec![b"a"]));
        assert_eq!(read(b"220 half"), Read::Part(220, vec![b"half"]));
        assert_eq!(read(b"22"), Read::Part(0, vec![]));
        assert_eq!(read(b""), Read::Part(0, vec![]));
        assert_eq!(read(b"HTTP/1.0 400\r\n"), Read::Other);
        assert_eq!(read(b"099 x\r\n"), Read::Other);
        assert_eq!(read(b"200OK\r\n"), Read::Other);
    }
}
