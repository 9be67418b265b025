//! What was asked for with -o, --json and --fields: formats and places, and what is wrong with them.

use std::path::{Path, PathBuf};

use halfopen::plan::{Mistake, nearest, quote};
use halfopen::report::fields::{FIELDS, Field, SERVICE_FIELDS, named};
use halfopen::report::text::Live;

use crate::cli::outputs::opening::{Existing, look};

/// One output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub format: Format,
    pub to: Destination,
}

/// The formats there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Text,
    JsonLines,
    Xml,
    Grepable,
    Csv,
    List,
}

/// Where an output goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    Stdout,
    File(PathBuf),
}

/// What is known of a port where no fields are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Columns {
    /// What a scan finds.
    Scanned,
    /// What it serves as well.
    Identified,
}

/// What was typed about outputs.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    pub output: &'a [String],
    pub json: bool,
    pub overwrite: bool,
    pub fields: Option<&'a str>,
    pub columns: Columns,
}

/// Everything about the outputs of a scan that can be known before it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// At least one; the one to standard output is among them.
    pub outputs: Vec<Asked>,
    /// Whether text on a terminal tells each port when it comes.
    pub live: Live,
    pub existing: Existing,
    /// The fields of formats that have any number of them.
    pub fields: Vec<Field>,
}

impl Columns {
    pub fn fields(self) -> Vec<Field> {
        match self {
            Self::Scanned => FIELDS.to_vec(),
            Self::Identified => [&FIELDS[..], &SERVICE_FIELDS].concat(),
        }
    }
}

/// Decides what is written where. Looks at the files there are, and changes none.
///
/// # Errors
/// Every mistake in the names, the places and the fields.
pub fn decide(args: Typed<'_>, live: Live) -> Result<Plan, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let existing = if args.overwrite {
        Existing::Kept
    } else {
        Existing::Refused
    };
    let mut asked = Vec::new();
    for text in args.output {
        match parse(text) {
            Ok(one) => asked.push(one),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let mut outputs = match look(asked, existing) {
        Ok(outputs) => outputs,
        Err(more) => {
            mistakes.extend(more);
            Vec::new()
        }
    };
    let printed = outputs.iter().any(|asked| asked.to == Destination::Stdout);
    if printed && args.json {
        mistakes.push(Mistake::new(
            "two outputs go to standard output; give --json or -o FORMAT:-, not both",
        ));
    } else if !printed {
        let format = if args.json {
            Format::JsonLines
        } else {
            Format::Text
        };
        let to = Destination::Stdout;
        outputs.insert(0, Asked { format, to });
    }
    let fields = match args.fields {
        None => args.columns.fields(),
        Some(text) => {
            let has_fields =
                |asked: &Asked| matches!(asked.format, Format::JsonLines | Format::Csv);
            if mistakes.is_empty() && !outputs.iter().any(has_fields) {
                mistakes.push(Mistake::new(
                    "--fields is for JSON lines and CSV; give --json or -o FILE.csv with it",
                ));
            }
            fields(text).unwrap_or_else(|mistake| {
                mistakes.push(mistake);
                Vec::new()
            })
        }
    };
    if mistakes.is_empty() {
        Ok(Plan {
            outputs,
            live,
            existing,
            fields,
        })
    } else {
        Err(mistakes)
    }
}

/// `FILE.EXTENSION`, or `FORMAT:FILE` where the name does not say it; `-` is standard output.
fn parse(text: &str) -> Result<Asked, Mistake> {
    let named = text
        .split_once(':')
        .and_then(|(word, rest)| Some((format(word)?, rest)));
    let (format, place) = match named {
        Some((format, rest)) => (format, rest),
        None => (by_extension(text)?, text),
    };
    if place.is_empty() {
        return Err(Mistake::about(
            text,
            "names no file",
            "write -o FILE.xml, or xml:- for standard output",
        ));
    }
    let to = if place == "-" {
        Destination::Stdout
    } else {
        Destination::File(PathBuf::from(place))
    };
    Ok(Asked { format, to })
}

fn by_extension(text: &str) -> Result<Format, Mistake> {
    if text.is_empty() {
        return Err(Mistake::new(
            "the name of the output is empty; write -o FILE.xml, or another extension",
        ));
    }
    if text == "-" {
        return Err(Mistake::new(
            "-o - does not say its format; write it before, such as -o xml:- (text on standard output is the default)",
        ));
    }
    if Path::new(text).is_dir() {
        return Err(Mistake::about(
            text,
            "is a folder",
            "name a file in it, such as -o FOLDER/FILE.xml",
        ));
    }
    let extension = Path::new(text).extension().and_then(|word| word.to_str());
    let Some(extension) = extension else {
        return Err(Mistake::about(
            text,
            "has no extension that says its format",
            &format!("end it in {KNOWN}, or write xml:FILE"),
        ));
    };
    format(extension).ok_or_else(|| {
        let words = FORMATS.iter().map(|(word, _)| *word);
        let right = match nearest(extension, words) {
            Some(near) => format!("did you mean .{near}?"),
            None => format!("end it in {KNOWN}, or write xml:FILE"),
        };
        let wrong = format!("has an unknown extension {}", quote(extension));
        Mistake::about(text, &wrong, &right)
    })
}

fn format(word: &str) -> Option<Format> {
    FORMATS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word))
        .map(|(_, format)| *format)
}

