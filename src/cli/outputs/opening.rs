//! From names to open files. Nothing that exists is ever truncated.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use halfopen::plan::{Mistake, escape};

use crate::cli::outputs::asked::{Asked, Destination};

/// What happens to a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    Refused,
    /// It is renamed to `FILE~`.
    Kept,
}

/// Looks whether each output can be written, and finds those that are standard output by another name.
///
/// # Errors
/// A missing folder, a folder, a file that exists, two outputs to one file.
pub fn look(asked: Vec<Asked>, existing: Existing) -> Result<Vec<Asked>, Vec<Mistake>> {
    let stdout = stdout();
    let (mut outputs, mut mistakes) = (Vec::new(), Vec::new());
    let mut taken: Vec<Identity> = Vec::new();
    for asked in asked {
        let looked = match &asked.to {
            Destination::Stdout => Ok(Identity::Stdout),
            Destination::File(path) => look_at(path, existing, stdout.as_ref()),
        };
        let identity = match looked {
            Ok(identity) => identity,
            Err(mistake) => {
                mistakes.push(mistake);
                continue;
            }
        };
        if identity != Identity::Device && taken.contains(&identity) {
            mistakes.push(Mistake::new(format!(
                "two outputs go to {}; give each a file of its own",
                name(&asked.to)
            )));
            continue;
        }
        let to = match identity {
            Identity::Stdout => Destination::Stdout,
            _ => asked.to,
        };
        outputs.push(Asked { to, ..asked });
        taken.push(identity);
    }
    if mistakes.is_empty() {
        Ok(outputs)
    } else {
        Err(mistakes)
    }
}

/// Opens the files, in their order; standard output is `None`. Waits for the reader of a named pipe, as a shell does.
///
/// # Errors
/// What the system said of the first that could not be opened. Those before it are as if nothing had happened.
pub fn open(asked: &[Asked], existing: Existing) -> Result<Vec<Option<File>>, Mistake> {
    let mut files = Vec::new();
    let mut made: Vec<Made> = Vec::new();
    for one in asked {
        let Destination::File(path) = &one.to else {
            files.push(None);
            continue;
        };
        match open_one(path, existing, &mut made) {
            Ok(file) => files.push(Some(file)),
            Err(error) => {
                for made in made.iter().rev() {
                    made.undo();
                }
                return Err(cannot_write(path, &error));
            }
        }
    }
    Ok(files)
}

/// How an output is called in messages.
pub fn name(to: &Destination) -> String {
    match to {
        Destination::Stdout => "standard output".to_owned(),
        Destination::File(path) => shown(path),
    }
}

/// Which file a name stands for.
#[derive(PartialEq, Eq, Debug)]
enum Identity {
    Stdout,
    /// Device and inode.
    File(u64, u64),
    /// Not there yet: the folder without links in it, and the name.
    New(PathBuf, OsString),
    /// `/dev/null` and the like: any number of outputs may go there.
    Device,
}

/// What opening has changed.
struct Made {
    path: PathBuf,
    /// Where the file is now that had this name.
    kept: Option<PathBuf>,
}

impl Made {
    /// Best effort: the error that is reported is the one that led here.
    fn undo(&self) {
        let _ = match &self.kept {
            Some(kept) => fs::rename(kept, &self.path),
            None => fs::remove_file(&self.path),
        };
    }
}

fn look_at(
    path: &Path,
    existing: Existing,
    stdout: Option<&Metadata>,
) -> Result<Identity, Mistake> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return look_beside(path),
        Err(error) => return Err(cannot_write(path, &error)),
    };
    let kind = found.file_type();
    if let Some(stdout) = stdout
        && (found.dev(), found.ino()) == (stdout.dev(), stdout.ino())
        && (!kind.is_char_device() || io::stdout().is_terminal())
    {
        return Ok(Identity::Stdout);
    }
    if kind.is_dir() {
        return Err(wrong(path, "is a folder", "name a file in it"));
    }
    if kind.is_block_device() || kind.is_socket() {
        return Err(wrong(
            path,
            "is no file",
            "name a file, a pipe or standard output",
        ));
    }
    if kind.is_char_device() {
        return Ok(Identity::Device);
    }
    if kind.is_file() {
        let kept = kept(path);
        if existing == Existing::Refused {
            let right = format!("--overwrite keeps the old one as {}", shown(&kept));
            return Err(wrong(path, "exists", &right));
        }
        if kept.is_dir() {
            return Err(wrong(
                &kept,
                "is a folder",
                "the old file cannot be kept under that name",
            ));
        }
    }
    Ok(Identity::File(found.dev(), found.ino()))
}

