use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Addresses that one party likely holds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    first: IpAddr,
    prefix: u8,
}

/// How addresses are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefixes {
    pub(crate) v4: u8,
    pub(crate) v6: u8,
}

impl Prefixes {
    pub(crate) const USUAL: Self = Self { v4: 24, v6: 48 };

    pub(crate) fn of(self, address: IpAddr) -> Network {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.v4))
                    .unwrap_or_default();
                Network {
                    first: Ipv4Addr::from_bits(address.to_bits() & mask).into(),
                    prefix: self.v4,
                }
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.v6))
                    .unwrap_or_default();
                Network {
                    first: Ipv6Addr::from_bits(address.to_bits() & mask).into(),
                    prefix: self.v6,
                }
            }
        }
    }
}

impl Network {
    /// Under a key of ours, so that nobody can choose networks that fall together.
    pub(crate) fn hash(self, key: &RandomState) -> u64 {
        key.hash_one(self)
    }

    pub(crate) fn is_v6(self) -> bool {
        self.first.is_ipv6()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_its_network_however_it_is_written() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(Prefixes::USUAL.of(address).to_string(), network);
        }
        let whole = Prefixes { v4: 32, v6: 128 };
        let address: IpAddr = "192.0.2.77".parse().unwrap();
        assert_eq!(whole.of(address).to_string(), "192.0.2.77/32");
    }
}
