//! ZooKeeper: the four-letter word `srvr` (ZooKeeper administrator's guide), the one that is allowed by default.

use crate::enrich::dialogue::{Circumstances, Dialogue, Heard, Opening, Recognised, Said};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "zookeeper",
    ports: &[2181],
    opening: Opening::Client(opening),
    hear,
};

fn opening(_: &Circumstances) -> Vec<u8> {
    b"srvr".to_vec()
}

fn hear(said: &Said<'_>) -> Heard {
    let Some(line) = said.first_line() else {
        return Heard::More;
    };
    if line.starts_with(b"srvr is not executed because it is not in the whitelist") {
        return Recognised::new("zookeeper")
            .detail("srvr", "not allowed")
            .known();
    }
    if !line.starts_with(b"Zookeeper version: ") {
        return Heard::Strange;
    }
    if !said.is_all() && !said.bytes.windows(11).any(|word| word == b"Node count:") {
        return Heard::More;
    }
    let mode = said
        .bytes
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Mode: "));
    Recognised::new("zookeeper")
        .text("zookeeper.version", line)
        .detail_of("mode", mode)
        .known()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known};

    #[test]
    fn srvr() {
        let heard = known(hear(&all(
            b"Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC\n\
              Latency min/avg/max: 0/0.0/0\nMode: standalone\nNode count: 5\n",
        )));
        assert!(
            heard.texts[0]
                .text
                .starts_with(b"Zookeeper version: 3.8.0-")
        );
        assert_eq!(heard.details[0].value, "standalone");
        assert!(matches!(hear(&all(b"HTTP/1.0 400\r\n")), Heard::Strange));
    }
}
