//! Where the database of known vulnerabilities lies.

use std::ffi::OsString;
use std::path::PathBuf;

use halfopen::plan::Mistake;

use crate::cli::config::places::data_folder;

/// The file that was typed, else the usual one of this environment.
///
/// # Errors
/// When nothing was typed and the environment names no home.
pub fn place(
    typed: Option<&str>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, Mistake> {
    match typed {
        Some("") => Err(Mistake::new(
            "the file of the database has no name; write --db FILE",
        )),
        Some(typed) => Ok(PathBuf::from(typed)),
        None => data_folder(variable)
            .map(|folder| folder.join(NAME))
            .ok_or_else(|| {
                Mistake::new("no HOME to keep the vulnerability database in; write --db FILE")
            }),
    }
}

const NAME: &str = "vulnerabilities.db";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_where_data_of_the_user_is() {
        let at = |typed, variables: &'static [(&str, &str)]| {
            let variable = |name: &str| {
                let value = variables.iter().find(|(known, _)| *known == name);
                value.map(|(_, value)| OsString::from(value))
            };
            place(typed, &variable).map(|path| path.display().to_string())
        };
        let home = &[("HOME", "/home/a")];
        let usual = "/home/a/.local/share/halfopen/vulnerabilities.db";
        assert_eq!(at(None, home).as_deref(), Ok(usual));
        let data = &[("HOME", "/home/a"), ("XDG_DATA_HOME", "/d")];
        assert_eq!(
            at(None, data).as_deref(),
            Ok("/d/halfopen/vulnerabilities.db")
        );
        assert_eq!(at(Some("x.db"), data).as_deref(), Ok("x.db"));
        assert!(at(None, &[]).is_err() && at(Some(""), home).is_err());
    }
}
