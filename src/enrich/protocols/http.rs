//! HTTP/1: GET of the root (RFC 9112). Redirects are told, never followed.

use super::{version, web};
use crate::enrich::dialogue::{
    Circumstances, Dialogue, Heard, Opening, Recognised, Said, may_begin,
};

pub static DIALOGUE: Dialogue = Dialogue {
    protocol: "http",
    ports: &[
        80, 81, 443, 591, 631, 2375, 2376, 2379, 3000, 5000, 5601, 5985, 5986, 6443, 7001, 8000,
        8001, 8008, 8080, 8081, 8086, 8088, 8090, 8443, 8500, 8834, 8888, 9000, 9090, 9091, 9200,
        9443, 10000, 10250, 15672,
    ],
    opening: Opening::Client(opening),
    hear,
};

/// A response as far as it was read.
#[derive(Debug)]
pub struct Response<'a> {
    pub version: &'a [u8],
    pub status: u16,
    head: &'a [u8],
    pub body: &'a [u8],
    pub complete: Complete,
}

/// Whether the whole body was read, as far as its length is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Complete {
    Yes,
    NotYet,
}

/// A request for this path.
pub fn request(path: &str, at: &Circumstances) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: halfopen\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        at.host_and_port()
    )
    .into_bytes()
}

fn opening(at: &Circumstances) -> Vec<u8> {
    request("/", at)
}

fn hear(said: &Said<'_>) -> Heard {
    if !may_begin(said.bytes, b"HTTP/") {
        return Heard::Strange;
    }
    match read(said.bytes) {
        Some(response) if said.is_all() || response.complete == Complete::Yes => {
            recognised(&response).known()
        }
        // Headers longer than what is kept.
        None if said.is_all() => match status_line(said.bytes) {
            Some((version, status)) => recognised(&Response {
                version,
                status,
                head: said.bytes,
                body: b"",
                complete: Complete::NotYet,
            })
            .known(),
            None => Heard::Strange,
        },
        _ => Heard::More,
    }
}

fn recognised(response: &Response<'_>) -> Recognised {
    let server = response.header("server");
    let protocol = match server {
        Some(server) if server.windows(4).any(|word| word == b"IPP/") => "ipp",
        _ => "http",
    };
    let mut known = Recognised::new(protocol)
        .detail("status", response.status.to_string())
        .detail_of("server", server)
        .text("http_header.server", server.unwrap_or_default());
    if let Some(by) = response.header("x-powered-by") {
        known = known
            .detail("powered_by", by)
            .text("http_header.x-powered-by", by);
    }
    if let Some(jenkins) = response.header("x-jenkins") {
        known = known.text("http_header.x-jenkins", jenkins);
    }
    if let Some(asked) = response.header("www-authenticate") {
        known = known
            .detail("auth", asked)
            .text("http_header.wwwauth", asked);
    }
    if let Some(cookie) = response.header("set-cookie") {
        known = known.text("http_header.cookie", cookie);
    }
    if (300..400).contains(&response.status) {
        known = known.detail_of("redirect", response.header("location"));
    }
    if let Some(title) = web::title(response.body) {
        known = known
            .detail("title", &title)
            .text("html_title", title.as_bytes());
    }
    let mut known = web::body(known, response);
    if known.protocol == "http" && web::may_have_version(response) {
        known.further = Some(&version::DIALOGUE);
    }
    known
}

/// Reads a response whose header fields are complete.
pub fn read(bytes: &[u8]) -> Option<Response<'_>> {
    let (version, status) = status_line(bytes)?;
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| (at, at + 4));
    let end = end.or_else(|| {
        bytes
            .windows(2)
            .position(|two| two == b"\n\n")
            .map(|at| (at, at + 2))
    });
    let (end, start) = end?;
    let mut response = Response {
        version,
        status,
        head: bytes.get(..end)?,
        body: bytes.get(start..)?,
        complete: Complete::NotYet,
    };
    let length = response.header("content-length");
    let length = length.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
    let chunked = response.header("transfer-encoding").is_some();
    let empty = matches!(response.status, 100..200 | 204 | 304);
    let whole = length.is_some_and(|length| response.body.len() >= length)
        || (chunked && response.body.ends_with(b"0\r\n\r\n"));
    if empty || whole {
        response.complete = Complete::Yes;
    }
    Some(response)
}

/// `HTTP/1.1 200 OK`
fn status_line(bytes: &[u8]) -> Option<(&[u8], u16)> {
    let line = bytes.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    let mut words = line.strip_prefix(b"HTTP/")?.split(|byte| *byte == b' ');
    let version = words
        .next()
        .filter(|version| version.first().is_some_and(u8::is_ascii_digit))?;
    let status = words.find(|word| !word.is_empty())?;
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    Some((version, status)).filter(|(_, status)| (100..1000).contains(status))
}

impl<'a> Response<'a> {
    /// The first header field of this name.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.head
            .split(|byte| *byte == b'\n')
            .skip(1)
            .find_map(|line| {
                let (found, value) = line.split_at_checked(name.len())?;
                let value = value.strip_prefix(b":")?;
                found
                    .eq_ignore_ascii_case(name.as_bytes())
                    .then(|| value.trim_ascii())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::protocols::examples::{all, known, said};

    fn value<'a>(known: &'a Recognised, name: &str) -> &'a str {
        let detail = known.details.iter().find(|detail| detail.name == name);
        detail.map_or("", |detail| &detail.value)
    }

    #[test]
    fn server_title_redirect() {
        let page = b"HTTP/1.1 301 Moved Permanently\r\nServer: nginx/1.22.1\r\nLocation: https://example/\r\n\
            Content-Length: 40\r\n\r\n<html><head><TITLE>\n 301  Moved </TITLE>..";
        assert!(matches!(hear(&said(&page[..60])), Heard::More));
        let heard = known(hear(&all(page)));
        assert_eq!(value(&heard, "server"), "nginx/1.22.1");
        assert_eq!(value(&heard, "title"), "301 Moved");
        assert_eq!(value(&heard, "redirect"), "https://example/");
        assert_eq!(heard.texts[0].text, b"nginx/1.22.1");
    }

    #[test]
    fn printers_and_what_is_no_http() {
        let heard = known(hear(&all(
            b"HTTP/1.1 200 OK\r\nServer: CUPS/2.4 IPP/2.1\r\n\r\n",
        )));
        assert_eq!(heard.protocol, "ipp");
        for strange in [
            &b"HTTP/x 200\r\n\r\n"[..],
            b"HTTP/1.1 abc\r\n\r\n",
            b"RTSP/1.0 200 OK\r\n\r\n",
            b"",
        ] {
            assert!(matches!(hear(&all(strange)), Heard::Strange), "{strange:?}");
        }
    }
}
