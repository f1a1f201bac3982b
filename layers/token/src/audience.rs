use bartizan_fetch::WebUrl;
use serde_json::Value;

use crate::{TokenConfigError, canonical};

/// Whom tokens must be meant for.
#[derive(Debug)]
pub struct Audiences(Vec<Audience>);

#[derive(Debug)]
struct Audience {
    as_given: String,
    /// For web URLs, which are compared in this form (TV-3). Other identifiers compare exactly.
    canonical: Option<String>,
}

impl Audiences {
    /// Audiences of a configuration.
    ///
    /// # Errors
    ///
    /// If there is none, or one is no URL and looks like one.
    pub fn new(audiences: &[String]) -> Result<Self, TokenConfigError> {
        if audiences.is_empty() {
            return Err(TokenConfigError::missing("audience"));
        }
        let audiences: Result<_, _> = audiences.iter().map(|a| Audience::new(a)).collect();
        audiences.map(Self)
    }

    /// The first that is a web URL: the resource identifier, unless another is configured.
    pub fn first_url(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|a| a.canonical.is_some())
            .map(|a| a.as_given.as_str())
    }

    /// Whether `aud`, a string or a list of strings, names one of them (TV-2).
    pub fn contain_one_of(&self, aud: &Value) -> bool {
        match aud {
            Value::String(one) => self.contain(one),
            Value::Array(many) => {
                many.iter().all(Value::is_string)
                    && many
                        .iter()
                        .filter_map(Value::as_str)
                        .any(|a| self.contain(a))
            }
            _ => false,
        }
    }

    fn contain(&self, theirs: &str) -> bool {
        if self.0.iter().any(|ours| ours.as_given == theirs) {
            return true;
        }
        let theirs = canonical(theirs);
        self.0
            .iter()
            .any(|ours| ours.canonical.as_deref() == Some(&*theirs))
    }
}

impl Audience {
    fn new(given: &str) -> Result<Self, TokenConfigError> {
        if given.is_empty() {
            return Err(TokenConfigError::missing("audience"));
        }
        if given.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(TokenConfigError::new("audience", given, "has white space"));
        }
        let lower = given.to_ascii_lowercase();
        let is_web = lower.starts_with("http:") || lower.starts_with("https:");
        if is_web && WebUrl::parse(given).is_none() {
            return Err(TokenConfigError::new(
                "audience",
                given,
                "is not a plain URL",
            ));
        }
        Ok(Self {
            as_given: given.to_owned(),
            canonical: is_web.then(|| canonical(given).into_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours() -> Audiences {
        Audiences::new(&["https://mcp.example.com/mcp".into(), "api://mcp".into()]).unwrap()
    }

    #[test]
    fn tv_2_string_and_list_are_understood_and_prefixes_are_not() {
        let u = "https://mcp.example.com/mcp";
        for aud in [
            json!(u),
            json!(["https://other.example", u]),
            json!("api://mcp"),
            json!(format!("{u}/")),
        ] {
            assert!(ours().contain_one_of(&aud), "{aud}");
        }
        for aud in [
            json!(null),
            json!(7),
            json!([]),
            json!({}),
            json!([[u]]),
            json!([u, 7]),
            json!(""),
            json!(format!("{u}x")),
            json!("https://mcp.example.com"),
            json!("https://mcp.example.com/"),
            json!("API://mcp"),
            json!("api://mcp/"),
            json!("*"),
            json!(format!("{u} api://mcp")),
        ] {
            assert!(!ours().contain_one_of(&aud), "{aud}");
        }
    }

    #[test]
    fn seed_a7_an_empty_audience_does_not_build() {
        assert!(Audiences::new(&[]).is_err());
        assert!(Audiences::new(&[String::new()]).is_err());
        for bad in [
            "https://",
            "https:/a",
            "https://a b",
            "https://u@a/",
            "https://a/#f",
            " x",
        ] {
            assert!(Audiences::new(&[bad.into()]).is_err(), "{bad}");
        }
    }
}
