//! Asks for what was not typed: the target, then the ports. Wrong answers are asked again with the mistake.

use std::io::{self, BufRead, Read as _, Write};

use halfopen::plan::Mistake;

use crate::cli::settings::DEFAULT_PORTS;

/// Says what is wrong with an answer.
pub struct Checks<'a> {
    pub targets: &'a dyn Fn(&[String]) -> Vec<Mistake>,
    pub ports: &'a dyn Fn(&str) -> Vec<Mistake>,
}

/// Asks for targets, blanks or commas between them. `None`: the input ended.
///
/// # Errors
/// When the terminal cannot be read or written.
pub fn targets(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    checks: &Checks<'_>,
) -> io::Result<Option<Vec<String>>> {
    loop {
        let Some(line) = answer(input, output, "Target (address, network or name): ")? else {
            return Ok(None);
        };
        let targets: Vec<String> = line
            .split([' ', '\t', ','])
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        if targets.is_empty() {
            continue;
        }
        let mistakes = (checks.targets)(&targets);
        if mistakes.is_empty() {
            return Ok(Some(targets));
        }
        complain(output, &mistakes)?;
    }
}

/// Asks for ports: one of three sets, a list, or just Enter for the default. `None`: the input ended.
///
/// # Errors
/// When the terminal cannot be read or written.
pub fn ports(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    checks: &Checks<'_>,
) -> io::Result<Option<String>> {
    writeln!(output, "Ports:")?;
    for (number, (name, about)) in (1..).zip(SETS) {
        writeln!(output, "  {number}  {name:<11} {about}")?;
    }
    writeln!(output, "  {OWN_LIST}  your own list")?;
    let question = format!("Your choice (1-4, or Enter for {DEFAULT_PORTS}, the likeliest): ");
    loop {
        let Some(line) = answer(input, output, &question)? else {
            return Ok(None);
        };
        let choice = line.trim();
        if choice.is_empty() {
            return Ok(Some(DEFAULT_PORTS.to_owned()));
        }
        let set = (1..)
            .zip(SETS)
            .find(|(number, (name, _))| number.to_string() == choice || *name == choice);
        if let Some((_, (name, _))) = set {
            return Ok(Some(name.to_owned()));
        }
        if choice == OWN_LIST.to_string() {
            return own_list(input, output, checks);
        }
        let mistake = Mistake::about(choice, "is none of the choices", "write 1, 2, 3 or 4");
        complain(output, &[mistake])?;
    }
}

fn own_list(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    checks: &Checks<'_>,
) -> io::Result<Option<String>> {
    loop {
        let Some(line) = answer(input, output, "Ports, such as 22,80,8000-8100: ")? else {
            return Ok(None);
        };
        let list = line.trim();
        if list.is_empty() {
            continue;
        }
        let mistakes = (checks.ports)(list);
        if mistakes.is_empty() {
            return Ok(Some(list.to_owned()));
        }
        complain(output, &mistakes)?;
    }
}

/// One line of the user's, without its end; bytes that are no text show up as marks that no check lets through.
fn answer(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    question: &str,
) -> io::Result<Option<String>> {
    write!(output, "{question}")?;
    output.flush()?;
    let mut line = Vec::new();
    let read = input.take(LONGEST).read_until(b'\n', &mut line)?;
    if read == 0 {
        writeln!(output)?;
        return Ok(None);
    }
    Ok(Some(
        String::from_utf8_lossy(&line)
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
    ))
}

fn complain(output: &mut dyn Write, mistakes: &[Mistake]) -> io::Result<()> {
    mistakes
        .iter()
        .try_for_each(|mistake| writeln!(output, "error: {mistake}"))
}

const SETS: [(&str, &str); 3] = [
    ("well-known", "1-1023"),
    ("registered", "1-49151"),
    ("common", "20-23, 25, 53, 80, 110, 443"),
];
const OWN_LIST: usize = SETS.len() + 1;

/// Longer lines are no answer but an accident; what is beyond this counts as the next line.
const LONGEST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(
        typed: &str,
        question: impl Fn(&mut dyn BufRead, &mut dyn Write, &Checks<'_>) -> io::Result<Option<T>>,
    ) -> (Option<T>, String) {
        let mut output = Vec::new();
        let checks = Checks {
            targets: &|targets| {
                let bad = targets.iter().filter(|target| target.contains('!'));
                bad.map(|target| Mistake::new(format!("bad {target}")))
                    .collect()
            },
            ports: &|ports| {
                if ports.contains('!') {
                    vec![Mistake::new("bad ports")]
                } else {
                    Vec::new()
                }
            },
        };
        let given = question(&mut typed.as_bytes(), &mut output, &checks).expect("no I/O error");
        (given, String::from_utf8(output).expect("text"))
    }

    #[test]
    fn targets_are_asked_until_they_are_right() {
        let (given, said) = asked("\n a! , b\n10.0.0.1, 10.0.0.2  x\n", targets);
        assert_eq!(given.expect("an answer"), ["10.0.0.1", "10.0.0.2", "x"]);
        assert_eq!(said.matches("Target (").count(), 3);
        assert!(said.contains("error: bad a!\n"), "{said}");
    }

    #[test]
    fn each_choice_of_ports() {
        for (typed, expected) in [
            ("1\n", "well-known"),
            ("2\n", "registered"),
            (" 3 \r\n", "common"),
            ("common\n", "common"),
            ("4\n80 81\n", "80 81"),
            ("\n", "top:1000"),
            ("5\n0\n1\n", "well-known"),
            ("4\n!\n22\n", "22"),
        ] {
            assert_eq!(
                asked(typed, ports).0.as_deref(),
                Some(expected),
                "{typed:?}"
            );
        }
        assert!(asked("80\n1\n", ports).1.contains("write 1, 2, 3 or 4"));
    }

    #[test]
    fn the_end_of_input_is_no_answer() {
        assert_eq!(asked("", targets).0, None);
        assert_eq!(asked("x!\n", targets).0, None);
        assert_eq!(asked("4\n", ports).0, None);
        // A last line without its end is still an answer.
        assert_eq!(asked("2", ports).0.as_deref(), Some("registered"));
    }
}
