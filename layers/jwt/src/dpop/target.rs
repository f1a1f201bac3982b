use bartizan_fetch::WebUrl;

use crate::JwtConfigError;

/// The URLs that proofs may be for, as clients see them (DP-1).
///
/// They come from configuration alone: what a request says of its host would be the attacker's.
#[derive(Debug)]
pub(crate) struct Targets(Vec<String>);

impl Targets {
    pub(crate) fn new(resource: &str, more: &[String]) -> Result<Self, JwtConfigError> {
        let mut targets = Vec::with_capacity(more.len() + 1);
        for url in std::iter::once(resource).chain(more.iter().map(String::as_str)) {
            let error = |problem| JwtConfigError::new("dpop.urls", url, problem);
            let target = normalized(url).ok_or_else(|| error("is not a plain URL"))?;
            if WebUrl::parse(url).is_some_and(|url| url.query.is_some()) {
                return Err(error("has a query, which proofs leave out"));
            }
            targets.push(target);
        }
        Ok(Self(targets))
    }

    /// Whether a proof with this `htu` is for one of them.
    pub(crate) fn contain(&self, htu: &str) -> bool {
        // Proofs leave query and fragment out; one that has them is compared without.
        let end = htu.find(['?', '#']).unwrap_or(htu.len());
        let htu = htu.get(..end).and_then(normalized);
        htu.is_some_and(|htu| self.0.contains(&htu))
    }
}

/// Scheme and host in lower case, no default port, no empty path, `%41` as `A` and `%2f` as `%2F` (RFC
/// 3986 §6.2.2, §6.2.3). What has segments to resolve is no URL that a client calls.
fn normalized(url: &str) -> Option<String> {
    let parsed = WebUrl::parse(url)?;
    let path = if parsed.path.is_empty() {
        "/"
    } else {
        parsed.path
    };
    let path = with_plain_escapes(path)?;
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return None;
    }
    Some(format!("{}{path}", parsed.origin()))
}

fn with_plain_escapes(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut plain = pieces.next()?.to_owned();
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2)?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(hex, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            plain.push('%');
            plain.push_str(&hex.to_ascii_uppercase());
        }
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dp_1_spellings_of_one_url_are_one_and_others_are_not() {
        let targets = Targets::new("https://mcp.example.com/a~b/mcp", &[]).unwrap();
        for same in [
            "https://mcp.example.com/a~b/mcp",
            "HTTPS://MCP.example.com:443/a~b/mcp",
            "https://mcp.example.com/%61%7Eb/mcp",
            "https://mcp.example.com/a%7eb/mcp?x=1#y",
        ] {
            assert!(targets.contain(same), "{same}");
        }
        for other in [
            "",
            "/a~b/mcp",
            "http://mcp.example.com/a~b/mcp",
            "https://mcp.example.com:8443/a~b/mcp",
            "https://mcp.example.com./a~b/mcp",
            "https://evil.example/a~b/mcp",
            "https://mcp.example.com@evil.example/a~b/mcp",
            "https://mcp.example.com/a~b/mcp/",
            "https://mcp.example.com/a~b/MCP",
            "https://mcp.example.com/x/../a~b/mcp",
            "https://mcp.example.com/a~b%2Fmcp",
            "https://mcp.example.com/a~b/mcp%",
            "https://mcp.example.com/a~b/mcp%zz",
        ] {
            assert!(!targets.contain(other), "{other}");
        }
        let root =
            Targets::new("https://mcp.example.com", &["https://x.example/m".into()]).unwrap();
        assert!(root.contain("https://mcp.example.com/") && root.contain("https://x.example/m"));
        assert!(Targets::new("https://a.example", &["https://b.example/?q".into()]).is_err());
        assert!(Targets::new("https://a.example", &["b.example".into()]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_compared_without_panic(text in "\\PC{0,60}") {
            let targets = Targets::new("https://mcp.example.com/mcp", &[]).unwrap();
            let _ = targets.contain(&text);
        }

        #[test]
        fn normalizing_twice_is_normalizing_once(path in "(/[a-zA-Z0-9._~%-]{0,6}){0,4}") {
            if let Some(once) = normalized(&format!("https://h.example{path}")) {
                prop_assert_eq!(normalized(&once), Some(once.clone()));
            }
        }
    }
}
