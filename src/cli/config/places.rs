//! Where settings are looked for: asked of the environment once, so that the rest can be tested without one.

use std::ffi::OsString;
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
        let mut places = Self::default();
        let (mut config_home, mut home) = (None, None);
        for (name, value) in variables {
            match name.to_str() {
                Some("XDG_CONFIG_HOME") => config_home = absolute(&value),
                Some("HOME") => home = absolute(&value),
                _ if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) => {
                    places.variables.push((name, value));
                }
                _ => {}
            }
        }
        // Reports and mistakes come in the same order whoever made the environment.
        places.variables.sort();
        let own = config_home.or_else(|| home.map(|home| home.join(".config")));
        places.files = own
            .into_iter()
            .chain([PathBuf::from("/etc")])
            .map(|folder| folder.join("halfopen/config.toml"))
            .collect();
        places
    }
}

/// Relative folders are to be ignored (XDG Base Directory Specification).
fn absolute(value: &OsString) -> Option<PathBuf> {
    let path = Path::new(value);
    path.is_absolute().then(|| path.to_owned())
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
