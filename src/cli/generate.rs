//! What packagers put in its place, derived from the one definition of the options: completions and the manual.

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use halfopen::plan::{Mistake, nearest, quote};

use crate::cli::args::Args;
use crate::cli::commands;
use crate::cli::settings::words;

/// The text of this kind.
///
/// # Errors
/// When there is no such kind.
pub fn generated(kind: &str) -> Result<String, Mistake> {
    match kind {
        "man" => Ok(manual()),
        "complete-bash" => Ok(with_interfaces(Shell::Bash, &for_bash())),
        "complete-fish" => Ok(with_interfaces(Shell::Fish, &for_fish())),
        "complete-zsh" => Ok(with_interfaces(Shell::Zsh, &for_zsh())),
        other => {
            let right = match nearest(other, KINDS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("write {}", KINDS.join(", ")),
            };
            Err(Mistake::new(format!(
                "cannot generate {}; {right}",
                quote(other)
            )))
        }
    }
}

/// Bash takes the first word that is a command for one, and anything else for a target.
fn for_bash() -> String {
    // The generator would offer the word [TARGET] itself.
    let flags = with_words().get_arguments().cloned().collect::<Vec<_>>();
    let flags = flags.into_iter().filter(|option| !option.is_positional());
    let command = Command::new(NAME)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .args(flags)
        .subcommands(commands::definitions());
    script(Shell::Bash, command, NAME)
}

/// The generator for fish offers no option behind the first target where there are commands. So the scan and each
/// command are generated on their own, and each line asks for the first word.
fn for_fish() -> String {
    let names: Vec<String> = commands::definitions()
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut text = format!(
        "function __halfopen_command\n    set -l words (commandline -opc)\n    if set -q argv[1]\n        \
         test \"$words[2]\" = $argv[1]\n    else\n        contains -- \"$words[2]\" {}\n    end\nend\n",
        names.join(" ")
    );
    let lines = |command: Command, name: &str, when: &str| {
        let from = format!("complete -c {name} ");
        script(Shell::Fish, command, name)
            .replace(&from, &format!("complete -c {NAME} -n '{when}' "))
    };
    text.push_str(&lines(with_words(), NAME, "not __halfopen_command"));
    for command in commands::definitions() {
        let name = command.get_name().to_owned();
        let about = about(&command).replace('\'', "\\'");
        text.push_str(&format!(
            "complete -c {NAME} -n 'test (count (commandline -opc)) -eq 1' -a {name} -d '{about}'\n"
        ));
        let when = format!("__halfopen_command {name}");
        text.push_str(&lines(command, &format!("{NAME}-{name}"), &when));
    }
    text
}

/// The generator for zsh expects a command behind the targets. So the scan and each command are generated on their own, and
/// the first word decides between them.
fn for_zsh() -> String {
    let mut offered = String::new();
    let mut chosen = String::new();
    let mut functions = String::new();
    for command in commands::definitions() {
        let name = command.get_name().to_owned();
        let about = about(&command).replace('\'', "'\\''");
        offered.push_str(&format!(" '{name}:{about}'"));
        chosen.push_str(&format!(
            "        {name}) shift words; (( CURRENT -= 1 )); _{NAME}-{name}; return;;\n"
        ));
        let function = script(Shell::Zsh, command, &format!("{NAME}-{name}"));
        let body = function.find(&format!("_{NAME}-{name}() {{"));
        let end = function.find("if [ \"$funcstack[1]\"");
        if let (Some(body), Some(end)) = (body, end) {
            functions.push_str(function.get(body..end).unwrap_or_default());
        }
    }
    let first_word = format!(
        "_{NAME}() {{\n    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n        local commands; \
         commands=({offered} )\n        _describe -t commands 'commands' commands\n    elif (( CURRENT > 2 )); then\n        \
         case $words[2] in\n{chosen}        esac\n    fi\n"
    );
    let scan = script(Shell::Zsh, with_words(), NAME);
    // With two colons no option would be offered behind the first target.
    let scan = scan.replace("'*::targets", "'*:targets").replacen(
        &format!("_{NAME}() {{\n"),
        &first_word,
        1,
    );
    match scan.split_once("_halfopen() {") {
        Some((head, tail)) => format!("{head}{functions}_halfopen() {{{tail}"),
        None => scan,
    }
}

