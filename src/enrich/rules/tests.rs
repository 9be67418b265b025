use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;

/// A text that a rule says it is made for, and the values that it says it gives.
#[derive(Debug)]
pub(super) struct Example {
    pub text: String,
    pub attributes: Vec<(String, String)>,
}

impl Example {
    /// The text as it would come from a server; `None` where it stands in another file.
    fn bytes(&self) -> Option<Vec<u8>> {
        let of = |name: &str| {
            let found = self.attributes.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        match (of("_encoding"), of("_filename")) {
            (_, Some(_)) => None,
            (Some("base64"), _) => Some(base64(&self.text)),
            (Some(other), _) => panic!("encoding {other}"),
            (None, None) => Some(self.text.clone().into_bytes()),
        }
    }
}

/// RFC 4648; blanks between are passed over, as Recog's files have them.
fn base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let Some(digit) = digits.iter().position(|known| *known == byte) else {
            assert!(byte == b'=' || byte.is_ascii_whitespace(), "{text:?}");
            continue;
        };
        held = held << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

fn parse(text: &str) -> Result<xml::Parsed, Mistake> {
    xml::parse("x.xml", text.as_bytes())
}

fn file(rules: &str) -> String {
    format!("<fingerprints matches=\"t\">\n{rules}\n</fingerprints>")
}

fn one(attributes: &str, params: &str) -> Rules {
    let text = file(&format!(
        "<fingerprint {attributes}><description>d</description>{params}</fingerprint>"
    ));
    let mut rules = Rules::default();
    rules.add(parse(&text).expect("well formed"));
    rules
}

#[test]
fn every_example_of_every_rule_gives_what_it_says() {
    let mut wrong = Vec::new();
    for (name, text) in builtin::FILES {
        let parsed = xml::parse(name, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let mut tried = vec![0; parsed.rules.len()];
        for (at, example) in &parsed.examples {
            let rule = &parsed.rules[*at];
            let bytes = example.bytes().expect("ours stand in their files");
            let first = parsed
                .rules
                .iter()
                .position(|rule| rule.values(&bytes).is_some());
            tried[*at] += 1;
            let Some(values) = rule.values(&bytes).filter(|_| first == Some(*at)) else {
                let other = first.map(|first| &parsed.rules[first].description);
                wrong.push(format!(
                    "{name}: {}: {:?} goes to {other:?}",
                    rule.description, example.text
                ));
                continue;
            };
            for (key, value) in example
                .attributes
                .iter()
                .filter(|(key, _)| !key.starts_with('_'))
            {
                if values.get(key.as_str()) != Some(value) {
                    wrong.push(format!(
                        "{name}: {:?}: {key} is {:?}, not {value:?}",
                        example.text,
                        values.get(key.as_str())
                    ));
                }
            }
            for (key, value) in values.iter().filter(|(key, _)| key.ends_with(".cpe23")) {
                if let Err(error) = value.parse::<crate::model::cpe::Cpe>() {
                    wrong.push(format!(
                        "{name}: {:?}: {key} {value}: {error}",
                        example.text
                    ));
                }
            }
            if builtin().software(&parsed.kind, &bytes).is_empty() {
                wrong.push(format!("{name}: {:?} gives no software", example.text));
            }
        }
        for (rule, tried) in parsed.rules.iter().zip(tried) {
            if tried == 0 {
                wrong.push(format!("{name}: {}: no example", rule.description));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_banner_of_debian_gives_the_server_its_revision_and_the_system() {
    let told = Rules::builtin().software("ssh.banner", b"OpenSSH_9.2p1 Debian-2+deb12u3");
    let server = &told[0];
    assert_eq!(
        (server.part, server.product.as_str()),
        (Part::Application, "OpenSSH")
    );
    assert_eq!(server.version.as_deref(), Some("9.2p1"));
    assert_eq!(server.revision.as_deref(), Some("Debian-2+deb12u3"));
    assert_eq!(
        server.cpe.as_deref(),
        Some("cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*")
    );
    assert_eq!(server.evidence.text, "OpenSSH_9.2p1 Debian-2+deb12u3");
    assert!(server.evidence.rule.starts_with("ssh.banner: OpenSSH"));
    let system = &told[1];
    assert_eq!(
        (system.part, system.version.as_deref()),
        (Part::System, Some("12"))
    );
    assert_eq!(
        system.cpe.as_deref(),
        Some("cpe:2.3:o:debian:debian_linux:12:*:*:*:*:*:*:*")
    );
}

#[test]
fn the_first_rule_of_a_file_that_matches_speaks_and_a_second_file_adds_what_it_did_not_say() {
    let user = File {
        name: "own.xml".to_owned(),
        bytes: br#"<fingerprints matches="ssh.banner">
            <fingerprint pattern="^OpenSSH_9"><description>first</description>
              <param pos="0" name="service.product" value="Other"/>
              <param pos="0" name="hw.product" value="Box"/></fingerprint>
            <fingerprint pattern="^OpenSSH"><description>second</description>
              <param pos="0" name="hw.product" value="Never"/></fingerprint>
          </fingerprints>"#
            .to_vec(),
    };
    let rules = Rules::with_files(std::slice::from_ref(&user)).expect("well formed");
    let told = rules.software("ssh.banner", b"OpenSSH_9.2p1 Debian-2+deb12u3");
    let names: Vec<&str> = told.iter().map(|piece| piece.product.as_str()).collect();
    assert_eq!(names, ["OpenSSH", "Linux", "Box"]);

    let text = String::from_utf8(user.bytes).expect("ASCII");
    let preferred = text.replace("<fingerprints ", "<fingerprints preference=\"1\" ");
    let rules = Rules::with_files(&[File {
        name: "own.xml".to_owned(),
        bytes: preferred.into_bytes(),
    }]);
    let told = rules
        .expect("well formed")
        .software("ssh.banner", b"OpenSSH_9.2p1 Debian-2+deb12u3");
    assert_eq!(told[0].product, "Other");
}

#[test]
fn constants_groups_and_templates_are_filled_in() {
    let rules = one(
        r#"pattern="^(\w+)/(\S+)(?: (.*))?$""#,
        r#"<param pos="1" name="service.product"/><param pos="2" name="service.version"/>
           <param pos="3" name="_tmp.rest"/><param pos="0" name="service.revision" value="r{_tmp.rest}"/>
           <param pos="0" name="service.cpe23" value="cpe:/a:{service.vendor}:{service.product}:{service.version}"/>
           <param pos="0" name="os.product" value="{_tmp.nothing}"/>
           <param pos="0" name="os.vendor" value="V"/>
           <param pos="0" name="os.cpe23" value="cpe:2.3:o:v:{service.version}:*:*:*:*:*:*:*:*"/>"#,
    );
    let told = rules.software("t", b"Foo/1:2 x");
    assert_eq!(
        told[0].cpe.as_deref(),
        Some("cpe:2.3:a:*:foo:1\\:2:*:*:*:*:*:*:*")
    );
    assert_eq!(told[0].revision.as_deref(), Some("rx"));
    assert_eq!(told[1].product, "V");
    assert_eq!(
        told[1].cpe.as_deref(),
        Some("cpe:2.3:o:v:1\\:2:*:*:*:*:*:*:*:*")
    );
    // A template without its value is no value.
    assert_eq!(rules.software("t", b"Foo/1")[0].revision, None);
}

#[test]
fn a_version_that_looks_like_a_name_cannot_add_attributes() {
    let rules = one(
        r#"pattern="^x (.*)$""#,
        r#"<param pos="0" name="service.product" value="x"/><param pos="1" name="service.version"/>
           <param pos="0" name="service.cpe23" value="cpe:/a:v:x:{service.version}"/>"#,
    );
    for told in [
        "1:*:evil",
        "%02",
        "*",
        "-",
        "\u{1b}[2J",
        "ä",
        "{service.version}",
    ] {
        let cpe = rules.software("t", format!("x {told}").as_bytes())[0]
            .cpe
            .clone()
            .expect("valid");
        assert_eq!(
            cpe.parse::<crate::model::cpe::Cpe>()
                .map(|cpe| cpe.to_string()),
            Ok(cpe.clone())
        );
        assert!(
            cpe.starts_with("cpe:2.3:a:v:x:") && cpe.ends_with(":*:*:*:*:*:*:*"),
            "{cpe}"
        );
    }
}

#[test]
fn flags_say_how_a_pattern_is_read() {
    let product = r#"<param pos="0" name="service.product" value="x"/>"#;
    let hits =
        |attributes: &str, text: &[u8]| !one(attributes, product).software("t", text).is_empty();
    assert!(!hits(r#"pattern="^a.b$""#, b"A b"));
    assert!(hits(r#"pattern="^a.b$" flags="REG_ICASE""#, b"A b"));
    assert!(!hits(r#"pattern="^a.b$""#, b"a\nb"));
    assert!(hits(
        r#"pattern="^a.b$" flags="REG_DOT_NEWLINE,REG_ICASE""#,
        b"A\nb"
    ));
    // Ruby's anchors: lines, without any flag.
    assert!(hits(r#"pattern="^b$""#, b"a\nb\nc"));
    // Bytes that are no UTF-8, and a class of characters that no byte is.
    assert!(hits(r#"pattern="^a.b$""#, b"a\xffb"));
    assert!(hits(r#"pattern="^[äö]$""#, "ö".as_bytes()));
    assert!(hits(r#"pattern="^\xff\x00$""#, b"\xff\x00"));
}

#[test]
fn the_kind_of_a_file_that_does_not_say_is_its_name() {
    let rules = Rules::with_files(&[File {
        name: "/a/b/foo_bar.xml".to_owned(),
        bytes: b"<fingerprints/>".to_vec(),
    }]);
    assert!(
        rules
            .expect("well formed")
            .kinds()
            .any(|kind| kind == "foo_bar")
    );
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line() {
    let rule = |attributes: &str, inside: &str| {
        file(&format!(
            "\n<fingerprint {attributes}><description>d</description>\n{inside}</fingerprint>"
        ))
    };
    for (text, line, what) in [
        (String::new(), 1, "before its first element"),
        (
            "<html></html>".to_owned(),
            1,
            "where a file of rules has fingerprints",
        ),
        (file("<fingerprint>"), 2, "without a pattern"),
        (
            rule("pattern='('", ""),
            3,
            "the pattern \"(\": unclosed group",
        ),
        (
            rule("pattern='x' flags='REG_NO'", ""),
            3,
            "unknown flag \"REG_NO\"",
        ),
        (
            rule("pattern='x'", "<param pos='x' name='a'/>"),
            4,
            "no number",
        ),
        (rule("pattern='x'", "<param pos='1'/>"), 4, "without a name"),
        (
            rule("pattern='x'", "<param pos='0' name='a'/>"),
            4,
            "neither a value nor a group",
        ),
        (
            rule("pattern='x'", "<param pos='1' name='a' value='b'/>"),
            4,
            "both",
        ),
        (rule("pattern='x'", "<param name='a'/>"), 4, "no position"),
        (rule("pattern='x'", "<example>&nope;</example>"), 4, "nope"),
        (
            file("<fingerprint pattern='x'></fingerprint>"),
            2,
            "without a description",
        ),
        (
            "<fingerprints matches='t'>\n<fingerprint pattern='x'>".to_owned(),
            2,
            "in the middle",
        ),
        (
            "<fingerprints preference='2'/>".to_owned(),
            1,
            "not between 0 and 1",
        ),
        (
            "<fingerprints>".to_owned() + &"<a>".repeat(99),
            1,
            "too many elements",
        ),
    ] {
        let mistake = parse(&text).expect_err(&text);
        assert!(mistake.what.contains(what), "{text}: {mistake}");
        assert_eq!(mistake.line, line, "{text}: {mistake}");
    }
    let mistake =
        xml::parse("x.xml", b"<fingerprints>\n\xff</fingerprints>").expect_err("no UTF-8");
    assert_eq!(mistake.to_string(), "x.xml: line 2: not UTF-8");
}

#[test]
fn an_enormous_pattern_is_left_out_and_the_others_go_on() {
    let text = file(
        r#"<fingerprint pattern="^((a{1000}){1000}){1000}"><description>d</description></fingerprint>
           <fingerprint pattern="a"><description>e</description><param pos="0" name="os.product" value="x"/></fingerprint>"#,
    );
    let mut rules = Rules::default();
    rules.add(parse(&text).expect("well formed"));
    assert_eq!(rules.software("t", b"a")[0].product, "x");
}

#[test]
fn base64_examples_are_bytes() {
    assert_eq!(base64("AP8\n Kdg=="), b"\0\xff\nv");
}

#[test]
fn entities_and_character_data_are_text() {
    let parsed = parse(&file(
        "<fingerprint pattern='&lt;&#65;>'><description> a\n b</description>\
         <example>&lt;A&gt;</example><example><![CDATA[<A>]]></example></fingerprint>",
    ));
    let parsed = parsed.expect("well formed");
    assert_eq!(parsed.rules[0].description, "a b");
    for (_, example) in &parsed.examples {
        assert_eq!(example.text, "<A>");
        assert!(parsed.rules[0].values(example.text.as_bytes()).is_some());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_file_or_a_mistake(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = xml::parse("x.xml", &bytes);
    }

    #[test]
    fn anything_that_looks_like_a_file_is_one_or_a_mistake(
        text in r#"<fingerprints( matches="t")?>(<fingerprint pattern="[^"<&]{0,12}">|<description>|</description>|<param pos="[0-9]{1,2}" name="(os.product|service.cpe23)"( value="[^"<]{0,9}")?/>|</fingerprint>|&[a-z#0-9]{1,4};){0,12}(</fingerprints>)?"#,
        said in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Ok(parsed) = parse(&text) {
            let mut rules = Rules::default();
            rules.add(parsed);
            let _ = rules.software("t", &said);
        }
    }

    #[test]
    fn whatever_a_server_says_is_bounded(
        said in "(OpenSSH_|Apache/|nginx/|ProFTPD |[a-z]{0,8} ESMTP Postfix )?\\PC{0,600}",
        junk in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut said = said.into_bytes();
        said.extend(junk);
        let rules = builtin();
        for kind in rules.kinds() {
            for piece in rules.software(kind, &said) {
                let texts = [Some(piece.product), piece.version, piece.revision, Some(piece.evidence.text)];
                prop_assert!(texts.into_iter().flatten().all(|text| text.len() <= 256));
                prop_assert!(piece.cpe.is_none_or(|cpe| cpe.parse::<crate::model::cpe::Cpe>().is_ok()));
            }
        }
    }
}

/// Compiled once for all cases.
fn builtin() -> &'static Rules {
    static BUILTIN: OnceLock<Rules> = OnceLock::new();
    BUILTIN.get_or_init(Rules::builtin)
}
