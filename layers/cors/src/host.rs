use std::{
    borrow::Cow,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::origin::Problem;

/// An origin's host: a name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host<'a> {
    Name(Cow<'a, str>),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

impl<'a> Host<'a> {
    /// Reads a host without brackets: a DNS name, or a dotted IPv4 address.
    pub(crate) fn parse(host: &'a str) -> Result<Self, Problem> {
        if host.is_empty() {
            return Err("has no host");
        }
        if host.len() > MAX_NAME {
            return Err("has a host that is too long");
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        for label in host.split('.') {
            if label.is_empty() {
                return Err("has an empty label or a trailing dot in its host");
            }
            if label.len() > MAX_LABEL || !label.bytes().all(legal) {
                return Err("has a host that is not a DNS name or an IP address");
            }
        }
        if ends_in_number(host) {
            // Browsers read `127.1` and `0x7f.1` as addresses and send the dotted form: so must it be.
            return host
                .parse()
                .map(Self::V4)
                .map_err(|_| "has a host that is neither a name nor a dotted IPv4 address");
        }
        Ok(Self::Name(lower(host)))
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::V4(address) => *address == Ipv4Addr::LOCALHOST,
            Self::V6(address) => *address == Ipv6Addr::LOCALHOST,
        }
    }

    pub(crate) fn into_owned(self) -> Host<'static> {
        match self {
            Self::Name(name) => Host::Name(Cow::Owned(name.into_owned())),
            Self::V4(address) => Host::V4(address),
            Self::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// The URL standard's test for a host that is an IPv4 address or nothing.
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}
