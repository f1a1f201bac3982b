use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
};

/// Reads an entry of `X-Forwarded-For`: an address, bare or with a port, IPv6 with brackets or
/// without.
pub(crate) fn x_forwarded_for(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    match entry.parse::<Ipv6Addr>() {
        Ok(bare) => Some(IpAddr::V6(bare).to_canonical()),
        Err(_) => address(entry, is_port),
    }
}

/// Reads a node of RFC 7239 §6: an address, IPv6 in brackets, perhaps a port or an obfuscated
/// one. `unknown` and obfuscated names are none.
pub(crate) fn rfc_7239(node: &[u8]) -> Option<IpAddr> {
    let node = str::from_utf8(node).ok()?;
    address(node, |port| is_port(port) || is_obfuscated_port(port))
}

fn address(text: &str, is_port: impl Fn(&str) -> bool) -> Option<IpAddr> {
    let (address, port): (IpAddr, _) = match text.strip_prefix('[') {
        Some(rest) => {
            let (v6, after) = rest.split_once(']')?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':')?),
            };
            (v6.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (v4, port) = match text.split_once(':') {
                Some((v4, port)) => (v4, Some(port)),
                None => (text, None),
            };
            (v4.parse::<Ipv4Addr>().ok()?.into(), port)
        }
    };
    port.is_none_or(is_port).then(|| address.to_canonical())
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

fn is_obfuscated_port(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    text.strip_prefix('_')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(legal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_is_an_address_with_or_without_a_port() {
        for (entry, address) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1\t", "192.0.2.1"),
            ("192.0.2.1:5678", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:c000:201]:1", "192.0.2.1"),
        ] {
            let expected = address.parse().ok();
            assert_eq!(x_forwarded_for(entry.as_bytes()), expected, "{entry}");
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for entry in [
            "",
            " ",
            "unknown",
            "_hidden",
            "localhost",
            "192.0.2",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:+80",
            "192.0.2.1:_x",
            "192.0.2.01",
            "0x7f.0.0.1",
            "2130706433",
            "\"192.0.2.1\"",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[2001:db8::1]:",
            "[192.0.2.1]",
            "fe80::1%eth0",
            "[fe80::1%1]:80",
            "192.0.2.1 198.51.100.1",
            "192.0.2.1\u{a0}",
        ] {
            assert_eq!(x_forwarded_for(entry.as_bytes()), None, "{entry:?}");
        }
        assert_eq!(x_forwarded_for(b"192.0.2.1\xff"), None);
    }

    #[test]
    fn a_node_may_have_an_obfuscated_port_and_needs_brackets() {
        let address = "2001:db8::1".parse().ok();
        assert_eq!(rfc_7239(b"[2001:db8::1]:_a.b-c_1"), address);
        assert_eq!(rfc_7239(b"2001:db8::1"), None);
        assert_eq!(rfc_7239(b"[2001:db8::1]:_"), None);
        assert_eq!(rfc_7239(b" 192.0.2.1"), None);
    }

    proptest! {
        #[test]
        fn every_address_is_read_back(bits: u128, v4: u32, port: u16) {
            let v6 = IpAddr::V6(Ipv6Addr::from(bits)).to_canonical();
            prop_assert_eq!(x_forwarded_for(v6.to_string().as_bytes()), Some(v6));
            let bracketed = format!("[{}]:{port}", Ipv6Addr::from(bits));
            prop_assert_eq!(rfc_7239(bracketed.as_bytes()), Some(v6));
            let v4 = Ipv4Addr::from(v4);
            prop_assert_eq!(x_forwarded_for(format!("{v4}:{port}").as_bytes()), Some(v4.into()));
        }

        #[test]
        fn no_entry_panics(entry: Vec<u8>, text in "[0-9a-f:.\\[\\]_%]{0,40}") {
            let _ = x_forwarded_for(&entry);
            let _ = rfc_7239(text.as_bytes());
        }
    }
}
