use std::net::IpAddr;

use bartizan_core::{Transport, printable};
use http::{HeaderMap, HeaderName, header::FORWARDED};

use crate::{
    ForwardedHeader, entries,
    forwarded::{self, Element},
    node,
    proxies::Proxies,
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Entries of a forwarding header that are looked at, counted from the right.
const MAX_HOPS: usize = 32;

/// Where a request that a trusted proxy brought came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) client: IpAddr,
    pub(crate) transport: Transport,
    pub(crate) doubt: Option<Doubt<'a>>,
}

/// Why the walk ended before it met a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt<'a> {
    Unreadable(&'a [u8]),
    TooLong,
}

impl<'a> Route<'a> {
    /// Walks from a trusted peer towards the client, to the first hop that is not trusted.
    ///
    /// At a hop that cannot be read the walk stops, and the client is the last address that was
    /// established: what lies further left may have been written by anybody.
    pub(crate) fn walk(proxies: &Proxies, headers: &'a HeaderMap, peer: IpAddr) -> Self {
        let mut route = Self {
            client: peer,
            transport: Transport::Plain,
            doubt: None,
        };
        match proxies.header() {
            ForwardedHeader::XForwardedFor => {
                let last_comma = |line: &[u8]| line.iter().rposition(|byte| *byte == b',');
                let hops = entries::from_the_right(headers, &X_FORWARDED_FOR, last_comma);
                route.follow(proxies, hops, |entry| {
                    node::x_forwarded_for(entry).map(|client| (client, Transport::Plain))
                });
                route.transport = x_forwarded_proto(headers);
            }
            ForwardedHeader::Forwarded => {
                let hops = entries::from_the_right(headers, &FORWARDED, forwarded::last_comma);
                route.follow(proxies, hops, |entry| {
                    Element::parse(entry).map(|element| (element.client, element.transport))
                });
                // The last element that could be read speaks of another hop than the client's.
                if route.doubt.is_some() {
                    route.transport = Transport::Plain;
                }
            }
        }
        route
    }

    fn follow(
        &mut self,
        proxies: &Proxies,
        mut hops: impl Iterator<Item = Option<&'a [u8]>>,
        read: impl Fn(&[u8]) -> Option<(IpAddr, Transport)>,
    ) {
        for _ in 0..MAX_HOPS {
            let Some(hop) = hops.next() else { return };
            let Some(text) = hop else { break };
            let Some((client, transport)) = read(text) else {
                self.doubt = Some(Doubt::Unreadable(text));
                return;
            };
            self.client = client;
            self.transport = transport;
            if !proxies.trusts(client) {
                return;
            }
        }
        self.doubt = Some(Doubt::TooLong);
    }
}

impl Doubt<'_> {
    /// A stable word for the finding.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Unreadable(_) => "hop_unreadable",
            Self::TooLong => "hops_exceeded",
        }
    }

    pub(crate) fn reason(self) -> String {
        match self {
            Self::Unreadable(text) => {
                let text = String::from_utf8_lossy(text);
                format!("a hop is no address: `{}`", printable(&text, 100))
            }
            Self::TooLong => "the forwarding header is too long to be walked".to_owned(),
        }
    }
}