/// For a file that is not there: whether it can be.
fn look_beside(path: &Path) -> Result<Identity, Mistake> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(wrong(
            path,
            "is a link that leads nowhere",
            "name another file",
        ));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (Ok(whole), Some(last)) = (fs::canonicalize(folder), path.file_name()) else {
        let what = format!(
            "cannot be written, because there is no folder {}",
            shown(folder)
        );
        return Err(wrong(path, &what, "create it first"));
    };
    if !whole.is_dir() {
        let what = format!("cannot be written, because {} is no folder", shown(folder));
        return Err(wrong(path, &what, "name a folder"));
    }
    Ok(Identity::New(whole, last.to_owned()))
}

fn open_one(path: &Path, existing: Existing, made: &mut Vec<Made>) -> io::Result<File> {
    let there = fs::metadata(path).ok();
    if let Some(there) = &there
        && !there.is_file()
    {
        return OpenOptions::new().write(true).open(path);
    }
    let mut moved = None;
    if there.is_some() && existing == Existing::Kept {
        let kept = kept(path);
        fs::rename(path, &kept)?;
        moved = Some(kept);
    }
    // Whatever took the name since we looked stays as it is.
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match (&opened, moved) {
        (Err(_), None) => {}
        (_, kept) => made.push(Made {
            path: path.to_owned(),
            kept,
        }),
    }
    opened
}

/// `FILE~`
fn kept(path: &Path) -> PathBuf {
    let mut kept = path.as_os_str().to_owned();
    kept.push("~");
    PathBuf::from(kept)
}

fn stdout() -> Option<Metadata> {
    let stdout = io::stdout().as_fd().try_clone_to_owned().ok()?;
    File::from(stdout).metadata().ok()
}

fn wrong(path: &Path, what: &str, right: &str) -> Mistake {
    Mistake::new(format!("{} {what}; {right}", shown(path)))
}

fn cannot_write(path: &Path, error: &io::Error) -> Mistake {
    let why = escape(&error.to_string(), 80);
    Mistake::new(format!("cannot write {}: {why}", shown(path)))
}

/// The end of a path says more than its beginning.
fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    let length = path.chars().count();
    if length <= LONGEST_PATH {
        return format!("\"{}\"", escape(&path, 2 * LONGEST_PATH));
    }
    let end: String = path.chars().skip(length - LONGEST_PATH).collect();
    format!("\"...{}\"", escape(&end, 2 * LONGEST_PATH))
}

const LONGEST_PATH: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::outputs::asked::Format;

    fn told(path: &Path) -> String {
        let asked = Asked {
            format: Format::Xml,
            to: Destination::File(path.to_owned()),
        };
        let mistakes = look(vec![asked], Existing::Refused).expect_err("a mistake");
        mistakes[0].to_string()
    }

    #[test]
    fn a_long_path_is_known_by_its_end() {
        let long = PathBuf::from(format!("/{}/scan.xml", "a".repeat(200)));
        assert!(shown(&long).ends_with("aaa/scan.xml\"") && shown(&long).len() < 70);
        assert!(told(&long).len() < 390, "{}", told(&long));
    }

    #[test]
    fn folders_links_and_devices_are_told_apart() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("folder.xml")).expect("a folder");
        std::os::unix::fs::symlink(at("nowhere"), at("link.xml")).expect("a link");
        fs::write(at("old.xml"), "old").expect("a file");
        for (name, expected) in [
            ("folder.xml", "is a folder"),
            ("link.xml", "is a link that leads nowhere"),
            ("old.xml", "exists; --overwrite keeps the old one as"),
            ("none/new.xml", "there is no folder"),
            ("old.xml/new.xml", "cannot write"),
        ] {
            assert!(told(&at(name)).contains(expected), "{}", told(&at(name)));
        }
        assert_eq!(fs::read(at("old.xml")).expect("untouched"), b"old");
        let device = look_at(Path::new("/dev/full"), Existing::Refused, None);
        assert_eq!(device.expect("a device"), Identity::Device);
    }

    #[test]
    fn one_file_by_two_names_is_one_file() {
        let place = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(place.path(), place.path().join("here")).expect("a link");
        let asked = |path: PathBuf| Asked {
            format: Format::Xml,
            to: Destination::File(path),
        };
        let two = vec![
            asked(place.path().join("a.xml")),
            asked(place.path().join("here/a.xml")),
        ];
        let mistakes = look(two, Existing::Refused).expect_err("two outputs to one file");
        assert!(mistakes[0].to_string().starts_with("two outputs go to \""));
    }

    #[test]
    fn what_was_opened_before_a_failure_is_undone() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        fs::write(at("old.xml"), "old").expect("a file");
        let asked: Vec<Asked> = ["old.xml", "new.csv", "gone/x.list"]
            .iter()
            .map(|name| Asked {
                format: Format::Xml,
                to: Destination::File(at(name)),
            })
            .collect();
        let mistake = open(&asked, Existing::Kept).expect_err("no such folder");
        assert!(mistake.to_string().contains("cannot write"), "{mistake}");
        assert_eq!(fs::read(at("old.xml")).expect("as it was"), b"old");
        assert!(!at("new.csv").exists() && !at("old.xml~").exists());
    }
}
