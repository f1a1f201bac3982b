use std::{borrow::Cow, net::IpAddr};

use bartizan_core::Transport;

use crate::node;

/// What one element of `Forwarded` (RFC 7239 §4) says: whom a proxy was called by, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) client: IpAddr,
    pub(crate) transport: Transport,
}

impl Element {
    /// Reads one element; `None` unless it is well-formed and names one address.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (mut client, mut proto) = (None, None);
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(b";") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (name, after) = token(rest)?;
            let (value, after) = value(after.strip_prefix(b"=")?)?;
            rest = after.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b";") {
                return None;
            }
            let slot = if name.eq_ignore_ascii_case(b"for") {
                &mut client
            } else if name.eq_ignore_ascii_case(b"proto") {
                &mut proto
            } else {
                continue;
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(Self {
            client: node::rfc_7239(&client?)?,
            transport: if proto.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https")) {
                Transport::Tls
            } else {
                Transport::Plain
            },
        })
    }
}

fn value(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    match text.strip_prefix(b"\"") {
        Some(quoted) => unquote(quoted),
        None => token(text).map(|(token, after)| (token.into(), after)),
    }
}

fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let legal = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let end = text.iter().position(|b| !legal(b)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at_checked(end)).flatten()
}

/// Reads a quoted-string (RFC 9110 §5.6.4) whose opening quote is already gone.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut value = Cow::Borrowed(&[][..]);
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        let (before, after) = rest.split_at_checked(plain)?;
        if value.is_empty() {
            value = before.into();
        } else {
            value.to_mut().extend_from_slice(before);
        }
        match after.split_first()? {
            (b'"', after) => return Some((value, after)),
            (_, after) => {
                let (escaped, after) = after.split_first()?;
                value.to_mut().push(*escaped);
                rest = after;
            }
        }
    }
}

/// Finds the comma before the last element of a line of `Forwarded`.
///
/// It reads from the right, because only the right end was written by somebody we trust: a quote
/// that a stranger opened on the left must not swallow what a proxy appended.
pub(crate) fn last_comma(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (index, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if !quoted => quoted = true,
            b'"' if !is_escaped(line, index) => quoted = false,
            b',' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

fn is_escaped(line: &[u8], index: usize) -> bool {
    let before = line.get(..index).unwrap_or_default();
    let slashes = before.iter().rev().take_while(|b| **b == b'\\').count();
    slashes % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(text: &str) -> Option<String> {
        Element::parse(text.as_bytes()).map(|e| e.client.to_string())
    }

    #[test]
    fn an_element_names_one_client() {
        for (element, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            (
                "FOR=192.0.2.1;by=203.0.113.1;host=a;ext=\"x,;=y\"",
                "192.0.2.1",
            ),
            (";; proto=http ; for=192.0.2.1 ;", "192.0.2.1"),
            (r#"for="192.0.2.1:80""#, "192.0.2.1"),
            (r#"for="[2001:db8::1]:_p""#, "2001:db8::1"),
            (r#"for="\1\92.0.2.1""#, "192.0.2.1"),
        ] {
            assert_eq!(client(element).unwrap_or_default(), expected, "{element}");
        }
    }

    #[test]
    fn a_malformed_element_names_nobody() {
        for element in [
            "",
            ";",
            "for",
            "for=",
            "=1",
            "for=192.0.2.1;for=192.0.2.1",
            "for=192.0.2.1;proto=http;proto=https",
            "for=192.0.2.1 proto=https",
            "for=192.0.2.1:80",
            "for=[2001:db8::1]",
            r#"for="2001:db8::1""#,
            r#"for="192.0.2.1"#,
            r#"for="192.0.2.1\"#,
            r#"for="192.0.2.1"x"#,
            r#"for=""192.0.2.1"#,
            "for=unknown",
            "for=_hidden",
            "proto=https",
            "for=192.0.2.1;x",
            "for=192.0.2.1;x=\"",
        ] {
            assert_eq!(client(element), None, "{element}");
        }
    }

    #[test]
    fn https_is_said_in_the_same_element_or_not_at_all() {
        let https =
            |text: &str| Element::parse(text.as_bytes()).unwrap().transport == Transport::Tls;
        assert!(https("for=192.0.2.1;proto=HTTPS"));
        assert!(https(r#"proto="https";for=192.0.2.1"#));
        for plain in [
            "for=192.0.2.1",
            "for=192.0.2.1;proto=http",
            "for=192.0.2.1;proto=https2",
        ] {
            assert!(!https(plain), "{plain}");
        }
    }

    #[test]
    fn a_strangers_open_quote_swallows_nothing() {
        for left in ["for=\"", "for=\"\\", "\"\"\"", "x=\"a\\\\", "\\"] {
            let line = format!("{left}, for=192.0.2.1");
            assert_eq!(last_comma(line.as_bytes()), Some(left.len()), "{line}");
            let line = format!("{left}, for=\"[2001:db8::1]\";x=\"a\\\",b\\\\\"");
            assert_eq!(last_comma(line.as_bytes()), Some(left.len()), "{line}");
        }
    }

    fn quoted(raw: &[u8]) -> Vec<u8> {
        let mut text = vec![b'"'];
        for byte in raw {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.push(b'"');
        text
    }

    proptest! {
        #[test]
        fn quoted_strings_are_read_back(raw: Vec<u8>, after in "[a-z]{0,3}") {
            let text = [quoted(&raw).as_slice(), after.as_bytes()].concat();
            let (value, rest) = unquote(&text[1..]).unwrap();
            prop_assert_eq!(value.as_ref(), raw.as_slice());
            prop_assert_eq!(rest, after.as_bytes());
        }

        #[test]
        fn the_last_element_is_found_whatever_stands_left_of_it(left: Vec<u8>, raw: Vec<u8>) {
            let line = [&left, &b","[..], b"for=192.0.2.1;x=", &quoted(&raw)].concat();
            prop_assert_eq!(last_comma(&line), Some(left.len()));
        }

        #[test]
        fn no_element_panics(text: Vec<u8>, shaped in "(for|proto|=|;|,|\"|\\\\|[0-9.]| ){0,24}") {
            let _ = (Element::parse(&text), last_comma(&text));
            let _ = (Element::parse(shaped.as_bytes()), last_comma(shaped.as_bytes()));
        }
    }
}
