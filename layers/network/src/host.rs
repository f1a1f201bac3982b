use std::{
    net::{Ipv4Addr, Ipv6Addr},
    str,
};

use http::{HeaderMap, Uri, header::HOST};

/// A parsed `Host` or `:authority` (RFC 9110 §7.2): stricter than the grammar, which also admits
/// what no client sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    Dns(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// The one host that a request names: its `Host`, its `:authority`, or both if they agree.
    pub(crate) fn of(headers: &'a HeaderMap, uri: &'a Uri) -> Result<Self, &'static str> {
        let mut lines = headers.get_all(HOST).iter();
        let line = lines.next();
        if lines.next().is_some() {
            return Err("is repeated");
        }
        let host = line
            .map(|line| str::from_utf8(line.as_bytes()).map_err(|_| "is not ASCII"))
            .transpose()?
            .map(Self::parse)
            .transpose()?;
        let authority = uri
            .authority()
            .map(|authority| Self::parse(authority.as_str()))
            .transpose()?;
        match (host, authority) {
            (None, None) => Err("is missing"),
            (Some(host), Some(authority)) if !host.is(&authority) => {
                Err("and the request target do not agree")
            }
            (Some(host), _) | (None, Some(host)) => Ok(host),
        }
    }

    /// The only field that names the request's host, or `None` where there may be another one.
    pub(crate) fn only<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> Option<&'r [u8]> {
        let mut lines = headers.get_all(HOST).iter();
        match (lines.next(), lines.next(), uri.authority()) {
            (Some(line), None, None) => Some(line.as_bytes()),
            (None, None, Some(authority)) => Some(authority.as_str().as_bytes()),
            _ => None,
        }
    }

    /// Reads `name`, `1.2.3.4` or `[::1]`, each perhaps with `:port`.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (v6, port) = rest.split_once(']').ok_or("has an unclosed bracket")?;
                let v6 = v6.parse().map_err(|_| "has no IPv6 address in brackets")?;
                (Name::V6(v6), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at_checked(end).unwrap_or_default();
                (Name::parse(name)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => {
                Some(parse_port(digits.as_bytes()).ok_or("has no port from 1 to 65535")?)
            }
            None if port.is_empty() => None,
            None => return Err("goes on after its bracket"),
        };
        Ok(Self { name, port })
    }

    fn is(&self, other: &Self) -> bool {
        let same_name = match (self.name, other.name) {
            (Name::Dns(a), Name::Dns(b)) => a.eq_ignore_ascii_case(b),
            (Name::V4(a), Name::V4(b)) => a == b,
            (Name::V6(a), Name::V6(b)) => a == b,
            _ => false,
        };
        same_name && self.port == other.port
    }
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        if text.contains('@') {
            return Err("has user information");
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !text.bytes().all(legal) {
            return Err("has a character that no host name has");
        }
        if text.ends_with('.') {
            return Err("ends in a dot");
        }
        if text.len() > 253 || text.split('.').any(|l| l.is_empty() || l.len() > 63) {
            return Err("has a label or a length that no host name has");
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        if !is_number(last) {
            return Ok(Self::Dns(text));
        }
        // `127.1` and `0x7f000001` are addresses to some resolvers and names to others.
        let v4 = text
            .parse()
            .map_err(|_| "ends like an address but is none")?;
        Ok(Self::V4(v4))
    }
}

fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or(label.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[inline]
pub(crate) fn parse_port(digits: &[u8]) -> Option<u16> {
    if !matches!(digits, [b'1'..=b'9', ..]) {
        return None;
    }
    digits.iter().try_fold(0_u16, |port, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            _ => return None,
        };
        port.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use http::uri::Authority;
    use proptest::prelude::*;

    use super::*;

    fn hostish() -> impl Strategy<Value = String> {
        let piece =
            "([a-zA-Z0-9_.-]{0,6}|\\.|:|\\[|\\]|::1|127\\.0\\.0\\.1|0x7f|@|%|/|é|:[0-9]{1,6})";
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn oh_3_hosts_are_compared_parsed() {
        for (a, b) in [
            ("MCP.Example.com", "mcp.example.COM"),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]:80"),
            ("[2001:DB8::1]", "[2001:db8:0::1]"),
        ] {
            assert!(Host::parse(a).unwrap().is(&Host::parse(b).unwrap()));
        }
        for (a, b) in [
            ("127.0.0.1", "[::ffff:127.0.0.1]"),
            ("a.example", "a.example:80"),
            ("a.example", "b.example"),
        ] {
            assert!(!Host::parse(a).unwrap().is(&Host::parse(b).unwrap()));
        }
    }

    #[test]
    fn a_port_is_written_in_one_way() {
        for (digits, port) in [
            ("1", Some(1)),
            ("8080", Some(8080)),
            ("65535", Some(65535)),
            ("65536", None),
            ("655350", None),
            ("99999999999999999999", None),
            ("", None),
            ("0", None),
            ("080", None),
            ("+80", None),
            ("80x", None),
            ("x80", None),
        ] {
            assert_eq!(parse_port(digits.as_bytes()), port, "{digits}");
        }
    }

    #[test]
    fn names_and_labels_have_their_dns_length() {
        let label = "a".repeat(63);
        assert!(Host::parse(&label).is_ok());
        assert!(Host::parse(&format!("{label}a")).is_err());
        let name = [&*label, &label, &label, &label[..61]].join(".");
        assert_eq!(name.len(), 253);
        assert!(Host::parse(&name).is_ok());
        assert!(Host::parse(&format!("{name}a")).is_err());
    }

    proptest! {
        /// A second opinion: what we accept, two other parsers read alike.
        #[test]
        fn what_is_accepted_others_read_alike(text in hostish()) {
            let Ok(host) = Host::parse(&text) else { return Ok(()) };
            let authority: Authority = text.parse().unwrap();
            prop_assert_eq!(authority.port_u16(), host.port);
            match (host.name, url::Host::parse(authority.host())) {
                (Name::Dns(a), Ok(url::Host::Domain(b))) => prop_assert!(a.eq_ignore_ascii_case(&b)),
                (Name::V4(a), Ok(url::Host::Ipv4(b))) => prop_assert_eq!(a, b),
                (Name::V6(a), Ok(url::Host::Ipv6(b))) => prop_assert_eq!(a, b),
                // Invalid Punycode, which is a name to us: it is compared as it stands.
                (Name::Dns(a), Err(_)) => prop_assert!(a.to_ascii_lowercase().contains("xn--")),
                (ours, theirs) => prop_assert!(false, "{ours:?} is {theirs:?}"),
            }
        }

        #[test]
        fn an_address_is_itself_and_nothing_else(v4: u32, v6: u128, port in 1..=u16::MAX) {
            let v4 = Ipv4Addr::from(v4);
            let text = format!("{v4}:{port}");
            let host = Host::parse(&text).unwrap();
            prop_assert!(matches!(host.name, Name::V4(a) if a == v4) && host.port == Some(port));
            let v6 = Ipv6Addr::from(v6);
            let text = format!("[{v6}]");
            let host = Host::parse(&text).unwrap();
            prop_assert!(matches!(host.name, Name::V6(a) if a == v6) && host.port.is_none());
        }

        #[test]
        fn no_host_panics(text: String) {
            let _ = Host::parse(&text);
        }
    }
}
