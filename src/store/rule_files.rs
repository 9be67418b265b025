//! Files of rules in a folder, such as Recog's `xml`.

use std::fs::File as Opened;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::enrich::rules::File;

/// Every `*.xml` in this folder, by name.
///
/// # Errors
/// The folder or one of the files cannot be read, there are too many or too large ones, or none at all.
pub fn read(folder: &Path) -> io::Result<Vec<File>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(io::Error::other(format!("more than {MOST_FILES} files")));
        }
    }
    if paths.is_empty() {
        return Err(io::Error::other("it has no *.xml"));
    }
    paths.sort();
    paths.iter().map(|path| file(path)).collect()
}

fn file(path: &Path) -> io::Result<File> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let opened = Opened::open(path).map_err(told)?;
    opened
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(told)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "{name} is larger than {} MiB",
            LARGEST >> 20
        )));
    }
    Ok(File { name, bytes })
}

const MOST_FILES: usize = 1024;
/// Recog's largest has 1 MB.
const LARGEST: u64 = 16 << 20;
