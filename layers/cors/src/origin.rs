use std::{borrow::Cow, fmt};

use crate::host::{Host, lower};

/// An origin as RFC 6454 §4 compares it: scheme and host in lower case, the default port filled in.
///
/// One strict parser reads the configured entry and the request's field, so the two can't be read
/// differently (OH-2). What a browser sends is in lower case already and is borrowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin<'a> {
    pub(crate) host: Host<'a>,
    pub(crate) scheme: Cow<'a, str>,
    pub(crate) port: Option<u16>,
}

/// Longer than any scheme in use, `://`, the longest DNS name and a port.
const MAX_BYTES: usize = 320;

/// What is wrong, to be read after the origin's text.
pub(crate) type Problem = &'static str;

impl<'a> Origin<'a> {
    /// Reads `scheme "://" host [":" port]`, and nothing else.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Err("is empty");
        }
        if bytes.len() > MAX_BYTES {
            return Err("is too long");
        }
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.is_ascii())
            .ok_or("is not ASCII (an international host is written `xn--...`)")?;
        if text.eq_ignore_ascii_case("null") {
            return Err("is opaque: any sandboxed page can send it");
        }
        let (scheme, authority) = text.split_once("://").ok_or("has no `scheme://`")?;
        if !is_scheme(scheme) {
            return Err("has no valid scheme");
        }
        if authority.contains('@') {
            return Err("has user information");
        }
        if authority.contains(['/', '\\', '?', '#']) {
            return Err("has a path, query, fragment or trailing slash");
        }
        let scheme = lower(scheme);
        let (host, port) = authority_parts(authority)?;
        let port = match port {
            Some(port) => Some(parse_port(port)?),
            None => default_port(&scheme),
        };
        Ok(Self { host, scheme, port })
    }

    pub(crate) fn into_owned(self) -> Origin<'static> {
        Origin {
            host: self.host.into_owned(),
            scheme: Cow::Owned(self.scheme.into_owned()),
            port: self.port,
        }
    }

    /// The three hosts that are this machine for a browser, over HTTP or HTTPS, at any port.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.is_loopback() && self.is_web()
    }

    pub(crate) fn is_web(&self) -> bool {
        default_port(&self.scheme).is_some()
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if self.port != default_port(&self.scheme) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

fn is_scheme(scheme: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(legal)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// The host, and what follows its colon if there is one.
fn authority_parts(authority: &str) -> Result<(Host<'_>, Option<&str>), Problem> {
    let Some(bracketed) = authority.strip_prefix('[') else {
        return match authority.split_once(':') {
            Some((host, port)) => Ok((Host::parse(host)?, Some(port))),
            None => Ok((Host::parse(authority)?, None)),
        };
    };
    let (address, rest) = bracketed
        .split_once(']')
        .ok_or("has a bracket that does not close")?;
    let host = Host::V6(
        address
            .parse()
            .map_err(|_| "has no valid IPv6 address in its brackets")?,
    );
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err("has something between the IPv6 address and the port"),
    }
}

/// 1 to 65535 in plain decimal: `u16`'s own parser would take a sign and leading zeros.
fn parse_port(port: &str) -> Result<u16, Problem> {
    let plain = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
    port.parse()
        .ok()
        .filter(|_| plain)
        .ok_or("has a port that is not a number from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Origin<'_>, Problem> {
        Origin::parse(text.as_bytes())
    }

    #[test]
    fn oh_2_scheme_and_host_are_compared_in_lower_case_with_default_ports() {
        for (one, other) in [
            ("https://App.Example.com", "HTTPS://app.example.com:443"),
            ("http://[::1]", "http://[0:0:0:0:0:0:0:1]:80"),
            (
                "https://XN--BCHER-KVA.example",
                "https://xn--bcher-kva.example",
            ),
        ] {
            assert_eq!(parse(one).unwrap(), parse(other).unwrap());
        }
    }

    #[test]
    fn oh_2_a_different_scheme_host_or_port_is_a_different_origin() {
        let good = parse("https://app.example.com").unwrap();
        for other in [
            "http://app.example.com",
            "http://app.example.com:443",
            "https://app.example.com:80",
            "https://example.com",
            "https://app-example.com",
        ] {
            assert_ne!(parse(other).unwrap(), good, "{other}");
        }
    }

    #[test]
    fn what_a_browser_sends_is_borrowed() {
        let origin = parse("https://app.example.com:8443").unwrap();
        assert!(matches!(origin.scheme, Cow::Borrowed(_)));
        assert!(matches!(origin.host, Host::Name(Cow::Borrowed(_))));
    }

    #[test]
    fn control_characters_and_overlong_parts_are_refused() {
        for bad in ["https://a\0b", "https://a\r\nb", "https://a\t", "\u{1}://a"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse(&format!("https://{}.example", "a".repeat(63))).is_ok());
        assert!(parse(&format!("https://{}.example", "a".repeat(64))).is_err());
        assert!(parse(&format!("https://{}b", "a.".repeat(126))).is_ok());
        assert!(parse(&format!("https://{}bc", "a.".repeat(126))).is_err());
        assert!(parse(&format!("{}://a", "s".repeat(1_000_000))).is_err());
    }

    #[test]
    fn only_the_three_loopback_hosts_are_loopback() {
        for yes in [
            "http://localhost",
            "https://127.0.0.1:6274",
            "http://[::1]:1",
        ] {
            assert!(parse(yes).unwrap().is_loopback(), "{yes}");
        }
        for no in [
            "http://localhost.evil.com",
            "http://evillocalhost",
            "http://a.localhost",
            "http://127.0.0.2",
            "http://[::ffff:127.0.0.1]",
            "http://0.0.0.0",
            "tauri://localhost",
        ] {
            assert!(!parse(no).unwrap().is_loopback(), "{no}");
        }
    }

    /// Text that is near to being an origin, so that the properties below do not hold idly.
    fn near_origin() -> impl Strategy<Value = String> {
        let scheme = "(https?|HTTPS|ws|chrome-extension|[a-z+.]{0,3})";
        let separator = "(://|://|://|:/|//|:///)";
        let host = "([a-zA-Z0-9_.-]{0,12}|xn--[a-z0-9-]{0,6}|[0-9]{1,3}(\\.[0-9x]{1,3}){0,4}|\
                    \\[[0-9a-f:.]{0,12}\\]|localhost|[ -~]{0,6})";
        let port = "(|:[0-9]{0,6}|:[+-]?[0-9]{1,3}|[:/?#@ ].{0,3})";
        (scheme, separator, host, port).prop_map(|(a, b, c, d)| [a, b, c, d].concat())
    }

    fn agrees_with_url(text: &str) -> Result<(), TestCaseError> {
        let Ok(ours) = parse(text) else {
            return Ok(());
        };
        let Ok(theirs) = url::Url::parse(text) else {
            // We do not decode Punycode: a label that decodes to nothing is only ever compared.
            prop_assert!(ours.to_string().contains("xn--"), "{text}");
            return Ok(());
        };
        prop_assert_eq!(theirs.scheme(), &*ours.scheme);
        prop_assert!(theirs.username().is_empty() && theirs.password().is_none());
        if ours.is_web() {
            let url::Origin::Tuple(_, host, port) = theirs.origin() else {
                return Err(TestCaseError::fail("no tuple origin"));
            };
            prop_assert_eq!(Some(port), ours.port);
            match (host, &ours.host) {
                (url::Host::Domain(a), Host::Name(b)) => prop_assert_eq!(&a, b),
                (url::Host::Ipv4(a), Host::V4(b)) => prop_assert_eq!(&a, b),
                (url::Host::Ipv6(a), Host::V6(b)) => prop_assert_eq!(&a, b),
                (a, b) => return Err(TestCaseError::fail(format!("{a:?} {b:?}"))),
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Origin::parse(&bytes);
        }

        #[test]
        fn what_is_accepted_serializes_to_the_same_origin(text in near_origin()) {
            if let Ok(origin) = parse(&text) {
                let canonical = origin.to_string();
                let shouted = text.to_ascii_uppercase();
                prop_assert_eq!(parse(&canonical), Ok(origin.clone()));
                prop_assert_eq!(parse(&shouted), Ok(origin.clone()));
                prop_assert_eq!(origin.clone().into_owned(), origin);
            }
        }

        #[test]
        fn what_is_accepted_is_read_alike_by_the_url_standard(text in near_origin()) {
            agrees_with_url(&text)?;
        }

        #[test]
        fn well_formed_origins_are_accepted(
            text in "https?://([a-z0-9_][a-z0-9_-]{0,8}\\.){0,3}[a-z]{1,4}(:[1-9][0-9]{0,3})?"
        ) {
            prop_assert!(parse(&text).is_ok(), "{}", text);
            agrees_with_url(&text)?;
        }
    }
}
