//! What the body of a page tells.

use super::http::{Complete, Response};
use super::json::{field, object};
use crate::enrich::dialogue::{Recognised, text};

/// The page's title, blanks made one.
pub fn title(body: &[u8]) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let open = lower.windows(6).position(|word| word == b"<title")?;
    let behind = lower.get(open..)?.iter().position(|byte| *byte == b'>')?;
    let start = open + behind + 1;
    let rest = lower.get(start..)?;
    let end = rest
        .windows(7)
        .position(|word| word == b"</title")
        .unwrap_or(rest.len());
    let title = String::from_utf8_lossy(body.get(start..start + end)?).into_owned();
    let words: Vec<&str> = title.split_whitespace().collect();
    Some(text(words.join(" ").as_bytes())).filter(|title| !title.is_empty())
}

/// Applications that say at their root what they are.
pub fn body(known: Recognised, response: &Response<'_>) -> Recognised {
    let Some(value) = object(response.body) else {
        return known;
    };
    let number = field(&value, &["version", "number"]);
    let tagline = field(&value, &["tagline"]);
    let opensearch = field(&value, &["version", "distribution"]) == Some("opensearch");
    if number.is_none() || !opensearch && tagline != Some("You Know, for Search") {
        return known;
    }
    let mut known = known.text("elasticsearch.info", response.body);
    known.protocol = "elasticsearch";
    known.detail_of("cluster", field(&value, &["cluster_name"]))
}

/// Programs of Go and of JSON may have a `/version`: Docker, etcd, Kubernetes.
pub fn may_have_version(response: &Response<'_>) -> bool {
    let json = response
        .header("content-type")
        .is_some_and(|kind| kind.starts_with(b"application/json"));
    let go = response.body.starts_with(b"404 page not found");
    matches!(response.status, 200 | 401 | 403 | 404)
        && response
            .header("server")
            .is_none_or(|server| server.starts_with(b"Docker"))
        && (json || go || response.complete == Complete::Yes && response.body.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::http;

    #[test]
    fn titles() {
        assert_eq!(
            title(b"<title lang=en>\n a\t b\n</title>"),
            Some("a b".to_owned())
        );
        assert_eq!(title(b"<title>open ended"), Some("open ended".to_owned()));
        assert_eq!(title(b"<title></title>"), None);
        assert_eq!(title(b"<title"), None);
    }

    #[test]
    fn elasticsearch() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
            {\"name\":\"n\",\"cluster_name\":\"c\",\"version\":{\"number\":\"8.11.1\"},\"tagline\":\"You Know, for Search\"}";
        let response = http::read(bytes).expect("a response");
        let known = body(Recognised::new("http"), &response);
        assert_eq!(known.protocol, "elasticsearch");
        assert_eq!(known.texts[0].kind, "elasticsearch.info");
        assert!(may_have_version(&response));
    }
}
