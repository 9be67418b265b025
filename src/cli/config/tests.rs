use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ArgAction;
use halfopen::plan::Surroundings;

use super::option::Scope;
use super::*;
use crate::cli::input;
use crate::cli::input::folders::Folders;
use crate::cli::machine::Machine;
use crate::cli::settings;

/// Files and variables to read from.
struct Scene {
    folder: tempfile::TempDir,
    places: Places,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            places: Places::default(),
        }
    }

    /// Adds a usual file, farther than those before.
    fn file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        self.places.files.push(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.places.variables.push((name.into(), value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, argv: &[&str]) -> Configured {
        read(argv.iter().map(OsString::from), &self.places)
    }

    fn args(&self, argv: &[&str]) -> Args {
        let (args, mistakes) = self.read(argv).args();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        args
    }

    /// The mistakes, without the folder's name.
    fn told(&self, argv: &[&str]) -> Vec<String> {
        let folder = format!("\"{}/", self.folder.path().display());
        let (_, mistakes) = self.read(argv).args();
        mistakes
            .iter()
            .map(|mistake| {
                mistake
                    .to_string()
                    .replace(&folder, "")
                    .replace("\" line ", ":")
            })
            .collect()
    }
}

#[test]
fn the_nearer_wins() {
    let scene = Scene::new()
        .file(
            "own",
            "rate = 3\npatience = '3s'\nports = [22, '80-90', 'http']\n",
        )
        .file(
            "machine",
            "rate = 4\npatience = '4s'\nports = 'all'\nmiss-budget = 0.5\n",
        )
        .variable("HALFOPEN_RATE", "2");
    let args = scene.args(&["h", "--rate", "1"]);
    assert_eq!(args.rate.as_deref(), Some("1"));
    assert_eq!(args.patience.as_deref(), Some("3s"));
    assert_eq!(args.ports.as_deref(), Some("22,80-90,http"));
    assert_eq!(args.miss_budget.as_deref(), Some("0.5"));
    assert_eq!(args.targets, ["h"]);
    assert_eq!(scene.args(&[]).rate.as_deref(), Some("2"));
}

#[test]
fn what_stands_for_others_sets_what_its_place_does_not_name() {
    let parts = |args: &Args| (args.services, args.os, args.vulns);
    let none = Scene::new();
    assert_eq!(parts(&none.args(&["-A"])), (true, true, true));
    for argv in [&["-A", "--no-vulns"][..], &["--no-vulns", "-A"]] {
        assert_eq!(parts(&none.args(argv)), (true, true, false), "{argv:?}");
    }
    assert_eq!(parts(&none.args(&["--os"])), (true, true, false));
    let quiet = none.args(&["--os", "--no-services"]);
    assert_eq!(parts(&quiet), (false, true, false));
    assert_eq!(parts(&none.args(&["--no-os"])), (false, false, false));
    // The nearer place wins, also by what it stands for.
    let all = Scene::new().file("own", "identify = true\n");
    assert_eq!(parts(&all.args(&["--no-os"])), (true, false, true));
    assert_eq!(parts(&all.args(&["--no-identify"])), (false, false, false));
    let but = Scene::new().file("own", "vulns = false\n");
    assert_eq!(parts(&but.args(&["-A"])), (true, true, true));
}

#[test]
fn flags_are_turned_on_and_off_from_everywhere() {
    let on = Scene::new().file("own", "json = true\n");
    assert!(on.args(&[]).json);
    assert!(!on.args(&["--no-json"]).json);
    assert!(on.args(&["--no-json", "--json"]).json);
    let off = on.variable("HALFOPEN_JSON", "0");
    assert!(!off.args(&[]).json);
    assert!(off.args(&["--json"]).json);
}

#[test]
fn a_nearer_quiet_takes_back_a_farther_verbose() {
    let scene = Scene::new().file("own", "quiet = true\n");
    let args = scene.args(&["-v"]);
    assert!(args.verbose && !args.quiet);
    let args = scene.args(&["--no-verbose"]);
    assert!(args.quiet && !args.verbose);
}

/// A nearer exclude must not uncover what the machine's administrator wants left alone.
#[test]
fn excludes_of_all_places_count() {
    let scene = Scene::new()
        .file(
            "own",
            "exclude = ['10.0.0.3', '10.0.0.4']\nexclude-ports = 25\n",
        )
        .file("machine", "exclude = '10.0.0.5'\n")
        .variable("HALFOPEN_EXCLUDE", "10.0.0.2");
    let args = scene.args(&["h", "--exclude", "10.0.0.1"]);
    assert_eq!(
        args.exclude,
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]
    );
    assert_eq!(args.exclude_ports, ["25"]);
}

