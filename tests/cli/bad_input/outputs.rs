//! Files as outputs: all is said before the scan.

use super::options::check_options;
use crate::cli::scene::Scene;

#[test]
fn mistaken_outputs() {
    let scene = Scene::new();
    let folder = scene.path("etc");
    let old = scene.file("old.xml", "precious");
    let new = scene.path("new.xml");
    let again = format!("{folder}/../new.xml");
    check_options(
        "mistaken_outputs",
        &[
            (
                &["-o", "scan.pdf"],
                "\"scan.pdf\" has an unknown extension \"pdf\"; end it in .txt, .jsonl, .xml…",
            ),
            (
                &["-o", "scan"],
                "\"scan\" has no extension that says its format…",
            ),
            (&["-o", ""], "the name of the output is empty…"),
            (&["-o", "-"], "-o - does not say its format…"),
            (
                &["-o", "/no/such/folder/scan.xml"],
                "there is no folder \"/no/such/folder\"; create it first",
            ),
            (&["-o", &format!("xml:{folder}")], "\"…\" is a folder…"),
            (
                &["-o", &old],
                "\"…\" exists; --overwrite keeps the old one as \"…~\"…",
            ),
            (
                &["-o", &new, "-o", &again],
                "two outputs go to \"…\"; give each a file of its own",
            ),
            (
                &["--json", "-o", "csv:-"],
                "two outputs go to standard output…",
            ),
            (
                &["-o", "csv:/dev/stdout", "-o", "xml:-"],
                "two outputs go to standard output…",
            ),
            (
                &["--fields", "prot", "--json"],
                "unknown field \"prot\"; did you mean port?",
            ),
            (&["--fields", "port"], "--fields is for JSON lines and CSV…"),
        ],
    );
    assert_eq!(
        std::fs::read_to_string(&old).expect("it is there"),
        "precious"
    );
    assert!(
        !std::fs::exists(&new).expect("a folder"),
        "nothing was created"
    );
}
