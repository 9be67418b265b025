//! JSON as a stream: the elements of one array of a document, or one record after the other, each alone in memory.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::rc::Rc;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess,
    SeqAccess, Visitor,
};
use serde_json::Deserializer;
use serde_json::error::Category;

use crate::store::feeds::input::unreadable;
use crate::store::feeds::{Broken, Enough};

/// Hands on every element of the array `key` of the document's object, and returns the text of the field `head`.
///
/// # Errors
/// Where the document is no such object, whole; or an element is not of this form.
pub fn elements<T: DeserializeOwned>(
    input: &mut dyn Read,
    head: &'static str,
    key: &'static str,
    each: &mut dyn FnMut(T) -> Result<(), Enough>,
) -> Result<Option<String>, Broken> {
    let left = Rc::new(Cell::new(MOST));
    let mut json = Deserializer::from_reader(BufReader::new(Meter {
        input,
        left: Rc::clone(&left),
    }));
    let mut enough = None;
    let object = Object {
        head,
        key,
        elements: Elements {
            each,
            enough: &mut enough,
            left: &left,
            of: PhantomData,
        },
    };
    let read = json.deserialize_map(object).and_then(|told| {
        json.end()?;
        Ok(told)
    });
    match (read, enough) {
        (_, Some(Enough)) => Err(Broken::Stopped),
        (Ok(told), None) => Ok(told),
        (Err(error), None) => Err(malformed(&error)),
    }
}

/// Hands on every record of a document that has them one after the other; at least one.
///
/// # Errors
/// Where one is not of this form, or cut.
pub fn records<T: DeserializeOwned>(
    input: &mut dyn Read,
    each: &mut dyn FnMut(T) -> Result<(), Enough>,
) -> Result<(), Broken> {
    let left = Rc::new(Cell::new(MOST));
    let json = Deserializer::from_reader(BufReader::new(Meter {
        input,
        left: Rc::clone(&left),
    }));
    let mut any = false;
    for record in json.into_iter::<T>() {
        let record = record.map_err(|error| malformed(&error))?;
        each(record).map_err(|Enough| Broken::Stopped)?;
        left.set(MOST);
        any = true;
    }
    if any {
        Ok(())
    } else {
        Err(Broken::Malformed {
            place: None,
            what: "it is empty".to_owned(),
        })
    }
}

fn malformed(error: &serde_json::Error) -> Broken {
    let text = error.to_string();
    // The place is told apart from what is wrong.
    let what = text
        .rfind(" at line ")
        .map_or(&*text, |at| text.get(..at).unwrap_or(&text));
    let what: String = what.chars().take(WORDS).collect();
    match error.classify() {
        Category::Io => unreadable(io::Error::from(
            error.io_error_kind().unwrap_or(io::ErrorKind::Other),
        ))
        .saying(&what),
        Category::Eof => Broken::Malformed {
            place: Some((error.line(), error.column())),
            what: format!("it ends too early ({what})"),
        },
        Category::Syntax | Category::Data => Broken::Malformed {
            place: Some((error.line(), error.column())),
            what,
        },
    }
}

impl Broken {
    /// What a reader itself said of its failure says more than the failure's kind.
    fn saying(self, said: &str) -> Self {
        match self {
            Self::Malformed { place, what } if what.starts_with("cannot") => Self::Malformed {
                place,
                what: format!("cannot be read: {said}"),
            },
            other => other,
        }
    }
}

/// The object of a document.
struct Object<'e, T> {
    head: &'static str,
    key: &'static str,
    elements: Elements<'e, T>,
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Object<'_, T> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the array `{}`", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Option<String>, A::Error> {
        let (mut told, mut found) = (None, false);
        while let Some(name) = map.next_key::<String>()? {
            if name == self.key && !found {
                map.next_value_seed(self.elements.borrowed())?;
                found = true;
            } else if name == self.head {
                told = Some(map.next_value::<String>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found {
            Ok(told)
        } else {
            Err(A::Error::missing_field(self.key))
        }
    }
}

/// The array in it.
struct Elements<'e, T> {
    each: &'e mut dyn FnMut(T) -> Result<(), Enough>,
    enough: &'e mut Option<Enough>,
    left: &'e Cell<u64>,
    of: PhantomData<T>,
}

impl<T> Elements<'_, T> {
    fn borrowed(&mut self) -> Elements<'_, T> {
        Elements {
            each: self.each,
            enough: self.enough,
            left: self.left,
            of: PhantomData,
        }
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Elements<'_, T> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Elements<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(element) = array.next_element::<T>()? {
            if let Err(enough) = (self.each)(element) {
                *self.enough = Some(enough);
                return Err(A::Error::custom("stopped"));
            }
            self.left.set(MOST);
        }
        Ok(())
    }
}

/// Ends a document one record of which would fill the memory.
struct Meter<'i> {
    input: &'i mut dyn Read,
    left: Rc<Cell<u64>>,
}

impl Read for Meter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let left = self.left.get();
        match left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX)) {
            Some(left) => self.left.set(left),
            None => {
                return Err(io::Error::other(format!(
                    "one record has more than {} MiB",
                    MOST >> 20
                )));
            }
        }
        Ok(read)
    }
}

/// Bytes of one record. The largest of NVD have a few MiB.
const MOST: u64 = 64 << 20;
/// Characters of what is wrong.
const WORDS: usize = 160;
