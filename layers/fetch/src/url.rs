use std::net::{IpAddr, Ipv4Addr};

/// An `http` or `https` URL of the plain sort, in which every parser sees the same host: visible
/// ASCII, no user information, no fragment, no backslash, no IPv4 address in another spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebUrl<'a> {
    /// Whether its scheme is `https`.
    pub is_https: bool,
    host: &'a str,
    port: Option<&'a str>,
    /// Empty, or with a leading slash.
    pub path: &'a str,
    /// Without the question mark.
    pub query: Option<&'a str>,
}

impl<'a> WebUrl<'a> {
    /// The URL, if it is of the plain sort.
    pub fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let is_plain =
            |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'#' | b'<' | b'>');
        if !rest.bytes().all(is_plain) {
            return None;
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_authority(authority)?;
        Some(Self {
            is_https,
            host,
            port,
            path,
            query,
        })
    }

    /// The host as it is written, an IPv6 address in brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The port, or that of the scheme; none if there is no such number.
    pub fn port(&self) -> Option<u16> {
        match self.port {
            Some(port) => port.parse().ok(),
            None if self.is_https => Some(443),
            None => Some(80),
        }
    }

    /// Whether the host names this machine, beyond doubt.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host == "[::1]"
            || self
                .host
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether the host may name this machine or its link, in whatever spelling (SS-2).
    pub fn may_be_local(&self) -> bool {
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        match address.map(|ip: IpAddr| ip.to_canonical()) {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local()
            }
            Err(_) => host
                .rsplit('.')
                .next()
                .is_some_and(|label| label.eq_ignore_ascii_case("localhost")),
        }
    }

    /// The host, if it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        host.parse().ok()
    }

    /// Scheme, host and port in canonical form: lower case, no default port.
    pub fn origin(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        let host = self.host.to_ascii_lowercase();
        let default = if self.is_https { "443" } else { "80" };
        match self.port.filter(|port| *port != default) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }
}

fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside brackets belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && (!ends_in_number(host) || host.parse::<Ipv4Addr>().is_ok());
    let is_v6 = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .is_some_and(|h| h.parse::<std::net::Ipv6Addr>().is_ok());
    let port_is_number =
        port.is_none_or(|p| (1..=5).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    ((is_name || is_v6) && port_is_number).then_some((host, port))
}

/// Whether browsers and HTTP clients take the name for an IPv4 address: `127.1`, `0x7f000001`.
fn ends_in_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next();
    last.is_some_and(|label| {
        let hex = label
            .strip_prefix("0x")
            .or_else(|| label.strip_prefix("0X"));
        match hex {
            Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
            None => !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()),
        }
    })
}

/// Why a URL is not fetched from: TLS is needed, except on this machine or where the operator accepts
/// the danger.
pub fn unfetchable(url: &str, allow_http: bool) -> Option<&'static str> {
    match WebUrl::parse(url) {
        None => Some("is not a plain https URL"),
        Some(url) if !url.is_https && !url.is_loopback() && !allow_http => Some("is not https"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_that_parsers_disagree_about_are_none() {
        for url in [
            "https://",
            "https:///x",
            "https://a\\b/",
            "https://a b/",
            "https://é/",
            "ftp://a/",
            "https://a@b/",
            "https://a:b/",
            "https://a:/",
            "https://[::1/",
            "https://[::1]evil/",
            "//a/b",
            "https:/a",
            "https://a:123456/",
            "https://a/\r\n",
            "https://a#b",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://a.0X/",
        ] {
            assert_eq!(WebUrl::parse(url), None, "{url}");
        }
    }

    #[test]
    fn only_plain_spellings_are_loopback() {
        let is_loopback = |url| WebUrl::parse(url).is_some_and(|u| u.is_loopback());
        for yes in [
            "http://localhost:80/",
            "http://127.0.0.1/",
            "http://127.9.9.9/",
            "http://[::1]:1/",
        ] {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in [
            "http://127.1/",
            "http://0x7f000001/",
            "http://localhost.evil.example/",
            "http://0.0.0.0/",
        ] {
            assert!(!is_loopback(no), "{no}");
        }
    }

    #[test]
    fn host_and_port_are_told() {
        let of = |url| {
            WebUrl::parse(url)
                .map(|url| (url.host(), url.port()))
                .unwrap()
        };
        assert_eq!(of("https://a.example/x"), ("a.example", Some(443)));
        assert_eq!(of("http://a.example"), ("a.example", Some(80)));
        assert_eq!(of("http://[::1]:8080/"), ("[::1]", Some(8080)));
        assert_eq!(of("https://a.example:99999/"), ("a.example", None));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,60}") {
            let _ = WebUrl::parse(&text);
        }
    }
}
