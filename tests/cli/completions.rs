//! Completions as the shells themselves offer them. A shell that is not installed is skipped by name.

use std::fs;
use std::process::Command;

use super::{assert_exit, run, stdout};

/// What `shell` prints when it runs `script`, in which `{file}` is our completions for it, in `{folder}`. `None`: no such shell.
fn said(shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    if Command::new(shell).arg("--version").output().is_err() {
        println!("SKIPPED: {shell} is not installed");
        return None;
    }
    let output = run(&["--generate", &format!("complete-{shell}")]);
    assert_exit(&output, 0);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("_halfopen");
    fs::write(&file, stdout(&output)).expect("written");
    let script = script
        .replace("{file}", &file.to_string_lossy())
        .replace("{folder}", &folder.path().to_string_lossy());
    let output = Command::new(shell)
        .args(arguments)
        .args(["-c", &script])
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .env("TERM", "dumb")
        .current_dir(folder.path())
        .output()
        .expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{shell}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn bash_loads_its_file_and_completes() {
    let script = r#"
        source {file}
        try() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _halfopen halfopen "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
        }
        try halfopen --max-a
        try halfopen 10.0.0.1 --max-a
        try halfopen -m ""
        try halfopen docto
        try halfopen doctor --js
        try halfopen -p well
        try halfopen --interface l
        try halfopen 10.0.0.1 -e l
        complete -p halfopen
    "#;
    let Some(said) = said("bash", &["--norc", "--noprofile"], script) else {
        return;
    };
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "--max-attempts",
            "--max-attempts",
            "auto syn connect",
            "doctor",
            "--json",
            "well-known",
        ]
    );
    for line in &lines[6..8] {
        assert!(line.split(' ').any(|name| name == "lo"), "{said}");
    }
    assert!(lines[8].contains("-F _halfopen halfopen"), "{said}");
}

#[test]
fn fish_loads_its_file_and_completes() {
    let script = "source {file}
        complete -C 'halfopen --max-a'
        complete -C 'halfopen 10.0.0.1 --max-a'
        complete -C 'halfopen -m sy'
        complete -C 'halfopen docto'
        complete -C 'halfopen doctor --js'
        complete -C 'halfopen -p well'
        complete -C 'halfopen -e lo' | string match -r '^lo\\b'";
    let Some(said) = said("fish", &["--no-config"], script) else {
        return;
    };
    let words: Vec<&str> = said
        .lines()
        .map(|line| line.split('\t').next().unwrap_or(""))
        .collect();
    assert_eq!(
        words,
        [
            "--max-attempts",
            "--max-attempts",
            "syn",
            "doctor",
            "--json",
            "well-known",
            "lo"
        ]
    );
}

/// Completions of zsh exist only while somebody types: the test types into a zsh on a terminal of its own, and has the
/// word under the cursor printed when it is completed.
#[test]
fn zsh_loads_its_file_and_completes() {
    let script = r#"
        zmodload zsh/zpty
        zpty typed zsh -f -i
        zpty -w typed "PS1=; unsetopt zle_bracketed_paste beep; fpath=({folder} \$fpath); autoload -U compinit; compinit -u -D"
        zpty -w typed "show() { print -r -- \"<<\$BUFFER>>\"; BUFFER=; zle accept-line }; zle -N show; bindkey '^X' show"
        zpty -w typed "print rea''dy"
        zpty -r -m typed line '*ready*'
        for typed in 'halfopen --max-a' 'halfopen 10.0.0.1 10.0.0.2 --max-a' 'halfopen -m sy' 'halfopen docto' 'halfopen doctor --js' 'halfopen -p well' 'halfopen -e lo'; do
            zpty -w -n typed "$typed"$'\t'
            zpty -w -n typed $'\x18'
            zpty -r -m typed line '*<<*>>*'
            print -r -- "${${line#*<<}%%>>*}"
        done
    "#;
    let Some(said) = said("zsh", &["-f"], script) else {
        return;
    };
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "halfopen --max-attempts=",
            "halfopen 10.0.0.1 10.0.0.2 --max-attempts=",
            "halfopen -m syn",
            "halfopen doctor",
            "halfopen doctor --json",
            "halfopen -p well-known",
            "halfopen -e lo",
        ]
    );
}

#[test]
fn the_manual_is_clean() {
    let output = run(&["--generate", "man"]);
    assert_exit(&output, 0);
    let page = stdout(&output);
    for part in [
        ".TH halfopen 1",
        ".SH NAME",
        ".SH \"HALFOPEN DOCTOR\"",
        "Exit status",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("halfopen.1");
    fs::write(&file, &page).expect("written");
    let output = Command::new("man")
        .args(["--warnings", "-l"])
        .arg(&file)
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .output();
    let Ok(output) = output else {
        println!("SKIPPED: man is not installed");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("--max-attempts"), "{text}");
}
