use std::{
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
};

use bartizan_core::Transport;
use bartizan_network::{ForwardedHeader, NetworkLayer, PeerAddr};
use http::{HeaderName, HeaderValue, Request, header};

use crate::{
    lines::values,
    send::{Frames, send},
};

mod elements;
mod naive;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [198, 51, 100, 9];

static LAYERS: LazyLock<[(HeaderName, NetworkLayer); 2]> = LazyLock::new(|| {
    let layer = NetworkLayer::new()
        .trust_proxy("10.0.0.0/8")
        .and_then(|layer| layer.trust_proxy("2001:db8:a::/48"))
        .expect("the networks are fine");
    let rfc_7239 = layer.clone().forwarded_header(ForwardedHeader::Forwarded);
    let rfc_7239 = rfc_7239.expect("proxies are trusted");
    [(X_FORWARDED_FOR, layer), (header::FORWARDED, rfc_7239)]
});

fn is_trusted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 10,
        IpAddr::V6(v6) => v6.segments()[..3] == [0x2001, 0xdb8, 0xa],
    }
}

/// Arbitrary forwarding headers: the lines before a line `--` are an attacker's, those after it
/// (all, if there is none) are what arrives.
///
/// A stranger's headers change nothing; from a proxy they name the client that a naive reading
/// names; and once they name a stranger, nothing that stands further left changes it (RL-9).
pub fn forwarded(data: &[u8]) {
    const MARK: &[u8] = b"\n--\n";
    let mark = data.windows(MARK.len()).position(|bytes| bytes == MARK);
    let (left, arrived) = match mark {
        Some(mark) => (values(&data[..mark]), values(&data[mark + MARK.len()..])),
        None => (Vec::new(), values(data)),
    };
    for (name, layer) in LAYERS.iter() {
        let from = |peer: [u8; 4], lines: &[HeaderValue]| route(layer, name, peer, lines);
        let stranger = (STRANGER.into(), Transport::Plain);
        assert_eq!(
            from(STRANGER, &arrived),
            stranger,
            "a stranger was believed"
        );

        let found = from(PROXY, &arrived);
        if *name == X_FORWARDED_FOR {
            assert_eq!(found.0, naive::client(&arrived, PROXY.into()));
        } else if let Some(elements) = elements::read(&arrived) {
            assert_eq!(found, elements::client(&elements, PROXY.into()));
        }
        if is_trusted(found.0) {
            continue;
        }
        let apart: Vec<_> = left.iter().chain(&arrived).cloned().collect();
        assert_eq!(
            from(PROXY, &apart),
            found,
            "lines on the left were believed"
        );
        let Some((first, others)) = arrived.split_first() else {
            continue;
        };
        for forged in &left {
            let joined = [forged.as_bytes(), b",", first.as_bytes()].concat();
            let joined = HeaderValue::from_bytes(&joined).expect("two values are one");
            let lines: Vec<_> = [joined].into_iter().chain(others.iter().cloned()).collect();
            assert_eq!(from(PROXY, &lines), found, "{forged:?} was believed");
        }
    }
}

/// The client's address and transport, as stamped.
fn route(
    layer: &NetworkLayer,
    name: &HeaderName,
    peer: [u8; 4],
    lines: &[HeaderValue],
) -> (IpAddr, Transport) {
    let mut request = Request::new(Frames::new(b"", 1));
    let peer = PeerAddr(SocketAddr::from((peer, 40_000)));
    request.extensions_mut().insert(peer);
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    for line in lines {
        headers.append(name, line.clone());
        // The other header is never read.
        let other = if *name == X_FORWARDED_FOR {
            header::FORWARDED
        } else {
            X_FORWARDED_FOR
        };
        headers.append(
            other,
            HeaderValue::from_static("for=203.0.113.66;proto=https"),
        );
    }
    let sent = send(layer, request);
    assert!(sent.is_admitted());
    let address = sent.context.client_address().expect("an address");
    (address, sent.context.transport().expect("a transport"))
}