#[test]
fn a_named_file_stands_for_the_usual_ones() {
    let scene = Scene::new().file("own", "rate = 3\n");
    let other = scene.path("other");
    fs::write(&other, "patience = '9s'\n").expect("written");
    let other = other.to_string_lossy().into_owned();
    for args in [
        scene.args(&["--config", &other]),
        Scene::new()
            .file("own", "rate = 3\n")
            .variable("HALFOPEN_CONFIG", &other)
            .args(&[]),
    ] {
        assert_eq!((args.rate, args.patience.as_deref()), (None, Some("9s")));
    }
    assert_eq!(scene.args(&["--no-config"]).rate, None);
    let never = scene.variable("HALFOPEN_NO_CONFIG", "true");
    assert_eq!(never.args(&[]).rate, None);
    assert_eq!(
        never.args(&["--config", &other]).patience.as_deref(),
        Some("9s")
    );
    assert_eq!(
        never.told(&["--config", &other, "--no-config"]),
        ["--config and --no-config contradict each other"]
    );
}

#[test]
fn every_mistake_in_a_file_is_told_with_its_line() {
    let scene = Scene::new().file(
        "own",
        "# mine\nraet = 5\njson = 'yes'\nrate = true\n\npatience = [1, [2]]\nhelp = true\ntargets = 'h'\nzebra = 1\n\
         shard = '1/2'\nmax-attempts = 0x10\n",
    );
    assert_eq!(
        scene.told(&[]),
        [
            r#"own:2: unknown setting "raet"; did you mean rate?"#,
            "own:3: json is true or false, not a string",
            r#"own:4: rate takes a string or a number, not a boolean: rate = "RATE""#,
            r#"own:6: patience takes a string or a number, not an array: patience = "TIME""#,
            "own:7: help is not for files: give it on the command line",
            "own:8: targets are not for files: give them on the command line",
            r#"own:9: unknown setting "zebra"; halfopen --print-config lists the settings"#,
            "own:10: shard is not for files: give it on the command line",
            r#"own:11: max-attempts takes a string or a number, not an integer: max-attempts = "N""#,
        ]
    );
}

#[test]
fn files_that_cannot_be_understood() {
    for (text, expected) in [
        (&b"rate = 5\nrate = 6\n"[..], "own:2: this is not TOML: "),
        (b"rate = \n", "own:1: this is not TOML: "),
        (b"rate = 5\n\xff\n", "line 2 is not UTF-8"),
        (&[b'#'; (1 << 20) + 1], "it is larger than 1 MiB"),
    ] {
        let told = Scene::new().file("own", text).told(&[]);
        assert!(told[0].contains(expected), "{told:?}");
    }
    let scene = Scene::new();
    let folder = scene.path("").to_string_lossy().into_owned();
    assert!(scene.told(&["--config", &folder])[0].contains("Is a directory"));
    assert!(scene.told(&["--config", "/no/such"])[0].contains("No such file"));
    // At their usual places they need not exist, not even the folder.
    let mut absent = Scene::new();
    fs::write(absent.path("a-file"), "").expect("written");
    absent.places.files = vec![absent.path("none"), absent.path("a-file/none")];
    assert_eq!(absent.told(&[]), Vec::<String>::new());
    // The mark of some editors, and their ends of line.
    let odd = Scene::new().file("own", "\u{feff}rate = 5\r\n");
    assert_eq!(odd.args(&[]).rate.as_deref(), Some("5"));
}

#[test]
fn variables_that_are_nearly_ours_are_mistakes() {
    let scene = Scene::new()
        .variable("HALFOPEN_EXCLUD", "10.0.0.1")
        .variable("HALFOPEN_QUIET", "maybe")
        .variable("HALFOPEN_HELP", "true")
        // A cluster's, one that is empty.
        .variable("HALFOPEN_PORT", "tcp://10.0.0.1:80")
        .variable("HALFOPEN_SERVICE_HOST", "10.0.0.1")
        .variable("HALFOPEN_RATE", "");
    assert_eq!(
        scene.told(&[]),
        [
            r#"unknown variable "HALFOPEN_EXCLUD"; did you mean HALFOPEN_EXCLUDE?"#,
            r#"HALFOPEN_QUIET: "maybe" is neither true nor false; this is a flag"#,
        ]
    );
}

