//! A web server of the tests' own on the loopback: files by path, with entity tags and ranges.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::listeners;

/// The server. Clones are the same one.
#[derive(Clone, Default)]
pub struct Web {
    files: Arc<Mutex<BTreeMap<String, Served>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Served {
    body: Vec<u8>,
    etag: &'static str,
    /// How much of a body is sent before the connection ends.
    cut: Option<usize>,
}

impl Web {
    /// Serves until the test's process ends.
    pub fn started() -> (Self, String) {
        let web = Self::default();
        let (mut sockets, ports) = listeners("127.0.0.1", 1);
        let listener: TcpListener = sockets.pop().expect("a listener");
        let serving = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.answer(stream);
            }
        });
        (web, format!("http://127.0.0.1:{}/mirror", ports[0]))
    }

    pub fn put(&self, path: &str, body: &[u8], etag: &'static str, cut: Option<usize>) {
        let served = Served {
            body: body.to_vec(),
            etag,
            cut,
        };
        self.files
            .lock()
            .expect("whole")
            .insert(format!("/mirror/{path}"), served);
    }

    /// What was asked since the last time: path, and what headers said of tags and ranges.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("whole"))
    }

    fn answer(&self, stream: TcpStream) {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let headers: BTreeMap<String, String> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| {
                line.split_once(": ")
                    .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            })
            .collect();
        let header = |name: &str| headers.get(name).map_or("", String::as_str);
        self.asked.lock().expect("whole").push(format!(
            "{path} {}{}",
            header("if-none-match"),
            header("range")
        ));
        let served = self.files.lock().expect("whole").get(&path).cloned();
        let mut out = &stream;
        let Some(Served { body, etag, cut }) = served else {
            let _ = out.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            return;
        };
        if header("if-none-match") == etag {
            let _ = out.write_all(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
            return;
        }
        let from = header("range")
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'))
            .filter(|_| header("if-range") == etag)
            .and_then(|from| from.parse::<usize>().ok());
        let status = match from {
            Some(from) => format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                body.len() - 1,
                body.len()
            ),
            None => "200 OK".to_owned(),
        };
        let body = &body[from.unwrap_or(0)..];
        let _ = write!(
            out,
            "HTTP/1.1 {status}\r\nETag: {etag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = out.write_all(&body[..cut.unwrap_or(body.len()).min(body.len())]);
    }
}
