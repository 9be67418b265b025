//! From a path to documents: a file, what gzip packed, the files of a folder, the files of a ZIP archive.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Seek as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use crate::store::feeds::{Broken, FeedError};
use crate::store::place::{short, shown};

type Document<'d> = dyn FnMut(&mut dyn Read) -> Result<(), Broken> + 'd;

/// Hands every document at this path on, in the order of names. In folders and archives only files whose names fit are
/// read.
pub fn documents(
    path: &Path,
    fits: &dyn Fn(&str) -> bool,
    each: &mut Document<'_>,
) -> Result<(), FeedError> {
    let failed = |source| unreadable_at(path, source);
    let about = fs::metadata(path).map_err(failed)?;
    if about.is_dir() {
        return folder(path, 0, fits, each);
    }
    if !about.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    file(path, fits, each)
}

fn folder(
    path: &Path,
    depth: u32,
    fits: &dyn Fn(&str) -> bool,
    each: &mut Document<'_>,
) -> Result<(), FeedError> {
    let failed = |source| unreadable_at(path, source);
    if depth > DEEPEST {
        return Err(failed(io::Error::other("folders lie too deep in it")));
    }
    let mut entries = fs::read_dir(path)
        .and_then(|entries| entries.collect::<io::Result<Vec<_>>>())
        .map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // Links are not followed: they may lead round in circles.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            folder(&entry.path(), depth + 1, fits, each)?;
        } else if kind.is_file() && fits(&entry.file_name().to_string_lossy()) {
            file(&entry.path(), fits, each)?;
        }
    }
    Ok(())
}

fn file(
    path: &Path,
    fits: &dyn Fn(&str) -> bool,
    each: &mut Document<'_>,
) -> Result<(), FeedError> {
    let failed = |source| unreadable_at(path, source);
    let mut opened = File::open(path).map_err(failed)?;
    let first = beginning(&mut opened).map_err(failed)?;
    opened.rewind().map_err(failed)?;
    if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
        return archive(path, opened, fits, each);
    }
    let place = || shown(path);
    plain(BufReader::with_capacity(BUFFER, opened), each).map_err(|broken| placed(broken, place))
}

fn archive(
    path: &Path,
    file: File,
    fits: &dyn Fn(&str) -> bool,
    each: &mut Document<'_>,
) -> Result<(), FeedError> {
    let broken = |error: zip::result::ZipError| FeedError::Malformed {
        place: shown(path),
        what: format!("no whole ZIP archive: {error}"),
    };
    let mut archive = ZipArchive::new(BufReader::with_capacity(BUFFER, file)).map_err(broken)?;
    for index in 0..archive.len() {
        let packed = archive.by_index(index).map_err(broken)?;
        let name = packed.name().map_err(broken)?.into_owned();
        let last = name.rsplit('/').next().unwrap_or_default();
        if packed.is_dir() || !fits(last) {
            continue;
        }
        let place = || format!("{} in {}", short(last), shown(path));
        plain(packed, each).map_err(|broken| placed(broken, place))?;
    }
    Ok(())
}

fn unreadable_at(path: &Path, source: io::Error) -> FeedError {
    FeedError::Read {
        path: path.to_owned(),
        source,
    }
}

/// Unpacks what gzip packed, whatever its name is, and takes the mark of UTF-8 away.
fn plain(mut input: impl Read, each: &mut Document<'_>) -> Result<(), Broken> {
    let first = beginning(&mut input).map_err(unreadable)?;
    if first.starts_with(&GZIP) {
        let input = MultiGzDecoder::new(io::Cursor::new(first).chain(input));
        unmarked(BufReader::with_capacity(BUFFER, input), each)
    } else {
        unmarked(io::Cursor::new(first).chain(input), each)
    }
}

fn unmarked(mut input: impl Read, each: &mut Document<'_>) -> Result<(), Broken> {
    let first = beginning(&mut input).map_err(unreadable)?;
    let first = first.strip_prefix(MARK).unwrap_or(&first);
    each(&mut io::Cursor::new(first).chain(input))
}

fn beginning(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(4);
    input.take(4).read_to_end(&mut first)?;
    Ok(first)
}

/// A failure while reading, as a place in the document: what gzip packed may be cut anywhere.
pub fn unreadable(error: io::Error) -> Broken {
    let what = match error.kind() {
        ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    Broken::Malformed { place: None, what }
}

fn placed(broken: Broken, place: impl Fn() -> String) -> FeedError {
    match broken {
        Broken::Malformed {
            place: Some((line, column)),
            what,
        } => FeedError::Malformed {
            place: format!("{} line {line} column {column}", place()),
            what,
        },
        Broken::Malformed { place: None, what } => FeedError::Malformed {
            place: place(),
            what,
        },
        Broken::Stopped => FeedError::Stopped,
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const MARK: &[u8] = b"\xef\xbb\xbf";
const BUFFER: usize = 1 << 16;
/// The CVE List has three levels.
const DEEPEST: u32 = 16;
