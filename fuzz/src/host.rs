use std::{net::Ipv6Addr, sync::LazyLock};

use bartizan_network::NetworkLayer;
use http::{HeaderValue, Request, Uri, header::HOST, uri::Authority};

use crate::{
    lines::lines,
    send::{Frames, send},
};

static LISTED: LazyLock<NetworkLayer> = LazyLock::new(|| {
    let hosts = [
        "mcp.example.com",
        "api.example.com:8443",
        "*.wild.example.com",
        "192.0.2.7",
        "[2001:db8::1]",
    ];
    let layer = NetworkLayer::new();
    let listed = hosts
        .iter()
        .try_fold(layer, |layer, host| layer.allow_host(host));
    listed.expect("the list is fine")
});
static LOOPBACK: LazyLock<NetworkLayer> = LazyLock::new(NetworkLayer::new);
static ANY: LazyLock<NetworkLayer> = LazyLock::new(|| {
    NetworkLayer::new()
        .danger_allow_any_host()
        .expect("nothing is listed")
});

const AUTHORITY: &[u8] = b":authority ";

/// Arbitrary `Host` lines; a line that begins with `:authority ` is the request target's.
///
/// A request that is admitted names one host, as `http` reads it, and that host is allowed.
pub fn host(data: &[u8]) {
    let (mut hosts, mut authority) = (Vec::new(), None);
    for line in lines(data) {
        match line.strip_prefix(AUTHORITY) {
            Some(text) => authority = Authority::try_from(text).ok(),
            None => hosts.extend(HeaderValue::from_bytes(line).ok()),
        }
    }
    judge(&LISTED, &hosts, authority.as_ref(), is_listed);
    judge(&LOOPBACK, &hosts, authority.as_ref(), is_loopback);
    judge(&ANY, &hosts, authority.as_ref(), |_| true);
}

fn judge(
    layer: &NetworkLayer,
    hosts: &[HeaderValue],
    authority: Option<&Authority>,
    is_allowed: fn(&Authority) -> bool,
) {
    let mut request = Request::new(Frames::new(b"", 1));
    if let Some(authority) = authority {
        let uri = Uri::builder().scheme("https").path_and_query("/mcp");
        let uri = uri.authority(authority.clone()).build();
        *request.uri_mut() = uri.expect("a URI");
    }
    for host in hosts {
        request.headers_mut().append(HOST, host.clone());
    }
    let sent = send(layer, request);
    if !sent.is_admitted() {
        assert!(matches!(sent.answer.status().as_u16(), 400 | 403));
        return;
    }
    assert!(hosts.len() <= 1, "several hosts were admitted");
    let line = hosts.first().map(|host| {
        let parsed = Authority::try_from(host.as_bytes());
        parsed.unwrap_or_else(|error| panic!("{host:?} passed: {error}"))
    });
    if let (Some(line), Some(authority)) = (&line, authority) {
        assert!(is_same(line, authority), "{line} and {authority} passed");
    }
    let named = line.as_ref().or(authority).expect("no host, and it passed");
    assert!(!named.as_str().contains('@'), "{named} passed");
    assert!(is_allowed(named), "{named} passed");
}

fn is_listed(host: &Authority) -> bool {
    let name = host.host().to_ascii_lowercase();
    let label = name.strip_suffix(".wild.example.com");
    name == "mcp.example.com"
        || name == "api.example.com" && host.port_u16() == Some(8443)
        || label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
        || name == "192.0.2.7"
        || v6(host) == Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
}

fn is_loopback(host: &Authority) -> bool {
    let name = host.host().to_ascii_lowercase();
    name == "localhost" || name == "127.0.0.1" || v6(host) == Some(Ipv6Addr::LOCALHOST)
}

fn is_same(one: &Authority, other: &Authority) -> bool {
    let same_name = one.host().eq_ignore_ascii_case(other.host());
    one.port_u16() == other.port_u16() && (same_name || v6(one).is_some() && v6(one) == v6(other))
}

fn v6(host: &Authority) -> Option<Ipv6Addr> {
    let inner = host.host().strip_prefix('[')?.strip_suffix(']')?;
    inner.parse().ok()
}