/// The generators know files and fixed words alone: what interfaces there are is asked when somebody types.
fn with_interfaces(shell: Shell, script: &str) -> String {
    let mut text = String::with_capacity(script.len());
    let mut is_value = false;
    for line in script.lines() {
        let word = line.trim_start();
        let of_interface = match shell {
            Shell::Bash => std::mem::replace(&mut is_value, matches!(word, "--interface)" | "-e)")),
            Shell::Zsh => word.starts_with("'-e+") || word.starts_with("'--interface="),
            _ => word.contains(" -l interface "),
        };
        let line = match shell {
            _ if !of_interface => line.to_owned(),
            Shell::Bash => line.replace(
                "compgen -f \"${cur}\"",
                "compgen -W \"$(command ls /sys/class/net 2>/dev/null)\" -- \"${cur}\"",
            ),
            Shell::Zsh => line.replace(":NAME:_default'", ":NAME:_net_interfaces'"),
            _ => format!("{line} -f -a '(__fish_print_interfaces)'"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    about.unwrap_or_default()
}

fn script(shell: Shell, mut command: Command, name: &str) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The options with the words that they take. For a command line these are no business of clap's: what it says of a wrong
/// one is not what we say.
fn with_words() -> Command {
    WORDS.iter().fold(Args::command(), |command, (id, words)| {
        command.mut_arg(id, |option| option.value_parser(words.to_vec()))
    })
}

/// The manual, with a part for each command.
fn manual() -> String {
    // What the short help leaves out would have no text where it has no long one.
    let whole = |command: Command| command.mut_args(|argument| argument.hide_short_help(false));
    let page = Man::new(whole(Args::command())).section("1");
    let mut text = Vec::new();
    // A vector takes everything.
    let _ = page
        .render_title(&mut text)
        .and_then(|()| page.render_name_section(&mut text))
        .and_then(|()| page.render_synopsis_section(&mut text))
        .and_then(|()| page.render_description_section(&mut text))
        .and_then(|()| page.render_options_section(&mut text));
    for command in commands::definitions() {
        let title = format!(".SH \"HALFOPEN {}\"\n", command.get_name().to_uppercase());
        let page = Man::new(whole(command.clone()));
        let mut part = Vec::new();
        let _ = page
            .render_description_section(&mut part)
            .and_then(|()| page.render_synopsis_section(&mut part))
            .and_then(|()| page.render_options_section(&mut part));
        if command.get_after_help().is_some() {
            let _ = page.render_extra_section(&mut part);
        }
        let mut part = String::from_utf8_lossy(&part).replace(".SH DESCRIPTION\n", &title);
        for (section, beneath) in [
            (".SH SYNOPSIS\n", ".SS Usage\n"),
            (".SH OPTIONS\n", ".SS Options\n"),
            (".SH EXTRA\n", ".PP\n"),
        ] {
            part = part.replace(section, beneath);
        }
        text.extend(part.into_bytes());
    }
    let _ = page.render_extra_section(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

const NAME: &str = "halfopen";

/// The options that take one of a few words.
const WORDS: [(&str, &[&str]); 5] = [
    ("ports", &["all", "common", "registered", "well-known"]),
    ("mode", &words::MODES),
    ("confirm", &words::CONFIRMATIONS),
    ("send_path", &words::SEND_PATHS),
    ("generate", &KINDS),
];
const KINDS: [&str; 4] = ["man", "complete-bash", "complete-zsh", "complete-fish"];

#[cfg(test)]
mod tests {
    use super::*;

    /// What help, manual and completions must name: every flag of the scan and of each command, and the commands.
    fn everything() -> Vec<String> {
        let mut names = Vec::new();
        for command in std::iter::once(Args::command()).chain(commands::definitions()) {
            names.push(command.get_name().to_owned());
            for option in command.get_arguments() {
                names.extend(option.get_long().map(|long| format!("--{long}")));
                names.extend(option.get_short().map(|short| format!("-{short}")));
            }
        }
        names
    }

    #[test]
    fn no_option_and_no_command_is_missing_anywhere() {
        assert!(everything().len() > 40, "{:?}", everything());
        for kind in KINDS {
            // The manual escapes hyphens, fish names flags without them.
            let text = generated(kind).expect("a kind").replace("\\-", "-");
            for name in everything() {
                let flag = name.trim_start_matches('-');
                let told = match kind {
                    "complete-fish" if flag.len() == 1 => text.contains(&format!(" -s {flag} ")),
                    "complete-fish" if name.starts_with('-') => {
                        text.contains(&format!(" -l {flag} "))
                    }
                    "man" if !name.starts_with('-') => {
                        text.contains(&name.to_uppercase()) || text.contains(&name)
                    }
                    _ => text.contains(&name),
                };
                assert!(told, "{kind} does not have {name}");
            }
        }
    }

    #[test]
    fn options_that_the_short_help_leaves_out_had_no_text_in_the_manual() {
        let manual = generated("man").expect("a kind");
        let lines: Vec<&str> = manual.lines().collect();
        let entries = lines.windows(3).filter(|three| three[0] == ".TP");
        let empty: Vec<&str> = entries
            .filter(|three| three[2].is_empty() || three[2].starts_with('.'))
            .map(|three| three[1])
            .collect();
        assert!(empty.is_empty(), "{empty:?}");
        assert!(
            manual.contains("Exit status: 0 no change, 1 changes"),
            "diff"
        );
    }

    #[test]
    fn words_that_options_take_are_completed() {
        for kind in ["complete-bash", "complete-zsh", "complete-fish"] {
            let text = generated(kind).expect("a kind");
            assert!(text.contains("force-frame"), "{kind}");
            assert!(!text.contains("[TARGET]"), "{kind}");
        }
    }

    #[test]
    fn an_unknown_kind_is_a_mistake() {
        let told = |kind| generated(kind).expect_err("no kind").to_string();
        assert_eq!(
            told("complete-zhs"),
            r#"cannot generate "complete-zhs"; did you mean complete-zsh?"#
        );
        assert!(told("pdf").contains("write man, complete-bash"));
    }
}
