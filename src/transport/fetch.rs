//! Downloads of data files when the user asks for them, over HTTPS: what changed since the last time, and the rest of what
//! broke off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::{HeaderMap, HeaderName};
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// Downloads files. It honours `HTTPS_PROXY` and its like.
#[derive(Debug)]
pub struct Fetcher {
    agent: Agent,
}

/// What a server says of a file, to ask whether it changed since.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    pub etag: Option<String>,
    pub modified: Option<String>,
}

/// What a download came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fetched {
    /// The file is what it was when it had this stamp; nothing was written.
    Unchanged,
    /// It is there, whole.
    Whole {
        stamp: Stamp,
        /// Of the whole file.
        bytes: u64,
        /// Of these, how many an earlier download had left.
        resumed: u64,
    },
}

/// Why a download failed. What came until then is kept, and the next one goes on behind it.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("cannot download {url}: {what}")]
    Network { url: String, what: String },
    #[error("cannot download {url}: the server says {status}")]
    Refused { url: String, status: StatusCode },
    #[error("cannot download {url}: it has more than {} GiB", MOST >> 30)]
    TooLarge { url: String },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetcher {
    /// Trusts the authorities that this machine trusts; where it has no list of them, those that Mozilla trusts.
    pub fn new() -> Self {
        let roots = AUTHORITIES
            .iter()
            .find_map(|path| authorities(Path::new(path)))
            .map_or(RootCerts::WebPki, |roots| {
                RootCerts::Specific(Arc::new(roots))
            });
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("halfopen/", env!("CARGO_PKG_VERSION")))
            .max_redirects(5)
            .timeout_resolve(Some(SILENCE))
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Self {
            agent: config.into(),
        }
    }

    /// Downloads a file to `to`, unless it still has the stamp `known`. What an earlier download left there is gone on
    /// with, if the server says that it is still the same file.
    ///
    /// # Errors
    /// [`FetchError`]. A wait of half a minute for anything is one.
    pub fn fetch(&self, url: &str, known: &Stamp, to: &Path) -> Result<Fetched, FetchError> {
        let partial = Partial::at(to);
        let response = self.ask(url, known, partial.as_ref())?;
        let (response, resumed) = match (response.status(), partial) {
            (StatusCode::NOT_MODIFIED, None) => return Ok(Fetched::Unchanged),
            (StatusCode::PARTIAL_CONTENT, Some(partial)) if goes_on(&response, partial.bytes) => {
                (response, partial.bytes)
            }
            (StatusCode::OK, _) => (response, 0),
            // The server has no such part: begin again.
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
                (self.ask(url, &Stamp::default(), None)?, 0)
            }
            (status, _) => {
                return Err(FetchError::Refused {
                    url: url.to_owned(),
                    status,
                });
            }
        };
        if resumed == 0 && response.status() != StatusCode::OK {
            return Err(FetchError::Refused {
                url: url.to_owned(),
                status: response.status(),
            });
        }
        let stamp = Stamp {
            etag: told(response.headers(), &header::ETAG),
            modified: told(response.headers(), &header::LAST_MODIFIED),
        };
        let bytes = keep(url, response, &stamp, resumed, to)?;
        Ok(Fetched::Whole {
            stamp,
            bytes,
            resumed,
        })
    }

    fn ask(
        &self,
        url: &str,
        known: &Stamp,
        partial: Option<&Partial>,
    ) -> Result<Response<Body>, FetchError> {
        let mut request = self.agent.get(url);
        if let Some(partial) = partial {
            request = request
                .header(header::RANGE, format!("bytes={}-", partial.bytes))
                .header(header::IF_RANGE, &partial.etag);
        } else {
            if let Some(etag) = &known.etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(modified) = &known.modified {
                request = request.header(header::IF_MODIFIED_SINCE, modified);
            }
        }
        request.call().map_err(|error| FetchError::Network {
            url: url.to_owned(),
            what: error.to_string(),
        })
    }
}

/// Forgets a download: the file, and what is known of it.
pub fn forget(path: &Path) {
    // What is not there cannot be in the way.
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(beside(path));
}

/// A download that broke off.
struct Partial {
    bytes: u64,
    etag: String,
}

impl Partial {
    fn at(path: &Path) -> Option<Self> {
        let bytes = fs::metadata(path).ok()?.len();
        let etag = fs::read_to_string(beside(path)).ok()?;
        // A weak one (W/) promises no more than the same meaning.
        (bytes > 0 && etag.starts_with('"')).then_some(Self { bytes, etag })
    }
}

/// Where the stamp of a download lies while it is not whole.
fn beside(path: &Path) -> PathBuf {
    path.with_added_extension("etag")
}

/// Whether a part begins where ours ends.
fn goes_on(response: &Response<Body>, bytes: u64) -> bool {
    told(response.headers(), &header::CONTENT_RANGE)
        .is_some_and(|range| range.starts_with(&format!("bytes {bytes}-")))
}

fn told(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= LONGEST_HEADER).then(|| value.to_owned())
}

/// Writes the body behind what is there, and returns how long the file is then.
fn keep(
    url: &str,
    response: Response<Body>,
    stamp: &Stamp,
    resumed: u64,
    to: &Path,
) -> Result<u64, FetchError> {
    let write = |source| FetchError::Write {
        path: to.to_owned(),
        source,
    };
    let mut file = if resumed > 0 {
        OpenOptions::new().append(true).open(to).map_err(write)?
    } else {
        fs::write(beside(to), stamp.etag.as_deref().unwrap_or_default()).map_err(write)?;
        File::create(to).map_err(write)?
    };
    let length = told(response.headers(), &header::CONTENT_LENGTH).and_then(|it| it.parse().ok());
    let mut body = response.into_body().into_with_config().limit(MOST).reader();
    let mut buffer = vec![0; BUFFER];
    let mut received = 0_u64;
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(FetchError::Network {
                    url: url.to_owned(),
                    what: format!("it broke off: {error}"),
                });
            }
        };
        received += u64::try_from(read).unwrap_or(u64::MAX);
        if resumed.saturating_add(received) > MOST {
            return Err(FetchError::TooLarge {
                url: url.to_owned(),
            });
        }
        file.write_all(buffer.get(..read).unwrap_or_default())
            .map_err(write)?;
    }
    if length.is_some_and(|length: u64| length != received) {
        return Err(FetchError::Network {
            url: url.to_owned(),
            what: "it broke off".to_owned(),
        });
    }
    file.sync_all().map_err(write)?;
    Ok(resumed + received)
}

/// The authorities in a file, if there are any.
fn authorities(path: &Path) -> Option<Vec<Certificate<'static>>> {
    let pem = fs::read(path).ok()?;
    let roots: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    (!roots.is_empty()).then_some(roots)
}

/// Where distributions keep the authorities that they trust.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// How long anything is waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a file; the largest of the feeds has about half a GiB.
const MOST: u64 = 8 << 30;
const BUFFER: usize = 1 << 16;
const LONGEST_HEADER: usize = 1024;
