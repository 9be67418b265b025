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
    const FORMATS: &str = "end it in .txt, .jsonl, .xml, .gnmap, .csv or .list, or write xml:FILE";
    check_options(
        "mistaken_outputs",
        &[
            (
                &["-o", "scan.pdf"],
                &format!(r#""scan.pdf" has an unknown extension "pdf"; {FORMATS}"#),
            ),
            (
                &["-o", "scan"],
                &format!(r#""scan" has no extension that says its format; {FORMATS}"#),
            ),
            (
                &["-o", ""],
                "the name of the output is empty; write -o FILE.xml, or another extension",
            ),
            (
                &["-o", "-"],
                "-o - does not say its format; write it before, such as -o xml:- (text on standard output is the default)",
            ),
            (
                &["-o", "/no/such/scan.xml"],
                r#""/no/such/scan.xml" cannot be written, because there is no folder "/no/such"; create it first"#,
            ),
            (
                &["-o", &format!("xml:{folder}")],
                r#""…" is a folder; name a file in it"#,
            ),
            (
                &["-o", &old],
                r#""…" exists; --overwrite keeps the old one as "…""#,
            ),
            (
                &["-o", &new, "-o", &again],
                r#"two outputs go to "…"; give each a file of its own"#,
            ),
            (
                &["--json", "-o", "csv:-"],
                "two outputs go to standard output; give --json or -o FORMAT:-, not both",
            ),
            (
                &["-o", "csv:/dev/stdout", "-o", "xml:-"],
                "two outputs go to standard output; give each a file of its own",
            ),
            (
                &["--fields", "prot", "--json"],
                r#"unknown field "prot"; did you mean port?"#,
            ),
            (
                &["--fields", "port"],
                "--fields is for JSON lines and CSV; give --json or -o FILE.csv with it",
            ),
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
