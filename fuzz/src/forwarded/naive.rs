use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;

use super::is_trusted;

/// The client by `X-Forwarded-For`, read with what the standard library has.
pub(super) fn client(lines: &[HeaderValue], peer: IpAddr) -> IpAddr {
    let lines: Vec<_> = lines.iter().map(HeaderValue::as_bytes).collect();
    let list = lines.join(&b","[..]);
    let (mut client, mut bytes) = (peer, 0);
    if lines.is_empty() {
        return client;
    }
    for entry in list.split(|byte| *byte == b',').rev().take(32) {
        bytes += entry.len() + 1;
        // The comma before the entry must be in sight as well; the list's first has none.
        let Some(address) = address(entry).filter(|_| bytes <= 4096 + 1) else {
            return client;
        };
        client = address;
        if !is_trusted(client) {
            return client;
        }
    }
    client
}

fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    if text.contains('%') {
        return None;
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        // Here ports have five digits at most, there any number of zeros.
        let port = text.rsplit(':').next()?;
        return (port.len() <= 5).then(|| address.ip().to_canonical());
    }
    let bracketed = text.strip_prefix('[')?.strip_suffix(']')?;
    let address = bracketed.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical())
}
