use std::net::{Ipv4Addr, Ipv6Addr};

use bartizan_validate::safe::net::SafeUrl;
use url::{Host, Url};

/// A URL that a caller wants fetched.
///
/// What is accepted is `https` on port 443 to the URL standard too, whose host is the one that was judged, public if it is an
/// address, and without user information.
pub fn safe_url(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let Ok(safe) = SafeUrl::<bartizan_validate::safe::net::PublicHttps>::new(text) else {
        return;
    };
    assert_eq!(safe.as_str(), text);
    // What the standard does not read, as a label of punycode that decodes to nothing, is not fetched either.
    let Ok(url) = Url::parse(text) else {
        return;
    };
    assert_eq!(
        (url.scheme(), url.port_or_known_default()),
        ("https", Some(443)),
        "{text}"
    );
    assert!(
        url.username().is_empty() && url.password().is_none(),
        "{text}"
    );
    assert_eq!(url.fragment(), None, "{text}");
    let host = safe.host().to_ascii_lowercase();
    match url.host() {
        Some(Host::Domain(name)) => {
            assert_eq!(name, host);
            assert!(name.contains('.') && !name.ends_with('.'), "{name}");
            assert!(
                !name.ends_with(".localhost") && !name.ends_with(".internal"),
                "{name}"
            );
        }
        Some(Host::Ipv4(address)) => {
            assert_eq!(address.to_string(), host);
            is_public(address);
        }
        Some(Host::Ipv6(address)) => {
            let inner = host.trim_start_matches('[').trim_end_matches(']');
            assert_eq!(inner.parse::<Ipv6Addr>(), Ok(address));
            assert!(
                !address.is_loopback() && !address.is_unspecified() && !address.is_multicast(),
                "{address}"
            );
            assert!(
                !address.is_unique_local() && !address.is_unicast_link_local(),
                "{address}"
            );
            if let Some(address) = address.to_ipv4() {
                is_public(address);
            }
        }
        None => panic!("{text} has no host"),
    }
}

fn is_public(address: Ipv4Addr) {
    let [a, b, ..] = address.octets();
    assert!(
        !address.is_private() && !address.is_loopback() && !address.is_link_local(),
        "{address}"
    );
    assert!(
        !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast(),
        "{address}"
    );
    assert!(
        !address.is_documentation() && a != 0 && a < 224,
        "{address}"
    );
    assert!((a, b & 0xC0) != (100, 64), "{address}");
}