#[test]
fn mistakes_of_value_are_traced_to_their_place() {
    let scene = Scene::new()
        .file("own", "\nrate = 'fast'\n")
        .variable("HALFOPEN_PATIENCE", "slow");
    let judge = |args: &Args| {
        let wrong = |text: &Option<String>| {
            let text = text.as_deref()?;
            (!text.starts_with(char::is_numeric)).then(|| Mistake::new(format!("bad {text}")))
        };
        [
            wrong(&args.rate),
            wrong(&args.patience),
            wrong(&args.threads),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
    };
    let configured = scene.read(&["-t", "none"]);
    let traced: Vec<String> = configured
        .traced(judge(&configured.args().0), &judge)
        .iter()
        .map(ToString::to_string)
        .collect();
    let place = scene.path("own").display().to_string();
    assert_eq!(
        traced,
        [
            format!("\"{place}\" line 2: bad fast"),
            "HALFOPEN_PATIENCE: bad slow".to_owned(),
            "bad none".to_owned(),
        ]
    );
}

#[test]
fn the_template_has_every_setting_and_can_be_read() {
    let template = show::template();
    let uncommented: String = template
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .map(|line| format!("{line}\n"))
        .collect();
    let configured = Scene::new().file("own", &uncommented).read(&[]);
    assert_eq!(configured.args().1, []);
    let command = Args::command();
    for option in command.get_arguments() {
        if option::scope(option) == Scope::File {
            let id = option.get_id().as_str();
            assert_eq!(configured.of(id).len(), 1, "{id} is not in the template");
        }
    }
    for line in template.lines() {
        assert!(line.starts_with('#') || line.is_empty(), "{line}");
        assert!(line.len() <= 120, "{line}");
    }
}

/// The help states defaults in words; `settings` has them as values.
#[test]
fn the_defaults_that_the_help_states_are_the_real_ones() {
    let machine = Machine {
        surroundings: Surroundings::default(),
        addresses: Vec::new(),
        cores: NonZeroUsize::MIN,
        random: 4711,
        task: crate::cli::schedulers::Environment::new(),
    };
    let decided = |stated: &str| {
        let configured = Scene::new().file("own", stated).read(&["192.0.2.1"]);
        let (args, mistakes) = configured.args();
        assert_eq!(mistakes, []);
        let input = input::read(&args, &machine, &Folders::none());
        let mut settings = settings::decide(&args, &machine, &input).expect("no mistake");
        // That no ports were given is worth a note.
        settings.notes.clear();
        format!("{settings:?}")
    };
    let mut stated = 0;
    for option in Args::command().get_arguments() {
        let default = option::default(option);
        if let (Scope::File, Some(option::Default::Text(text))) = (option::scope(option), default) {
            let key = option::key(option);
            let value = if typed::takes_value(option) {
                format!("{text:?}")
            } else {
                text
            };
            assert_eq!(decided(""), decided(&format!("{key} = {value}")), "{key}");
            stated += 1;
        }
    }
    assert!(stated >= 12, "{stated}");
}

#[test]
fn what_is_in_force_can_be_read_again() {
    let scene = Scene::new()
        .file("own", "exclude = ['10.0.0.3']\nports = '22,80'\n")
        .variable("HALFOPEN_QUIET", "yes");
    let argv = ["--rate=5k", "--exclude", "a\u{202e}\"\\b"];
    let configured = scene.read(&argv);
    let shown = show::in_force(&configured);
    for expected in [
        "quiet = true ",
        "# HALFOPEN_QUIET\n",
        "rate = \"5k\" ",
        "# command line\n",
        "own:2\n",
        "  # command line, /",
        "patience = \"3s\" ",
        "# default\n",
    ] {
        assert!(shown.contains(expected), "{expected:?} in\n{shown}");
    }
    let again = Scene::new().file("own", &shown).args(&[]);
    let args = configured.args().0;
    assert_eq!((again.exclude, again.rate), (args.exclude, args.rate));
    assert_eq!((again.ports, again.quiet), (args.ports, args.quiet));
}

#[test]
fn only_texts_and_flags_can_be_set() {
    for option in Args::command().get_arguments() {
        assert!(
            matches!(
                option.get_action(),
                ArgAction::Set | ArgAction::Append | ArgAction::SetTrue
            ),
            "{}",
            option.get_id()
        );
    }
}
