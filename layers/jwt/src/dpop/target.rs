use bartizan_fetch::WebUrl;

use crate::{DpopConfig, JwtConfigError};

/// The URLs that proofs may be for, as clients see them (DP-1).
///
/// They come from configuration alone: what a request says of its host would be the attacker's. Its
/// path is what is served, so that a proof for one path is no good at another.
#[derive(Debug)]
pub(crate) struct Targets {
    targets: Vec<Target>,
    paths: Paths,
}

#[derive(Debug)]
struct Target {
    url: String,
    /// Where in the URL its path begins.
    path_at: usize,
}

/// What a request's path says of the URL that the client called.
#[derive(Debug)]
enum Paths {
    /// The path of that URL, after this prefix of it.
    After(String),
    /// Nothing.
    Ignored,
}

/// Where a proof is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Here,
    AnotherPath,
}

impl Targets {
    pub(crate) fn new(resource: &str, config: &DpopConfig) -> Result<Self, JwtConfigError> {
        let mut targets = Vec::with_capacity(config.urls.len() + 1);
        for url in std::iter::once(resource).chain(config.urls.iter().map(String::as_str)) {
            let error = |problem| JwtConfigError::new("dpop.urls", url, problem);
            let target = Target::new(url).ok_or_else(|| error("is not a plain URL"))?;
            if WebUrl::parse(url).is_some_and(|url| url.query.is_some()) {
                return Err(error("has a query, which proofs leave out"));
            }
            targets.push(target);
        }
        let paths = match (&config.stripped_prefix, config.danger_any_path) {
            (Some(_), true) => {
                let problem = "says nothing beside danger_any_path";
                return Err(JwtConfigError::of("dpop.stripped_prefix", problem));
            }
            (None, true) => Paths::Ignored,
            (None, false) => Paths::After(String::new()),
            (Some(prefix), false) => Paths::After(plain_prefix(prefix).ok_or_else(|| {
                let problem = "is no path that begins with a slash and ends without one";
                JwtConfigError::new("dpop.stripped_prefix", prefix, problem)
            })?),
        };
        Ok(Self { targets, paths })
    }

    /// Whether it is said what of the path does not arrive.
    #[cfg(feature = "axum")]
    pub(crate) fn have_prefix(&self) -> bool {
        matches!(&self.paths, Paths::After(prefix) if !prefix.is_empty())
    }

    /// Where a proof with this `htu` is good: here, if the request has this path; `None` if it is for
    /// none of them.
    pub(crate) fn find(&self, htu: &str, path: &str) -> Option<At> {
        // Proofs leave query and fragment out; one that has them is compared without.
        let end = htu.find(['?', '#']).unwrap_or(htu.len());
        let (htu, _) = htu.get(..end).and_then(normalized)?;
        let target = self.targets.iter().find(|target| target.url == htu)?;
        let is_here = match &self.paths {
            Paths::Ignored => true,
            Paths::After(prefix) => {
                let rest = target.path().strip_prefix(&**prefix);
                rest.is_some_and(|rest| is_path(rest, path))
            }
        };
        Some(if is_here { At::Here } else { At::AnotherPath })
    }
}

impl Target {
    fn new(url: &str) -> Option<Self> {
        let (url, path_at) = normalized(url)?;
        Some(Self { url, path_at })
    }

    fn path(&self) -> &str {
        self.url.get(self.path_at..).unwrap_or_default()
    }
}

/// Whether a request's path is `expected`, which is written plainly. None is the root's.
fn is_path(expected: &str, path: &str) -> bool {
    let or_root = |path: &str| if path.is_empty() { "/" } else { path }.to_owned();
    expected == path || plain_path(path).is_some_and(|path| path == or_root(expected))
}

/// The URL, and where in it its path begins.
///
/// Scheme and host in lower case, no default port, no empty path, `%41` as `A` and `%2f` as `%2F` (RFC
/// 3986 §6.2.2, §6.2.3). What has segments to resolve is no URL that a client calls.
fn normalized(url: &str) -> Option<(String, usize)> {
    let parsed = WebUrl::parse(url)?;
    let path = plain_path(parsed.path)?;
    let mut url = parsed.origin().to_string();
    let path_at = url.len();
    url.push_str(&path);
    Some((url, path_at))
}

fn plain_path(path: &str) -> Option<String> {
    let path = if path.is_empty() { "/" } else { path };
    let path = with_plain_escapes(path)?;
    let has_dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    (!has_dots).then_some(path)
}

