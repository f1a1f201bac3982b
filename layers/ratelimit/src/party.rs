use std::net::IpAddr;

use bartizan_core::{PrincipalKind, SecurityContext};

use crate::keys::{KeyMaker, Owner, Sort};

/// Whose bucket a request takes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Party<'a> {
    Account(bartizan_core::Account<'a>),
    Address(IpAddr),
    Nobody,
}

impl<'a> Party<'a> {
    /// The account; the address of whom nobody vouches for; nobody if that is unknown too.
    pub(crate) fn of(context: &'a SecurityContext) -> Self {
        match context.principal() {
            Some(principal) if !principal.is_anonymous() => Self::Account(principal.account()),
            _ => Self::of_address(context),
        }
    }

    pub(crate) fn of_address(context: &SecurityContext) -> Self {
        context.client_address().map_or(Self::Nobody, Self::Address)
    }

    /// Who the party's buckets belong to.
    pub(crate) fn owner(self, keys: &KeyMaker) -> Owner {
        match self {
            Self::Account(account) => {
                let sort = match account.kind {
                    PrincipalKind::Service => Sort::Service,
                    _ => Sort::User,
                };
                let parts = [account.issuer, account.subject];
                keys.owner(sort, parts.map(str::as_bytes))
            }
            Self::Address(address) => keys.numbered(Sort::Address, network(address)),
            Self::Nobody => keys.owner(Sort::Nobody, []),
        }
    }
}

/// An IPv4 address, or the network of an IPv6 address: whoever has one has 2^64 (RL-9, TR-19).
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_9_ipv6_counts_by_its_first_64_bits_and_ipv4_whole() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1:2:3"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::"), network("0.0.0.0"));
    }
}
