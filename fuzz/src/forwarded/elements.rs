use std::net::IpAddr;

use bartizan_core::Transport;
use http::HeaderValue;

use super::is_trusted;

/// One element's pairs, names in lower case.
type Pairs = Vec<(String, Vec<u8>)>;

/// Reads `Forwarded` from left to right as RFC 7239 §4 writes it down; `None` if a line is not well
/// formed by itself, or if all is too long to be looked at.
pub(super) fn read(lines: &[HeaderValue]) -> Option<Vec<Pairs>> {
    let lines: Vec<_> = lines.iter().map(HeaderValue::as_bytes).collect();
    let elements: Option<Vec<_>> = lines.iter().map(|line| read_line(line)).collect();
    let is_short = lines.concat().len() + lines.len() <= 4000;
    elements
        .map(|lines| lines.concat())
        .filter(|elements| is_short && elements.len() <= 32)
}

fn read_line(line: &[u8]) -> Option<Vec<Pairs>> {
    let mut rest = line;
    let mut elements = vec![Pairs::new()];
    loop {
        rest = rest.trim_ascii_start();
        match rest {
            [] => return Some(elements),
            [b',', after @ ..] => {
                elements.push(Pairs::new());
                rest = after;
            }
            [b';', after @ ..] => rest = after,
            _ => {
                let (name, after) = token(rest)?;
                let after = after.strip_prefix(b"=")?;
                let (value, after) = match after.strip_prefix(b"\"") {
                    Some(quoted) => quoted_string(quoted)?,
                    None => token(after)?,
                };
                let after = after.trim_ascii_start();
                if !matches!(after, [] | [b',' | b';', ..]) {
                    return None;
                }
                let name = String::from_utf8(name).ok()?.to_ascii_lowercase();
                elements.last_mut()?.push((name, value));
                rest = after;
            }
        }
    }
}

fn token(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let is_tchar = |b: &u8| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(b);
    let length = text.iter().take_while(|b| is_tchar(b)).count();
    (length > 0).then(|| (text[..length].to_vec(), &text[length..]))
}

fn quoted_string(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    loop {
        let (byte, after) = match text {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', escaped, after @ ..] => (*escaped, after),
            [b'\\'] | [] => return None,
            [byte, after @ ..] => (*byte, after),
        };
        value.push(byte);
        text = after;
    }
}

/// The client and its transport by a list of elements.
pub(super) fn client(elements: &[Pairs], peer: IpAddr) -> (IpAddr, Transport) {
    let mut found = (peer, Transport::Plain);
    for pairs in elements.iter().rev() {
        let all = |name: &str| {
            let values = pairs.iter().filter(|(n, _)| n == name);
            values.map(|(_, value)| &**value).collect::<Vec<_>>()
        };
        let ([node], proto @ ([] | [_])) = (&*all("for"), &*all("proto")) else {
            return found;
        };
        let Some(address) = address(node) else {
            return found;
        };
        let is_tls = proto.iter().any(|p| p.eq_ignore_ascii_case(b"https"));
        found = (
            address,
            if is_tls {
                Transport::Tls
            } else {
                Transport::Plain
            },
        );
        if !is_trusted(address) {
            return found;
        }
    }
    found
}

fn address(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node).ok()?;
    let (address, port) = match text.split_once(']') {
        Some((address, port)) => {
            let address = address.strip_prefix('[')?.parse().ok()?;
            (IpAddr::V6(address), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (IpAddr::V4(text[..end].parse().ok()?), &text[end..])
        }
    };
    let is_port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => match port.strip_prefix('_') {
            None => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                digits && port.len() <= 5 && port.parse::<u16>().is_ok()
            }
            Some(name) => {
                let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
                !name.is_empty() && name.bytes().all(legal)
            }
        },
    };
    is_port.then(|| address.to_canonical())
}
