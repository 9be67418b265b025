use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Cpe {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn both_forms_of_a_name_are_read_and_written() {
    for (formatted, uri) in [
        (
            "cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*",
            "cpe:/a:openbsd:openssh:9.2:p1",
        ),
        (
            "cpe:2.3:o:microsoft:windows_10:-:*:*:*:*:*:*:*",
            "cpe:/o:microsoft:windows_10:-",
        ),
        (
            "cpe:2.3:a:gnu:libstdc\\+\\+:1\\:2:*:*:*:*:*:*:*",
            "cpe:/a:gnu:libstdc%2b%2b:1%3a2",
        ),
        (
            "cpe:2.3:a:hp:insight:7.4.0.1570:-:*:*:online:win2003:x64:*",
            "cpe:/a:hp:insight:7.4.0.1570:-:~~online~win2003~x64~",
        ),
        (
            "cpe:2.3:h:hp:laserjet:*:*:*:de:*:*:*:*",
            "cpe:/h:hp:laserjet::::de",
        ),
        ("cpe:2.3:a:x:y:2.4.*:*:*:*:*:*:*:*", "cpe:/a:x:y:2.4.%02"),
    ] {
        let cpe = parsed(formatted);
        assert_eq!(cpe.to_string(), formatted);
        assert_eq!(cpe.uri(), uri);
        assert_eq!(parsed(uri), cpe, "{uri}");
    }
}

#[test]
fn escapes_are_no_part_of_a_text() {
    let cpe = parsed("cpe:2.3:a:notepad\\+\\+:a\\:b:\\-:\\*:*:*:*:*:*:*");
    assert_eq!(cpe.vendor.text(), Some("notepad++"));
    assert_eq!(cpe.product.text(), Some("a:b"));
    assert_eq!(cpe.version.text(), Some("-"));
    assert_eq!(cpe.update.text(), Some("*"));
    assert_eq!(
        cpe.to_string(),
        "cpe:2.3:a:notepad\\+\\+:a\\:b:\\-:\\*:*:*:*:*:*:*"
    );
}

#[test]
fn what_is_no_name_is_refused() {
    for (text, why) in [
        ("", Malformed::Prefix),
        ("cpe:2.4:a:b:c", Malformed::Prefix),
        ("cpe:2.3:x:b:c:*:*:*:*:*:*:*:*", Malformed::Part),
        ("cpe:2.3:a:b:c:*:*:*:*:*:*:*", Malformed::Attributes),
        ("cpe:2.3:a:b:c:*:*:*:*:*:*:*:*:*", Malformed::Attributes),
        ("cpe:2.3:a:b::*:*:*:*:*:*:*:*", Malformed::Character),
        ("cpe:2.3:a:b:c d:*:*:*:*:*:*:*:*", Malformed::Character),
        ("cpe:2.3:a:b:c:*:*:*:*:*:*:*:\\", Malformed::Character),
        ("cpe:/a:b:c:1:2:3:4:5", Malformed::Attributes),
        ("cpe:/a:b:%zz", Malformed::Character),
        ("cpe:/a:b:%0a", Malformed::Character),
        ("cpe:/a:b:ü", Malformed::Character),
        ("cpe:/a:b:c:1:2:~a~b~c~d~e~f", Malformed::Attributes),
    ] {
        assert_eq!(text.parse::<Cpe>(), Err(why), "{text}");
    }
    let long = format!("cpe:/a:b:{}", "c".repeat(LONGEST));
    assert_eq!(long.parse::<Cpe>(), Err(Malformed::Length));
}

#[test]
fn what_a_server_told_becomes_a_value_or_none() {
    assert_eq!(Value::told(" 9.2P1 x"), Value::Text("9.2p1_x".to_owned()));
    assert_eq!(Value::told("\u{1b}[2Jé"), Value::Text("[2j".to_owned()));
    assert_eq!(Value::told("\u{1b} \n"), Value::Any);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = text.parse::<Cpe>();
        let _ = format!("cpe:/a:{text}").parse::<Cpe>();
        let _ = format!("cpe:2.3:a:{text}").parse::<Cpe>();
    }

    #[test]
    fn what_was_read_is_written_so_that_it_is_read_again(
        text in "cpe:2\\.3:[aoh](:([a-z0-9._*?!+-]|\\\\[!-~]){1,9}){10}",
    ) {
        let cpe = parsed(&text);
        prop_assert_eq!(&parsed(&cpe.to_string()), &cpe);
        prop_assert_eq!(parsed(&cpe.uri()).uri(), cpe.uri());
    }

    #[test]
    fn any_told_text_keeps_its_value_through_both_forms(text in "\\PC{0,40}") {
        let mut cpe = Cpe::new(Part::System, Value::told(&text), Value::Any);
        cpe.version = Value::told(&text);
        prop_assert_eq!(&parsed(&cpe.to_string()), &cpe);
        prop_assert_eq!(&parsed(&cpe.uri()), &cpe);
    }
}
