//! Whatever is typed gets an answer: no panic, and no message that a terminal would obey or that fills it.

use halfopen::plan::{Internet, MESSAGE_BYTES, Mistake, Note, PortSet, TargetList};
use proptest::prelude::*;

use super::{lines, machine};

/// What comes near to real input, and what does not.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9a-fx.:/%,;* \\-]{0,40}",
        "[0-9]{1,3}(\\.[0-9\\-]{1,7}){3}(/[0-9]{1,3})?",
        "[0-9a-f:]{2,20}(%[a-z0-9\\-]{0,5})?(/[0-9]{1,3})?(-[0-9a-f:]{2,20})?",
        "[\\x00-\\x7f]{0,500}",
        "[a-z0-9\\-]{1,12}([, ][a-z0-9\\-]{0,12}){0,5}",
        "[\u{200b}-\u{202f}\u{ff10}-\u{ff19}\u{80}-\u{9f}]{0,300}",
    ]
}

fn check_lines(mistakes: &[Mistake], notes: &[Note]) -> Result<(), TestCaseError> {
    for line in lines(mistakes).into_iter().chain(lines(notes)) {
        prop_assert!(line.len() <= MESSAGE_BYTES, "{} bytes: {line}", line.len());
        prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        prop_assert!(!line.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_port_text_is_answered(text in text()) {
        match PortSet::parse(&text) {
            Ok(parsed) => {
                check_lines(&[], &parsed.notes)?;
                prop_assert!(parsed.set.iter().all(|port| port != 0));
            }
            Err(mistakes) => {
                prop_assert!(!mistakes.is_empty());
                check_lines(&mistakes, &[])?;
            }
        }
        if let Err(mistakes) = PortSet::parse_excluded(&text) {
            check_lines(&mistakes, &[])?;
        }
    }

    #[test]
    fn any_target_text_is_answered(target in text(), exclude in text()) {
        let mut list = TargetList::new(machine(), Internet::Refused);
        list.add(&target);
        list.exclude(&exclude);
        for name in list.unresolved() {
            prop_assert!(name.as_str().len() <= 254);
        }
        match list.finish() {
            Ok(parsed) => {
                check_lines(&[], &parsed.notes)?;
                prop_assert_eq!(parsed.set.rank(&parsed.set.host(0).unwrap()), Some(0));
            }
            Err(mistakes) => {
                prop_assert!(!mistakes.is_empty());
                check_lines(&mistakes, &[])?;
            }
        }
    }

    #[test]
    fn any_message_is_made_safe(message: String) {
        check_lines(&[Mistake::new(format!("x{message}")), Mistake::about(&message, &message, &message)], &[Note::new(format!("x{message}"))])?;
    }
}
