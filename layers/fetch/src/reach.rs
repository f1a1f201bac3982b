use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Which addresses documents are fetched from (SS-1, SS-2). This machine is not among them, unless
/// the URL says so itself; and never those where clouds keep what their machines are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reach {
    /// Those that the whole Internet reaches.
    #[default]
    Public,
    /// Also those of private networks: RFC 1918, RFC 6598 (shared), and unique local ones.
    Private,
}

/// Where a URL leads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    ThisMachine,
    Elsewhere(Reach),
}

impl Reach {
    /// Whether an address is among them. One that holds another, for a translator or a tunnel, is judged
    /// by that too.
    pub fn admits(self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.admits_v4(address),
            IpAddr::V6(address) => match behind_nat64(address) {
                Some(address) => self.admits_v4(address),
                None => {
                    let tunnelled = behind_isatap(address);
                    self.admits_v6(address) && tunnelled.is_none_or(|it| self.admits_v4(it))
                }
            },
        }
    }

    fn admits_v4(self, address: Ipv4Addr) -> bool {
        if METADATA_V4.contains(&address) {
            return false;
        }
        if PRIVATE_V4.iter().any(|network| network.contains(&address)) {
            return self == Self::Private;
        }
        !SPECIAL_V4.iter().any(|network| network.contains(&address))
    }

    fn admits_v6(self, address: Ipv6Addr) -> bool {
        if METADATA_V6.iter().any(|network| network.contains(&address)) {
            return false;
        }
        if UNIQUE_LOCAL.contains(&address) {
            return self == Self::Private;
        }
        GLOBAL_UNICAST.contains(&address)
            && !SPECIAL_V6.iter().any(|network| network.contains(&address))
    }
}

/// The IPv4 address that a translator makes of it (RFC 6052).
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    NAT64
        .contains(&address)
        .then_some(Ipv4Addr::new(a, b, c, d))
}

/// The IPv4 address that is the end of a tunnel (RFC 5214).
fn behind_isatap(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., 0x00 | 0x02, 0x00, 0x5e, 0xfe, a, b, c, d] = address.octets() else {
        return None;
    };
    Some(Ipv4Addr::new(a, b, c, d))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

const PRIVATE_V4: [Ipv4Net; 4] = [
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
];

/// What is left of IANA's registry of special-purpose addresses that is not globally reachable, with
/// multicast.
const SPECIAL_V4: [Ipv4Net; 11] = [
    v4(0, 0, 0, 0, 8),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// Where clouds tell their machines secrets, though the addresses are public or private ones: Azure and
/// Alibaba, Amazon and Google. (Others are link-local, or special otherwise.)
const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
];
const METADATA_V6: [Ipv6Net; 2] = [
    v6(0xfd00, 0xec2, 32),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
];

const UNIQUE_LOCAL: Ipv6Net = v6(0xfc00, 0, 7);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 96);
/// All that is assigned for hosts of the Internet.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 3);

/// Protocol assignments (Teredo among them), documentation, and 6to4, which holds an IPv4 address.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(reach: Reach, addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|a| a.parse::<IpAddr>().unwrap());
        addresses
            .filter(|address| reach.admits(*address))
            .map(|address| address.to_string())
            .collect()
    }

    #[test]
    fn ss_1_hosts_of_the_internet_are_reached() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "2001:200::1",
            "64:ff9b::101:101",
        ];
        for reach in [Reach::Public, Reach::Private] {
            assert_eq!(admitted(reach, &public).len(), public.len());
        }
    }

    #[test]
    fn ss_2_private_networks_are_reached_by_permission_only() {
        let private = [
            "10.0.0.1",
            "100.64.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "fc00::1",
            "fd12:3456::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ];
        assert_eq!(admitted(Reach::Public, &private), [""; 0]);
        assert_eq!(admitted(Reach::Private, &private).len(), private.len());
    }

    #[test]
    fn ss_2_this_machine_its_link_and_what_is_nobodys_are_never_reached() {
        let special = [
            "0.0.0.0",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for reach in [Reach::Public, Reach::Private] {
            assert_eq!(admitted(reach, &special), [""; 0]);
        }
    }

    #[test]
    fn ss_2_what_clouds_tell_their_machines_is_never_fetched() {
        let metadata = [
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:168.63.129.16",
            "64:ff9b::a83f:8110",
        ];
        for reach in [Reach::Public, Reach::Private] {
            assert_eq!(admitted(reach, &metadata), [""; 0]);
        }
    }

    #[test]
    fn ss_2_an_address_with_another_in_it_is_judged_by_that_too() {
        let tunnelled = [
            "2a00::5efe:7f00:1",
            "2a00::200:5efe:a9fe:a9fe",
            "fd12::5efe:7f00:1",
            "2a00::5efe:a83f:8110",
        ];
        for reach in [Reach::Public, Reach::Private] {
            assert_eq!(admitted(reach, &tunnelled), [""; 0]);
        }
        assert_eq!(admitted(Reach::Public, &["2a00::5efe:a00:1"]), [""; 0]);
        assert_eq!(admitted(Reach::Private, &["2a00::5efe:a00:1"]).len(), 1);
        assert_eq!(admitted(Reach::Public, &["2a00::5efe:101:101"]).len(), 1);
    }
}
