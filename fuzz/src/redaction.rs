use bartizan_sensitive::{Finder, Kinds, Redactor};
use serde_json::Value;

/// JSON, or a text, that is redacted.
///
/// What comes out is one line of JSON within the bound, with no card's number and no key of AWS in it by a naive reading. JSON
/// that holds nothing sensitive says the same as before; what is found stands in order, at the bounds of characters.
pub fn redaction(data: &[u8]) {
    let redactor = Redactor::new().bytes(4096).expect("it is in range");
    let mut out = Vec::new();
    let masked = redactor.redact(data, &mut out);
    let value = check(&out);
    if let Ok(before) = serde_json::from_slice::<Value>(data)
        && masked.is_empty()
        && out.len() < 3000
        && !data.windows(2).any(|pair| pair == b"e+" || pair == b"E+")
    {
        assert!(is_same(&before, &value), "{value}");
    }
    for beginning in [data.len() / 2, data.len() / 3] {
        let mut out = Vec::new();
        let beginning = data.get(..beginning).unwrap_or_default();
        redactor.redact_beginning(beginning, &mut out);
        check(&out);
        out.clear();
        redactor.shape(beginning, &mut out);
        check(&out);
    }
    let text = String::from_utf8_lossy(data);
    let finder = Finder::new(&Kinds::all());
    let mut last = 0;
    for found in finder.find(&text) {
        assert!(found.range.start >= last, "{found}");
        assert!(
            text.get(found.range.clone()).is_some_and(|t| !t.is_empty()),
            "{found}"
        );
        last = found.range.end;
    }
    check_words(&finder.mask(&text));
}

fn check(out: &[u8]) -> Value {
    assert!(out.len() <= 4096, "{} bytes", out.len());
    assert!(out.iter().all(|b| (b' '..=b'~').contains(b)), "{out:?}");
    let value: Value = serde_json::from_slice(out).expect("JSON");
    walk(&value);
    value
}

fn walk(value: &Value) {
    match value {
        Value::String(text) => check_words(text),
        Value::Array(values) => values.iter().for_each(walk),
        Value::Object(members) => members.values().for_each(walk),
        _ => {}
    }
}

fn check_words(text: &str) {
    for word in text.split(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)) {
        let is_digits = word.len() == 16 && word.bytes().all(|b| b.is_ascii_digit());
        assert!(
            !(is_digits && word.starts_with('4') && has_check_digit(word)),
            "{word}"
        );
        let id = word.strip_prefix("AKIA").filter(|id| id.len() == 16);
        let is_id = |id: &str| {
            id.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        assert!(!id.is_some_and(is_id), "{word}");
    }
}

fn has_check_digit(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .enumerate()
        .map(|(at, b)| {
            let digit = u32::from(b - b'0');
            match (at % 2 == 0, digit * 2 > 9) {
                (true, true) => digit * 2 - 9,
                (true, false) => digit * 2,
                _ => digit,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether both say the same: JSON in a text is written anew.
fn is_same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::String(one), Value::String(other)) => {
            let inner = |text: &str| serde_json::from_str::<Value>(text).ok();
            one == other || inner(one).is_some_and(|one| Some(one) == inner(other))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, a)| other.get(name).is_some_and(|b| is_same(a, b)))
        }
        _ => before == after,
    }
}