fn plain_prefix(prefix: &str) -> Option<String> {
    let is_prefix = prefix.starts_with('/') && !prefix.ends_with('/');
    let is_path = !prefix.contains(['?', '#']);
    plain_path(prefix).filter(|_| is_prefix && is_path)
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

    const MCP: &str = "https://mcp.example.com/mcp";

    fn targets_of(resource: &str, urls: &[&str]) -> Result<Targets, JwtConfigError> {
        let config = DpopConfig {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            ..DpopConfig::default()
        };
        Targets::new(resource, &config)
    }

    #[test]
    fn dp_1_spellings_of_one_url_are_one_and_others_are_not() {
        let targets = targets_of("https://mcp.example.com/a~b/mcp", &[]).unwrap();
        let contains = |htu: &str| targets.find(htu, "/a~b/mcp") == Some(At::Here);
        for same in [
            "https://mcp.example.com/a~b/mcp",
            "HTTPS://MCP.example.com:443/a~b/mcp",
            "https://mcp.example.com/%61%7Eb/mcp",
            "https://mcp.example.com/a%7eb/mcp?x=1#y",
        ] {
            assert!(contains(same), "{same}");
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
            assert!(!contains(other), "{other}");
        }
        let more = ["https://x.example/m"];
        let root = targets_of("https://mcp.example.com", &more).unwrap();
        assert_eq!(root.find("https://mcp.example.com/", "/"), Some(At::Here));
        assert_eq!(root.find("https://x.example/m", "/m"), Some(At::Here));
        assert!(targets_of("https://a.example", &["https://b.example/?q"]).is_err());
        assert!(targets_of("https://a.example", &["b.example"]).is_err());
    }

    #[test]
    fn dp_1_the_path_that_is_asked_is_the_one_that_the_proof_is_for() {
        let more = ["https://mcp.example.com/a~b"];
        let targets = targets_of(MCP, &more).unwrap();
        assert_eq!(targets.find(MCP, "/mcp"), Some(At::Here));
        assert_eq!(targets.find(MCP, "/%6dcp"), Some(At::Here));
        assert_eq!(targets.find(more[0], "/a%7Eb"), Some(At::Here));
        for elsewhere in [
            "/admin",
            "/a~b",
            "/mcp/",
            "/MCP",
            "/x/../mcp",
            "/",
            "",
            "*",
            "/%2Fmcp",
            "/mcp%",
        ] {
            assert_eq!(
                targets.find(MCP, elsewhere),
                Some(At::AnotherPath),
                "{elsewhere}"
            );
        }
    }

    #[test]
    fn what_a_proxy_takes_off_the_path_can_be_said_or_paths_be_ignored() {
        let with = |prefix: Option<&str>, any| {
            let config = DpopConfig {
                stripped_prefix: prefix.map(str::to_owned),
                danger_any_path: any,
                ..DpopConfig::default()
            };
            Targets::new("https://mcp.example.com/notes/mcp", &config)
        };
        let (htu, here) = ("https://mcp.example.com/notes/mcp", Some(At::Here));
        let stripped = with(Some("/notes"), false).unwrap();
        assert_eq!(stripped.find(htu, "/mcp"), here);
        assert_ne!(stripped.find(htu, "/notes/mcp"), here);
        assert_ne!(stripped.find(htu, "/admin"), here);
        let wholly = with(Some("/notes/mcp"), false).unwrap();
        assert_eq!(wholly.find(htu, "/"), here);
        assert_eq!(wholly.find(htu, ""), here);
        assert_ne!(with(Some("/other"), false).unwrap().find(htu, "/mcp"), here);
        assert_eq!(with(None, true).unwrap().find(htu, "/anything"), here);
        assert!(with(Some("/notes"), true).is_err());
        for prefix in ["", "/", "notes", "/notes/", "/a/../b", "/a?b", "/%"] {
            assert!(with(Some(prefix), false).is_err(), "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_compared_without_panic(text in "\\PC{0,60}", path in "\\PC{0,20}") {
            let targets = targets_of(MCP, &[]).unwrap();
            let _ = targets.find(&text, &path);
            prop_assert_eq!(targets.find(MCP, &path) == Some(At::Here), path == "/mcp");
        }

        #[test]
        fn normalizing_twice_is_normalizing_once(path in "(/[a-zA-Z0-9._~%-]{0,6}){0,4}") {
            if let Some((once, _)) = normalized(&format!("https://h.example{path}")) {
                prop_assert_eq!(normalized(&once).map(|(url, _)| url), Some(once.clone()));
            }
        }
    }
}
