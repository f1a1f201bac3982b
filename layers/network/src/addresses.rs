use std::net::IpAddr;

use crate::{
    NetworkConfigError,
    networks::{self, Networks},
};

/// The client addresses that may come in: everybody unless some are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    allowed: Networks,
    denied: Networks,
}

impl Addresses {
    pub(crate) fn allow(&mut self, text: &str) -> Result<(), NetworkConfigError> {
        let setting = "allowed network";
        let network =
            networks::parse(setting, text, "is everybody, who is allowed without a list")?;
        if self.denied.cover(&network) {
            let problem = "lies in a denied network, which wins";
            return Err(NetworkConfigError::new(setting, text, problem));
        }
        self.allowed.add(network);
        Ok(())
    }

    pub(crate) fn deny(&mut self, text: &str) -> Result<(), NetworkConfigError> {
        let setting = "denied network";
        let network = networks::parse(setting, text, "is everybody, so that nobody is admitted")?;
        if self.allowed.are_covered_by(&network) {
            let problem = "covers an allowed network, and wins";
            return Err(NetworkConfigError::new(setting, text, problem));
        }
        self.denied.add(network);
        Ok(())
    }

    /// Whether the client may come in; why not. An address that is not known is on no good list.
    pub(crate) fn judge(&self, client: Option<IpAddr>) -> Result<(), &'static str> {
        if self.allowed.is_empty() && self.denied.is_empty() {
            return Ok(());
        }
        let client = client.ok_or("is not known for sure")?;
        if self.denied.contain(client) {
            return Err("is denied");
        }
        if !self.allowed.is_empty() && !self.allowed.contain(client) {
            return Err("is not among the allowed");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn addresses(allow: &[&str], deny: &[&str]) -> Addresses {
        let mut addresses = Addresses::default();
        for network in allow {
            addresses.allow(network).unwrap();
        }
        for network in deny {
            addresses.deny(network).unwrap();
        }
        addresses
    }

    #[test]
    fn deny_wins_and_an_allowed_network_excludes_all_others() {
        let both = addresses(&["10.0.0.0/8", "::1"], &["10.6.0.0/16"]);
        for (address, expected) in [
            ("10.1.2.3", Ok(())),
            ("10.6.0.1", Err("is denied")),
            ("192.0.2.1", Err("is not among the allowed")),
            ("::1", Ok(())),
            ("2001:db8::1", Err("is not among the allowed")),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(both.judge(Some(address)), expected, "{address}");
        }
        let denied = addresses(&[], &["203.0.113.0/24"]);
        assert!(denied.judge(Some([203, 0, 113, 9].into())).is_err());
        assert!(denied.judge(Some([203, 0, 114, 9].into())).is_ok());
        assert!(denied.judge(Some("2001:db8::1".parse().unwrap())).is_ok());
    }

    #[test]
    fn an_unknown_address_passes_no_list_and_everybody_passes_none() {
        assert!(addresses(&["10.0.0.0/8"], &[]).judge(None).is_err());
        assert!(addresses(&[], &["10.0.0.0/8"]).judge(None).is_err());
        assert!(Addresses::default().judge(None).is_ok());
    }

    #[test]
    fn mapped_networks_are_ipv4_networks_on_both_lists() {
        let mapped = addresses(&["::ffff:10.0.0.0/104"], &["::ffff:10.6.0.1"]);
        assert!(mapped.judge(Some([10, 1, 1, 1].into())).is_ok());
        assert!(mapped.judge(Some([10, 6, 0, 1].into())).is_err());
    }

    #[test]
    fn lists_that_cannot_be_read_or_contradict_each_other_do_not_build() {
        type Add = fn(&mut Addresses, &str) -> Result<(), NetworkConfigError>;
        for add in [Addresses::allow as Add, Addresses::deny] {
            for bad in [
                "",
                "10",
                "10.0.0.1/8",
                "0.0.0.0/0",
                "::/0",
                "::ffff:0:0/96",
                "a.example",
            ] {
                let error = add(&mut Addresses::default(), bad).unwrap_err();
                assert!(error.to_string().contains(&format!("`{bad}`")), "{error}");
            }
        }
        assert!(addresses(&["10.0.0.0/8"], &[]).deny("10.0.0.0/8").is_err());
        assert!(addresses(&["10.0.0.0/8"], &[]).deny("10.0.0.0/7").is_err());
        assert!(
            addresses(&[], &["10.0.0.0/8"])
                .allow("10.1.0.0/16")
                .is_err()
        );
        assert!(addresses(&["10.0.0.0/8"], &[]).deny("10.1.0.0/16").is_ok());
    }

    proptest! {
        #[test]
        fn a_denied_address_never_passes_and_an_allowed_list_admits_no_other(
            allow in vec((any::<u32>(), 1..=32_u8), 0..4),
            deny in vec((any::<u32>(), 1..=32_u8), 0..4),
            client in any::<u32>(),
        ) {
            let text = |(bits, prefix): &(u32, u8)| {
                let net = ipnet::Ipv4Net::new((*bits).into(), *prefix).unwrap();
                net.trunc().to_string()
            };
            let within = |(bits, prefix): &(u32, u8)| (bits ^ client) >> (32 - prefix) == 0;
            let mut addresses = Addresses::default();
            let added: Vec<_> = allow.iter().filter(|n| addresses.allow(&text(n)).is_ok()).collect();
            let denied: Vec<_> = deny.iter().filter(|n| addresses.deny(&text(n)).is_ok()).collect();
            let expected = !denied.into_iter().any(within)
                && (added.is_empty() || added.into_iter().any(within));
            let client = std::net::Ipv4Addr::from(client);
            prop_assert_eq!(addresses.judge(Some(client.into())).is_ok(), expected);
        }
    }
}
