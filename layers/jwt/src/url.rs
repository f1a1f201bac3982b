use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use crate::error::JwtConfigError;

/// An `http` or `https` URL of the plain sort, in which every parser sees the same host: visible
/// ASCII, no user information, no fragment, no backslash, no IPv4 address in another spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WebUrl<'a> {
    pub(crate) is_https: bool,
    host: &'a str,
    port: Option<&'a str>,
    /// Empty, or with a leading slash.
    pub(crate) path: &'a str,
    /// Without the question mark.
    pub(crate) query: Option<&'a str>,
}

impl<'a> WebUrl<'a> {
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
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

    /// Whether the host names this machine, beyond doubt.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host == "[::1]"
            || self
                .host
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether the host may name this machine or its link, in whatever spelling (SS-2).
    pub(crate) fn may_be_local(&self) -> bool {
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
    #[cfg(feature = "http")]
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        host.parse().ok()
    }

    /// Scheme, host and port in canonical form: lower case, no default port.
    pub(crate) fn origin(&self) -> String {
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

/// The form in which resource identifiers are compared: scheme and host in lower case, no default
/// port, one trailing slash dropped, everything else as it stands (TV-3).
///
/// What is no plain web URL is compared as it is.
pub(crate) fn canonical(identifier: &str) -> Cow<'_, str> {
    let Some(url) = WebUrl::parse(identifier) else {
        return Cow::Borrowed(identifier);
    };
    let mut canonical = url.origin();
    match url.query {
        Some(query) => {
            canonical.push_str(url.path);
            canonical.push('?');
            canonical.push_str(query);
        }
        None => canonical.push_str(url.path.strip_suffix('/').unwrap_or(url.path)),
    }
    Cow::Owned(canonical)
}

/// TLS, except on this machine or where the operator accepts the danger.
pub(crate) fn check_fetchable(
    setting: &'static str,
    url: &str,
    allow_http: bool,
) -> Result<(), JwtConfigError> {
    let Some(parsed) = WebUrl::parse(url) else {
        return Err(JwtConfigError::new(
            setting,
            url,
            "is not a plain https URL",
        ));
    };
    if !parsed.is_https && !parsed.is_loopback() && !allow_http {
        return Err(JwtConfigError::new(setting, url, "is not https"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tv_3_scheme_host_default_port_and_one_slash_do_not_matter() {
        let ours = canonical("https://mcp.example.com/mcp");
        for same in [
            "HTTPS://MCP.Example.com/mcp",
            "https://mcp.example.com:443/mcp",
            "https://mcp.example.com/mcp/",
        ] {
            assert_eq!(canonical(same), ours, "{same}");
        }
        for other in [
            "https://mcp.example.com/MCP",
            "https://mcp.example.com/mcp//",
            "https://mcp.example.com/mcpx",
            "https://mcp.example.com/",
            "https://mcp.example.com/x/../mcp",
            "https://mcp.example.com/%6dcp",
            "https://mcp.example.com/mcp?",
            "https://mcp.example.com/mcp#f",
            "https://u@mcp.example.com/mcp",
            "https://mcp.example.com:8443/mcp",
            "http://mcp.example.com/mcp",
            "https://mcp.example.com./mcp",
            " https://mcp.example.com/mcp",
        ] {
            assert_ne!(canonical(other), ours, "{other}");
        }
    }

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

    proptest! {
        #[test]
        fn dropping_a_slash_is_the_only_thing_that_happens_to_a_path(path in "(/[a-zA-Z0-9._~%-]{0,6}){0,4}") {
            let url = format!("https://h.example{path}");
            let dropped = path.strip_suffix('/').unwrap_or(&path);
            prop_assert_eq!(canonical(&url), format!("https://h.example{dropped}"));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,60}") {
            let _ = canonical(&text);
        }

        #[test]
        fn equal_forms_have_equal_origins(a in "https?://[a-cA-C]{1,3}(:(80|443|8080))?/?", b in "https?://[a-cA-C]{1,3}(:(80|443|8080))?/?") {
            if canonical(&a) == canonical(&b) {
                let origin = |u| WebUrl::parse(u).map(|u| u.origin());
                prop_assert_eq!(origin(&a), origin(&b));
            }
        }
    }
}
