use std::collections::{BTreeMap, BTreeSet};

use crate::{error::CorsConfigError, host::Host, origin::Origin};

/// The one list that decides both who is refused and who is granted (OH-5).
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowlist {
    exact: BTreeSet<Origin<'static>>,
    /// The same as browsers spell them, to be found without parsing.
    spelled: BTreeMap<Box<[u8]>, Box<str>>,
    /// Each stands for every origin below its host, never for itself.
    parents: BTreeSet<Origin<'static>>,
    loopback: bool,
}

impl Allowlist {
    /// The listed origin that a field is, byte for byte, the serialization of.
    pub(crate) fn spelled(&self, field: &[u8]) -> Option<&str> {
        self.spelled.get(field).map(|origin| &**origin)
    }

    pub(crate) fn contains(&self, origin: &Origin<'_>) -> bool {
        self.exact.contains(origin)
            || self.parents.iter().any(|parent| is_below(origin, parent))
            || (self.loopback && origin.is_loopback())
    }

    /// Adds an origin, or every subdomain of one (`https://*.example.com`).
    pub(crate) fn add(&mut self, entry: &str) -> Result<(), CorsConfigError> {
        let error = |problem| CorsConfigError::new("origin", entry, problem);
        if entry == "*" {
            return Err(error("is a wildcard for everybody: list the origins"));
        }
        let Some((scheme, parent)) = entry.split_once("://*.") else {
            let origin = Origin::parse(entry.as_bytes()).map_err(error)?;
            let spelled = origin.to_string();
            let bytes = spelled.as_bytes().into();
            self.spelled.insert(bytes, spelled.into());
            self.exact.insert(origin.into_owned());
            return Ok(());
        };
        let parent = format!("{scheme}://{parent}");
        let parent = Origin::parse(parent.as_bytes()).map_err(error)?;
        match &parent.host {
            Host::Name(name) if parent.is_web() && name.contains('.') => {}
            Host::Name(_) if parent.is_web() => {
                return Err(error("needs two labels or more after the star"));
            }
            _ => return Err(error("has a star before what has no subdomains")),
        }
        self.parents.insert(parent.into_owned());
        Ok(())
    }

    pub(crate) fn add_loopback(&mut self) {
        self.loopback = true;
    }

    /// An entry that stands for origins that nobody listed one by one, or that a stranger on the
    /// network path can speak for.
    pub(crate) fn loose_entry(&self) -> Option<String> {
        if self.loopback {
            return Some("loopback at any port".to_owned());
        }
        if let Some(parent) = self.parents.first() {
            return Some(parent.to_string().replacen("://", "://*.", 1));
        }
        let plain = |origin: &&Origin<'_>| origin.scheme == "http" && !origin.is_loopback();
        self.exact.iter().find(plain).map(ToString::to_string)
    }
}

fn is_below(origin: &Origin<'_>, parent: &Origin<'_>) -> bool {
    let (Host::Name(name), Host::Name(suffix)) = (&origin.host, &parent.host) else {
        return false;
    };
    origin.scheme == parent.scheme
        && origin.port == parent.port
        && name
            .strip_suffix(&**suffix)
            .is_some_and(|labels| labels.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(entries: &[&str]) -> Allowlist {
        let mut list = Allowlist::default();
        for entry in entries {
            list.add(entry).unwrap();
        }
        list
    }

    fn allows(list: &Allowlist, origin: &str) -> bool {
        list.contains(&Origin::parse(origin.as_bytes()).unwrap())
    }

    #[test]
    fn a_star_covers_one_or_more_labels_and_never_the_parent() {
        let list = list(&["https://*.example.com", "http://*.dev.example:8080"]);
        for yes in [
            "https://a.example.com",
            "https://a.b.example.com",
            "https://A.EXAMPLE.com:443",
            "http://x.dev.example:8080",
        ] {
            assert!(allows(&list, yes), "{yes}");
        }
        for no in [
            "https://example.com",
            "https://aexample.com",
            "https://a.example.com.evil.net",
            "http://a.example.com",
            "http://a.example.com:443",
            "https://a.example.com:8443",
            "http://x.dev.example",
        ] {
            assert!(!allows(&list, no), "{no}");
        }
    }

    #[test]
    fn bad_entries_are_errors_that_name_the_entry() {
        for bad in [
            "*",
            "",
            "null",
            "example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com?q",
            "https://user@app.example.com",
            "https://app.example.com:0",
            "https://app.example.com:65536",
            "https://app.example.com.",
            "https://bücher.example",
            "https://*",
            "https://*.com",
            "https://*.",
            "https://*.com.",
            "https://*.*.example.com",
            "https://a.*.example.com",
            "https://*example.com",
            "https://*.127.0.0.1",
            "https://*.[::1]",
            "https://*.localhost",
            "*://app.example.com",
            "*://*.example.com",
            "chrome-extension://*",
            "chrome-extension://*.a.b",
            "https://app.example.com:*",
            " https://app.example.com",
            "https://a.example https://b.example",
        ] {
            let error = Allowlist::default().add(bad).expect_err(bad);
            assert_eq!(error.value(), bad);
        }
    }

    #[test]
    fn duplicates_are_tolerated() {
        let list = list(&["https://a.example", "HTTPS://A.example:443"]);
        assert_eq!(list.exact.len(), 1);
    }

    #[test]
    fn other_schemes_are_allowed_exactly() {
        let list = list(&["chrome-extension://abcdef", "vscode-webview://0a1b-2c"]);
        assert!(allows(&list, "chrome-extension://abcdef"));
        assert!(allows(&list, "vscode-webview://0a1b-2c"));
        assert!(!allows(&list, "chrome-extension://abcdeg"));
        assert!(!allows(&list, "chrome-extension://abcdef:1"));
        assert!(!allows(&list, "moz-extension://abcdef"));
    }

    proptest! {
        #[test]
        fn exactly_the_listed_origins_are_contained(
            listed in prop::collection::vec("https?://[ab]{1,2}\\.c(:(80|443|8080))?", 0..4),
            asked in "(https?|HTTPS)://[abAB]{1,2}\\.c(:(80|443|8080))?",
        ) {
            let entries: Vec<_> = listed.iter().map(String::as_str).collect();
            let parsed = Origin::parse(asked.as_bytes()).unwrap();
            let naive = entries.iter().any(|e| Origin::parse(e.as_bytes()).unwrap() == parsed);
            prop_assert_eq!(list(&entries).contains(&parsed), naive);
        }

        #[test]
        fn any_entry_is_taken_or_refused_without_panic(entry in ".{0,40}") {
            let _ = Allowlist::default().add(&entry);
        }
    }
}
