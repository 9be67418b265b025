//! Which of two upstream versions is the later one: `9.2p1`, `1.18.0`, `2.4.57`, `1.0.2k`, `3.0.0-beta2`.
//!
//! A version is a row of numbers and words; separators only part them. Rows are compared place by place, and a row that
//! ends goes on with zeros: `1.0` and `1.0.0` are the same version. In one place comes, in this order: a word for what
//! came before the release (`alpha`, `rc`), zero or nothing, a word for what came after it (`p`, `patch`, the letter of
//! OpenSSL), a number. Any other word is decoration, and so is what follows it: `10.11.6-MariaDB` is `10.11.6`.

use std::cmp::Ordering;

/// Orders two versions as their makers number them. A total order: texts that differ in decoration alone are equal.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let (mut a, mut b) = (Pieces::new(&a), Pieces::new(&b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => {
                let order = a.unwrap_or(Piece::Zero).cmp(&b.unwrap_or(Piece::Zero));
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// What stands in one place, in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Piece<'a> {
    Before(u8),
    Zero,
    After(&'a str),
    /// How many digits without leading zeros, and these.
    Number(usize, &'a str),
}

struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    /// Of a text in lower case.
    fn new(text: &'a str) -> Self {
        let text = text.trim_start();
        let behind_v = text
            .strip_prefix('v')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        Self {
            rest: behind_v.unwrap_or(text),
        }
    }

    /// What the text begins with as far as its characters fit.
    fn take(&mut self, fits: fn(&char) -> bool) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !fits(&c))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        self.take(|c| !c.is_ascii_alphanumeric());
        let digits = self.take(char::is_ascii_digit);
        if !digits.is_empty() {
            let digits = digits.trim_start_matches('0');
            return Some(if digits.is_empty() {
                Piece::Zero
            } else {
                Piece::Number(digits.len(), digits)
            });
        }
        let word = self.take(char::is_ascii_alphabetic);
        let piece = named(word);
        if piece.is_none() {
            self.rest = "";
        }
        piece
    }
}

fn named(word: &str) -> Option<Piece<'_>> {
    Some(match word {
        "" => return None,
        "dev" | "snapshot" => Piece::Before(0),
        "alpha" => Piece::Before(1),
        "beta" => Piece::Before(2),
        "pre" | "preview" => Piece::Before(3),
        "rc" => Piece::Before(4),
        "patch" | "pl" => Piece::After("p"),
        "post" | "update" | "hotfix" => Piece::After(word),
        short if short.len() <= 2 => Piece::After(short),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_is_later_than_the_one_before() {
        for rising in [
            &[
                "8.5p1", "8.6", "9.2", "9.2p1", "9.2p2", "9.3", "9.3p1", "9.10p1",
            ][..],
            &["0.6.18", "1.9.0", "1.18.0", "1.20.1", "1.21.0"],
            &["2.4.9", "2.4.57", "2.4.58"],
            &["10.6.99", "10.11.6-MariaDB", "10.11.7", "11.0"],
            &["1.0.2", "1.0.2a", "1.0.2k", "1.0.2za", "1.1.0"],
            &[
                "3.0.0-alpha1",
                "3.0.0-alpha2",
                "3.0.0-beta1",
                "3.0.0rc1",
                "3.0.0",
                "3.0.0-p1",
                "3.0.1",
            ],
            &["1.99999999999999999999999", "2"],
            &["2020.80", "2022.82", "2022.83"],
        ] {
            for pair in rising.windows(2) {
                assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
                assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
            }
        }
    }

    #[test]
    fn these_are_the_same_version() {
        for (a, b) in [
            ("1.0", "1.0.0"),
            ("v2.1", "2.1"),
            ("9.2P1", "9.2p1"),
            ("9.2-p1", "9.2p1"),
            ("10.11.6-MariaDB", "10.11.6"),
            ("8.0.36-community", "8.0.36"),
            ("1.01", "1.1"),
            ("", "0"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn it_is_an_order(
            a in "[0-2a-c.p~-]{0,6}", b in "[0-2a-c.p~-]{0,6}", c in "[0-2a-c.p~-]{0,6}",
        ) {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn any_texts_can_be_compared(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