fn x_forwarded_proto(headers: &HeaderMap) -> Transport {
    let mut lines = headers.get_all(X_FORWARDED_PROTO).iter();
    match (lines.next(), lines.next()) {
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"https") => Transport::Tls,
        _ => Transport::Plain,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const KINDS: [(ForwardedHeader, HeaderName, &str); 2] = [
        (ForwardedHeader::XForwardedFor, X_FORWARDED_FOR, ""),
        (ForwardedHeader::Forwarded, FORWARDED, "for="),
    ];

    fn proxies(header: ForwardedHeader) -> Proxies {
        let mut proxies = Proxies::default();
        proxies.trust("10.0.0.0/8").unwrap();
        proxies.written_in(header).unwrap();
        proxies
    }

    fn headers(name: &HeaderName, lines: &[Vec<u8>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn walk<'a>(proxies: &Proxies, headers: &'a HeaderMap) -> Route<'a> {
        Route::walk(proxies, headers, [10, 0, 0, 1].into())
    }

    #[test]
    fn the_walk_is_bounded_in_hops() {
        for (header, name, pre) in KINDS {
            let proxies = proxies(header);
            for (trusted, doubt) in [(MAX_HOPS - 1, None), (MAX_HOPS, Some(Doubt::TooLong))] {
                let line = format!(
                    "{pre}192.0.2.1{}",
                    format!(", {pre}10.0.0.2").repeat(trusted)
                );
                let headers = headers(&name, &[line.into_bytes()]);
                let route = walk(&proxies, &headers);
                assert_eq!(route.doubt, doubt);
                assert_eq!(proxies.trusts(route.client), doubt.is_some());
            }
        }
    }

    #[test]
    fn the_walk_is_bounded_in_bytes_counted_from_the_right() {
        let padding = "x".repeat(entries::MAX_BYTES);
        for (header, name, pre) in KINDS {
            let proxies = proxies(header);
            let far = format!("{padding}, {pre}192.0.2.1");
            let headers_far = headers(&name, &[far.into_bytes()]);
            let route = walk(&proxies, &headers_far);
            assert_eq!((route.client, route.doubt), ([192, 0, 2, 1].into(), None));
            let near = format!("{pre}192.0.2.1;x={padding}, {pre}10.0.0.2");
            let headers_near = headers(&name, &[near.into_bytes()]);
            let route = walk(&proxies, &headers_near);
            assert_eq!(route.client, IpAddr::from([10, 0, 0, 2]));
            assert_eq!(route.doubt, Some(Doubt::TooLong));
        }
    }

    #[test]
    fn tv_18_https_of_a_hop_is_not_lent_to_the_one_that_cannot_be_read() {
        let proxies = proxies(ForwardedHeader::Forwarded);
        let trusted = ", for=10.0.0.2;proto=https";
        for line in [
            format!("for=_hidden;proto=http{trusted}"),
            format!("for=unknown{trusted}"),
            trusted.to_owned(),
            format!("for=192.0.2.1;proto=http{}", trusted.repeat(MAX_HOPS)),
        ] {
            let headers = headers(&FORWARDED, &[line.clone().into_bytes()]);
            let route = walk(&proxies, &headers);
            assert_eq!(route.client, IpAddr::from([10, 0, 0, 2]), "{line}");
            assert!(route.doubt.is_some(), "{line}");
            assert_eq!(route.transport, Transport::Plain, "{line}");
        }
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
        let shaped =
            "(for=|proto=https|10\\.0\\.0\\.[0-9]|192\\.0\\.2\\.[0-9]|;|,|\"|\\\\| |unknown){0,16}";
        prop_oneof![vec(byte, 0..64), shaped.prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn no_header_panics_and_a_doubtful_route_ends_at_a_trusted_hop(lines in vec(line(), 0..4)) {
            for (header, name, _) in KINDS {
                let (headers, proxies) = (headers(&name, &lines), proxies(header));
                let route = walk(&proxies, &headers);
                prop_assert!(route.doubt.is_none() || proxies.trusts(route.client));
                prop_assert!(route.doubt.is_none() || route.transport == Transport::Plain);
            }
        }

        #[test]
        fn rl_9_what_stands_left_of_the_first_stranger_changes_nothing(
            before in vec(line(), 0..3),
            left in line(),
            trusted in 0..4_usize,
            proto in prop_oneof![Just(""), Just(";proto=https"), Just(";x=\"a\\\"b\"")],
        ) {
            for (header, name, pre) in KINDS {
                let proxies = proxies(header);
                let proto = if header == ForwardedHeader::Forwarded { proto } else { "" };
                let tail = format!(", {pre}10.0.0.2").repeat(trusted);
                let honest = format!("{pre}192.0.2.1{proto}{tail}").into_bytes();
                let alone = headers(&name, std::slice::from_ref(&honest));
                let expected = walk(&proxies, &alone);
                prop_assert_eq!(expected.client, IpAddr::from([192, 0, 2, 1]));
                prop_assert_eq!(expected.doubt, None);

                let appended = [&left, &b","[..], &honest].concat();
                for last in [vec![appended], vec![left.clone(), honest]] {
                    let lines: Vec<_> = before.iter().cloned().chain(last).collect();
                    let forged = headers(&name, &lines);
                    prop_assert_eq!(walk(&proxies, &forged), expected);
                }
            }
        }
    }
}