fn fields(text: &str) -> Result<Vec<Field>, Mistake> {
    let mut fields: Vec<Field> = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let Some(field) = named(&word.to_ascii_lowercase()) else {
            let right = match nearest(word, FIELDS.iter().map(|field| field.name)) {
                Some(near) => format!("did you mean {near}?"),
                None => "halfopen --list-fields lists them".to_owned(),
            };
            return Err(Mistake::new(format!(
                "unknown field {}; {right}",
                quote(word)
            )));
        };
        if fields.iter().any(|known| known.name == field.name) {
            return Err(Mistake::new(format!(
                "the field {} is given twice; name each once",
                field.name
            )));
        }
        fields.push(field);
    }
    if fields.is_empty() {
        return Err(Mistake::new(
            "the list of fields is empty; halfopen --list-fields lists them",
        ));
    }
    Ok(fields)
}

const FORMATS: [(&str, Format); 7] = [
    ("txt", Format::Text),
    ("jsonl", Format::JsonLines),
    ("json", Format::JsonLines),
    ("xml", Format::Xml),
    ("gnmap", Format::Grepable),
    ("csv", Format::Csv),
    ("list", Format::List),
];

const KNOWN: &str = ".txt, .jsonl, .xml, .gnmap, .csv or .list";

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(result: Result<T, Mistake>) -> String {
        result
            .err()
            .map_or_else(String::new, |mistake| mistake.to_string())
    }

    #[test]
    fn the_extension_or_a_word_before_the_name_says_the_format() {
        for (text, format, place) in [
            ("a.xml", Format::Xml, "a.xml"),
            ("a.b/c.JSONL", Format::JsonLines, "a.b/c.JSONL"),
            ("a.json", Format::JsonLines, "a.json"),
            ("xml:/dev/stdout", Format::Xml, "/dev/stdout"),
            ("list:a.xml", Format::List, "a.xml"),
            ("./xml:a.txt", Format::Text, "./xml:a.txt"),
            ("a:b.gnmap", Format::Grepable, "a:b.gnmap"),
        ] {
            let to = Destination::File(PathBuf::from(place));
            assert_eq!(parse(text).expect(text), Asked { format, to });
        }
        let printed = parse("csv:-").expect("standard output");
        assert_eq!(printed.to, Destination::Stdout);
    }

    #[test]
    fn what_is_no_output_is_said() {
        for (text, expected) in [
            ("", "the name of the output is empty"),
            ("-", "-o - does not say its format"),
            (
                "out",
                r#""out" has no extension that says its format; end it in .txt"#,
            ),
            (
                "out.cvs",
                r#"has an unknown extension "cvs"; did you mean .csv?"#,
            ),
            (
                "out.pdf",
                r#"unknown extension "pdf"; end it in .txt, .jsonl"#,
            ),
            ("xml:", "names no file"),
            ("/", r#""/" is a folder; name a file in it"#),
        ] {
            assert!(
                told(parse(text)).contains(expected),
                "{text}: {}",
                told(parse(text))
            );
        }
    }

    #[test]
    fn fields_are_named_once_each() {
        let names = |text| -> Vec<&str> {
            let fields = fields(text).expect(text);
            fields.iter().map(|field| field.name).collect()
        };
        assert_eq!(names("port, STATE,address"), ["port", "state", "address"]);
        for (text, expected) in [
            ("prot", r#"unknown field "prot"; did you mean port?"#),
            ("port,port", "given twice"),
            (" , ", "the list of fields is empty"),
            ("banana", "--list-fields"),
        ] {
            assert!(told(fields(text)).contains(expected), "{text}");
        }
    }
}
