//! Where settings are looked for: asked of the environment once, so that the rest can be tested without one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::option::PREFIX;

/// The places beyond the command line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// The variables that may be ours.
    pub variables: Vec<(OsString, OsString)>,
    /// The usual files, the nearest first. They need not exist.
    pub files: Vec<PathBuf>,
}

impl Places {
    /// Those of a process with this environment.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables: BTreeMap<OsString, OsString> = variables.into_iter().collect();
        let own = user_folder(&|name| variables.get(OsStr::new(name)).cloned());
        Self {
            files: own
                .into_iter()
                .chain([PathBuf::from(SYSTEM_FOLDER)])
                .map(|folder| folder.join("config.toml"))
                .collect(),
            variables: variables
                .into_iter()
                .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
                .collect(),
        }
    }
}

/// Where the machine's administrator keeps settings and excludes.
pub const SYSTEM_FOLDER: &str = "/etc/halfopen";

/// Where the user of this environment keeps theirs. `None`: it names no home. Relative paths are to be ignored (XDG Base
/// Directory Specification); an empty variable is an unset one.
pub fn user_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    below(variable, "XDG_CONFIG_HOME", ".config")
}

/// Where the user of this environment keeps data that programs made. `None`: it names no home.
pub fn data_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    below(variable, "XDG_DATA_HOME", ".local/share")
}

/// Our folder in what a variable names, else in this folder of the home.
fn below(
    variable: &dyn Fn(&str) -> Option<OsString>,
    name: &str,
    at_home: &str,
) -> Option<PathBuf> {
    let absolute = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute(name)
        .or_else(|| absolute("HOME").map(|home| home.join(at_home)))
        .map(|folder| folder.join("halfopen"))
}

/// Whether the nearest folder above that can be looked at belongs to this user. It does not where a service keeps the
/// HOME of whoever started it.
pub fn is_ours(path: &Path) -> bool {
    let nearest = path.ancestors().find_map(|above| fs::metadata(above).ok());
    nearest.is_none_or(|about| about.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Places::of(variables)
            .files
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn the_users_file_comes_before_the_machines() {
        let machine = "/etc/halfopen/config.toml";
        assert_eq!(files(&[]), [machine]);
        assert_eq!(files(&[("HOME", ""), ("XDG_CONFIG_HOME", "x")]), [machine]);
        assert_eq!(
            files(&[("HOME", "/home/a")]),
            ["/home/a/.config/halfopen/config.toml", machine]
        );
        assert_eq!(
            files(&[("XDG_CONFIG_HOME", "/c"), ("HOME", "/home/a")]),
            ["/c/halfopen/config.toml", machine]
        );
    }
}
