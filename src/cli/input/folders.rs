//! The folders whose excludes always hold: the system's and the user's.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::cli::config::places::{SYSTEM_FOLDER, is_ours, user_folder};

/// Where such excludes lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folders {
    system: Option<PathBuf>,
    /// None where the environment names no home.
    user: Option<PathBuf>,
}

/// Why a folder cannot be used.
#[derive(Debug)]
pub enum Trouble {
    /// It, or something in it, is not what it should be: nobody knows what it excludes.
    Unreadable(PathBuf, io::Error),
    /// Another user's folder, where this process may not even look.
    NotOurs(PathBuf, io::Error),
}

impl Folders {
    /// The folders that this environment names.
    pub fn new(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            system: Some(Path::new(SYSTEM_FOLDER).join("exclude.d")),
            user: user_folder(variable).map(|settings| settings.join("exclude.d")),
        }
    }

    /// No folders.
    #[cfg(test)]
    pub fn none() -> Self {
        Self {
            system: None,
            user: None,
        }
    }

    /// The `.conf` files in both, the system's first, each folder in the order of names; and what is wrong.
    pub fn files(&self) -> (Vec<PathBuf>, Vec<Trouble>) {
        let mut files = Vec::new();
        let mut troubles = Vec::new();
        for folder in self.system.iter().chain(&self.user) {
            match listed(folder) {
                Ok(mut found) => files.append(&mut found),
                Err(Trouble::NotOurs(path, error)) if Some(folder) == self.system.as_ref() => {
                    troubles.push(Trouble::Unreadable(path, error));
                }
                Err(trouble) => troubles.push(trouble),
            }
        }
        (files, troubles)
    }
}

/// The `.conf` files of one folder; none where there is no such folder.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let unreadable = |error| Trouble::Unreadable(folder.to_owned(), error);
    match fs::metadata(folder) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => return Err(unreadable(io::Error::other("not a folder"))),
        // A home such as /dev/null has no folders either.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !is_ours(folder) => {
            return Err(Trouble::NotOurs(folder.to_owned(), error));
        }
        Err(error) => return Err(unreadable(error)),
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        // As a shell's *.conf has it.
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".conf") && !bytes.starts_with(b".") {
            files.push(folder.join(name));
        }
    }
    files.sort_unstable();
    // A pipe would keep the scan waiting for whoever writes into it; a link to /dev/null is how administrators switch a
    // file off.
    for file in &files {
        let broken = |error| Trouble::Unreadable(file.clone(), error);
        let kind = fs::metadata(file).map_err(broken)?.file_type();
        if !kind.is_file() && !kind.is_char_device() {
            return Err(broken(io::Error::other("not a regular file")));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Folders::new(&variable).user
    }

    #[test]
    fn the_users_folder_follows_the_environment() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(user(&[]), None);
        assert_eq!(user(&[("HOME", "")]), None);
        assert_eq!(
            user(&[("HOME", "/h")]),
            path("/h/.config/halfopen/exclude.d")
        );
        assert_eq!(
            user(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]),
            path("/c/halfopen/exclude.d")
        );
        for ignored in ["", "relative"] {
            assert_eq!(
                user(&[("HOME", "/h"), ("XDG_CONFIG_HOME", ignored)]),
                path("/h/.config/halfopen/exclude.d")
            );
        }
    }

    #[test]
    fn only_visible_conf_files_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.conf", "a.conf", ".c.conf", "d.conf~", "README"] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        std::os::unix::fs::symlink("/dev/null", folder.path().join("off.conf")).expect("a link");
        let files = listed(folder.path()).expect("readable");
        assert_eq!(
            files,
            ["a.conf", "b.conf", "off.conf"].map(|name| folder.path().join(name))
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty_and_anything_else_is_trouble() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(listed(&folder.path().join("none")).is_ok_and(|files| files.is_empty()));
        assert!(listed(Path::new("/dev/null/halfopen")).is_ok_and(|files| files.is_empty()));
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(matches!(listed(&file), Err(Trouble::Unreadable(..))));
        fs::create_dir(folder.path().join("x.conf")).expect("a folder");
        assert!(matches!(
            listed(folder.path()),
            Err(Trouble::Unreadable(..))
        ));
    }
}
