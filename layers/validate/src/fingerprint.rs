use std::{fmt, str::FromStr};

use jsonschema::json::{JsonNumber, Node, Object};
use sha2::{Digest, Sha256};

use crate::{
    ValidateConfigError,
    document::{Document, Part, Refused},
    learn::LIST_LIMITS,
};

/// What stands for what a tool says of itself: SHA-256 of its name, title, description, schemas and annotations.
///
/// It does not change with the order of members or with white space. Written as `sha256:` and 64 hexadecimal digits.
///
/// ```
/// use bartizan_validate::Fingerprint;
/// let tool = r#"{"name":"add","inputSchema":{"type":"object"}}"#;
/// let same = r#"{ "inputSchema": {"type":"object"}, "name":"add", "icons": [] }"#;
/// assert_eq!(Fingerprint::of_tool(tool)?, Fingerprint::of_tool(same)?);
/// let fingerprint = Fingerprint::of_tool(tool)?;
/// assert_eq!(fingerprint.to_string().parse::<Fingerprint>()?, fingerprint);
/// # Ok::<(), bartizan_validate::ValidateConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// What of a tool counts.
const COUNTED: [&str; 6] = [
    "annotations",
    "description",
    "inputSchema",
    "name",
    "outputSchema",
    "title",
];

impl Fingerprint {
    /// Of a tool, as it stands in the server's list.
    ///
    /// # Errors
    ///
    /// If it is no JSON object, or has a member twice.
    pub fn of_tool(tool: &str) -> Result<Self, ValidateConfigError> {
        let error = |problem| ValidateConfigError::new("tool", tool, problem);
        let document = Document::read(tool, &LIST_LIMITS).map_err(|refused| match refused {
            Refused::Broken => error("is no JSON"),
            Refused::Limit(_) => error("is too large"),
        })?;
        if document.repeats_a_member() {
            return Err(error("has a member twice"));
        }
        Self::of(document.root()).ok_or_else(|| error("is no object"))
    }

    pub(crate) fn of(tool: Part<'_>) -> Option<Self> {
        let members = tool.as_object()?;
        let mut hash = Sha256::new();
        for name in COUNTED {
            if let Some(value) = members.get(&name.into()) {
                text(&mut hash, name);
                canonical(&mut hash, value);
            }
        }
        Some(Self(hash.finalize().into()))
    }
}

/// One text for each value: whatever is the same JSON, its numbers as they are written.
fn canonical(hash: &mut Sha256, part: Part<'_>) {
    if let Some(string) = part.as_string() {
        text(hash, &string);
    } else if let Some(number) = part.as_number() {
        hash.update(b"#");
        text(hash, &number.as_str());
    } else if let Some(elements) = part.as_array() {
        hash.update(b"[");
        elements.for_each(|element| canonical(hash, element));
        hash.update(b"]");
    } else if let Some(members) = part.as_object() {
        let mut members: Vec<_> = members.members().collect();
        members.sort_by_key(|(name, _)| *name);
        hash.update(b"{");
        for (name, value) in members {
            text(hash, name);
            canonical(hash, value);
        }
        hash.update(b"}");
    } else {
        hash.update(match part.as_boolean() {
            None => b"n",
            Some(false) => b"f",
            Some(true) => b"t",
        });
    }
}

/// With its length before it, so that nothing in it ends it.
fn text(hash: &mut Sha256, text: &str) {
    hash.update(b"\"");
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = ValidateConfigError;

    fn from_str(text: &str) -> Result<Self, ValidateConfigError> {
        let problem = "is not `sha256:` and 64 hexadecimal digits";
        let error = || ValidateConfigError::new("fingerprint", text, problem);
        let digits = text.strip_prefix("sha256:").ok_or_else(error)?;
        let digits = digits.as_bytes();
        if digits.len() != 64 {
            return Err(error());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else {
                return Err(error());
            };
            let value = digit(*high)
                .zip(digit(*low))
                .map(|(high, low)| high * 16 + low);
            *byte = value
                .and_then(|value| u8::try_from(value).ok())
                .ok_or_else(error)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_what_a_tool_says_changes_its_fingerprint() {
        let of = |text: &str| Fingerprint::of_tool(text).unwrap();
        let base =
            of(r#"{"name":"a","description":"b","inputSchema":{"enum":["a","b"],"maximum":1}}"#);
        for other in [
            r#"{"name":"a","description":"c","inputSchema":{"enum":["a","b"],"maximum":1}}"#,
            r#"{"name":"a","title":"b","inputSchema":{"enum":["a","b"],"maximum":1}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"enum":["ab"],"maximum":1}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"enum":["b","a"],"maximum":1}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"enum":["a","b"],"maximum":10}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"enum":["a","b"],"maximum":"1"}}"#,
            r#"{"name":"a","description":"b","inputSchema":{"enum":["a","b"]},"maximum":1}"#,
            r#"{"name":"a","description":"b","inputSchema":{"enum":["a","b"],"maximum":1},"annotations":{}}"#,
        ] {
            assert_ne!(of(other), base, "{other}");
        }
        let same = r#"{"_meta":1,"inputSchema":{"maximum":1,"enum":["\u0061","b"]},"name":"a","description":"b"}"#;
        assert_eq!(of(same), base);
        for bad in [
            "[]",
            "{",
            r#"{"name":"a","name":"b"}"#,
            r#"{"inputSchema":{"a":1,"a":2}}"#,
        ] {
            assert!(Fingerprint::of_tool(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_not_read() {
        let good = Fingerprint([0xab; 32]).to_string();
        assert!(good.parse::<Fingerprint>().is_ok());
        for bad in [
            &good[1..],
            &good[..70],
            &good.replace('a', "g"),
            &format!("{good}0"),
            "",
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
