//! Docker, etcd and Kubernetes: GET of `/version` (Docker Engine API, etcd's and Kubernetes' API references).

use super::http::{self, Complete};
use super::json::{field, object};
use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "http",
    ports: &[],
    opening: Opening::Client(opening),
    hear,
};

fn opening(at: &Circumstances) -> Vec<u8> {
    http::request("/version", at)
}

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"HTTP/") {
        return Heard::Strange;
    }
    match http::read(said.bytes) {
        Some(response) if said.is_all() || response.complete == Complete::Yes => {
            let body = unchunked(response.body);
            object(body)
                .and_then(|value| named(&value, body))
                .map_or(Heard::Strange, Recognised::known)
        }
        _ => said.more_or_strange(),
    }
}

fn named(value: &serde_json::Value, said: &[u8]) -> Option<Recognised> {
    let (protocol, kind) = if field(value, &["etcdserver"]).is_some() {
        ("etcd", "etcd.version")
    } else if field(value, &["gitVersion"]).is_some() {
        ("kubernetes", "kubernetes.version")
    } else {
        field(value, &["ApiVersion"]).and(field(value, &["Version"]))?;
        ("docker", "docker.version")
    };
    let known = Recognised::new(protocol).text(kind, said);
    let system = field(value, &["Os"]).or_else(|| field(value, &["platform"]));
    Some(
        known
            .detail_of("os", system)
            .detail_of("kernel", field(value, &["KernelVersion"])),
    )
}

/// The first chunk, where the body is in chunks: what these servers say fits into one.
fn unchunked(body: &[u8]) -> &[u8] {
    let brace = body.iter().position(|byte| *byte == b'{');
    match brace {
        Some(at)
            if body.get(..at).is_some_and(|size| {
                size.iter()
                    .all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
            }) =>
        {
            body.get(at..).unwrap_or(body)
        }
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known};

    fn heard(body: &str) -> Heard {
        hear(&all(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{body}"
        )
        .as_bytes()))
    }

    #[test]
    fn three_kinds_of_version() {
        for (body, protocol, kind) in [
            (
                "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}",
                "etcd",
                "etcd.version",
            ),
            (
                "{\"major\":\"1\",\"gitVersion\":\"v1.28.2\",\"platform\":\"linux/amd64\"}",
                "kubernetes",
                "kubernetes.version",
            ),
            (
                "5c\r\n{\"Version\":\"20.10.24+dfsg1\",\"ApiVersion\":\"1.41\",\"Os\":\"linux\"}\r\n0\r\n\r\n",
                "docker",
                "docker.version",
            ),
        ] {
            let known = known(heard(body));
            assert_eq!(known.protocol, protocol);
            assert_eq!(known.texts[0].kind, kind);
        }
        assert!(matches!(heard("{\"Version\":1}"), Heard::Strange));
        assert!(matches!(heard("{"), Heard::Strange));
    }
}
