//! JSON in answers: fields by name, wherever the answer was cut off.

use serde_json::Value;

/// The object that begins here, where it is whole.
pub fn object(bytes: &[u8]) -> Option<Value> {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let text = bytes.get(start..).filter(|text| text.starts_with(b"{"))?;
    serde_json::Deserializer::from_slice(text)
        .into_iter::<Value>()
        .next()?
        .ok()
}

/// The text at a path of names: `["version", "number"]`.
pub fn field<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter()
        .try_fold(value, |value, name| value.get(name))?
        .as_str()
}
