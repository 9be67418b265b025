//! Header fields as mail, RTSP and SIP have them.

use crate::enrich::dialogue::Said;

/// The head of a message, once it is whole or nothing more may come.
pub fn whole<'a>(said: &Said<'a>) -> Option<&'a [u8]> {
    let end = said.bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let whole = said.is_all() && said.bytes.contains(&b'\n');
    match end {
        Some(end) => said.bytes.get(..end),
        None => whole.then_some(said.bytes),
    }
}

/// The first field of this name.
pub fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.trim_ascii_start().strip_prefix(b":")?;
        found
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| value.trim_ascii())
    })
}
