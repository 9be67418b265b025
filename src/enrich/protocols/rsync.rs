//! rsync: the daemon's greeting (rsyncd's `@RSYNCD:` line).

use crate::enrich::dialogue::{Dialogue, Heard, Opening, Recognised, Said, may_begin};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "rsync",
    ports: &[873],
    opening: Opening::Server,
    hear,
};

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"@RSYNCD: ") {
        return Heard::Strange;
    }
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    let Some(rest) = line.strip_prefix(b"@RSYNCD: ") else {
        return Heard::Strange;
    };
    let mut words = rest
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let protocol = words.next().unwrap_or_default();
    let digests: Vec<&[u8]> = words.collect();
    Recognised::new("rsync")
        .text("rsync.banner", line)
        .detail("protocol", protocol)
        .detail("digests", digests.join(&b' '))
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    #[test]
    fn greeting() {
        let heard = known(hear(&said(b"@RSYNCD: 31.0 sha512 sha256 md5 md4\n")));
        assert_eq!(heard.details[0].value, "31.0");
        assert_eq!(heard.details[1].value, "sha512 sha256 md5 md4");
        assert!(matches!(hear(&all(b"@RSY")), Heard::Strange));
    }
}
