//! What narrows, as bytes: members of a number, a length and a value, by number, each at most once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{
    Attenuation,
    attenuation::is_label,
    wire::{Reader, write_sized},
};
use crate::{KeyLimits, KeyRate};

const LABEL: u8 = 1;
const EXPIRES_AT: u8 = 2;
const TOOLS: u8 = 3;
const PROMPTS: u8 = 4;
const RESOURCES: u8 = 5;
const METHODS: u8 = 6;
const ROLES: u8 = 7;
const SCOPES: u8 = 8;
const NETWORKS: u8 = 9;
const IS_LAST: u8 = 10;
const RATE: u8 = 11;
const CAPABILITIES: u8 = 12;

impl Attenuation {
    /// `None` if anything is longer than can be said.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let Self {
            label,
            expires_at,
            limits,
            roles,
            scopes,
            capabilities,
            networks,
            is_last,
        } = self;
        let KeyLimits {
            tools,
            prompts,
            resources,
            methods,
            rate,
        } = limits;
        let mut members = Members(Vec::new());
        members.put(LABEL, label.as_ref().map(|label| label.as_bytes()))?;
        let end = expires_at.map(u64::to_be_bytes);
        members.put(EXPIRES_AT, end.as_ref().map(<[u8; 8]>::as_slice))?;
        members.put_texts(TOOLS, tools)?;
        members.put_texts(PROMPTS, prompts)?;
        members.put_texts(RESOURCES, resources)?;
        members.put_texts(METHODS, methods)?;
        members.put_texts(ROLES, roles)?;
        members.put_texts(SCOPES, scopes)?;
        let networks = networks.as_deref().map(write_networks);
        members.put(NETWORKS, networks.as_deref())?;
        members.put(IS_LAST, is_last.then_some(&[]))?;
        let rate = rate.map(write_rate);
        members.put(RATE, rate.as_ref().map(<[u8; 8]>::as_slice))?;
        members.put_texts(CAPABILITIES, capabilities)?;
        Some(members.0)
    }

    /// Reads what [`write`](Self::write) wrote, and nothing else: what is not understood may be what narrows.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut read = Self::new();
        let mut reader = Reader::new(body);
        let mut before = 0;
        while !reader.is_empty() {
            let number = reader.byte()?;
            if number <= before {
                return None;
            }
            before = number;
            let value = reader.sized()?;
            match number {
                LABEL => read.label = Some(read_label(value)?),
                EXPIRES_AT => read.expires_at = Some(u64::from_be_bytes(value.try_into().ok()?)),
                TOOLS => read.limits.tools = Some(read_texts(value)?),
                PROMPTS => read.limits.prompts = Some(read_texts(value)?),
                RESOURCES => read.limits.resources = Some(read_texts(value)?),
                METHODS => read.limits.methods = Some(read_texts(value)?),
                ROLES => read.roles = Some(read_texts(value)?),
                SCOPES => read.scopes = Some(read_texts(value)?),
                NETWORKS => read.networks = Some(read_networks(value)?),
                IS_LAST if value.is_empty() => read.is_last = true,
                RATE => read.limits.rate = Some(read_rate(value)?),
                CAPABILITIES => read.capabilities = Some(read_texts(value)?),
                _ => return None,
            }
        }
        Some(read)
    }
}

struct Members(Vec<u8>);

impl Members {
    #[must_use]
    fn put(&mut self, number: u8, value: Option<&[u8]>) -> Option<()> {
        let Some(value) = value else {
            return Some(());
        };
        self.0.push(number);
        write_sized(value, &mut self.0)
    }

    #[must_use]
    fn put_texts(&mut self, number: u8, texts: &Option<Vec<String>>) -> Option<()> {
        let mut value = Vec::new();
        for text in texts.iter().flatten() {
            write_sized(text.as_bytes(), &mut value)?;
        }
        self.put(number, texts.as_ref().map(|_| value.as_slice()))
    }
}

fn read_label(value: &[u8]) -> Option<String> {
    let label = std::str::from_utf8(value).ok()?;
    is_label(label).then(|| label.to_owned())
}

fn read_texts(value: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(value);
    let mut texts = Vec::new();
    while !reader.is_empty() {
        texts.push(reader.text()?.to_owned());
    }
    Some(texts)
}

fn write_rate(rate: KeyRate) -> [u8; 8] {
    let KeyRate { per_minute, burst } = rate;
    (u64::from(per_minute) << 32 | u64::from(burst)).to_be_bytes()
}

fn read_rate(value: &[u8]) -> Option<KeyRate> {
    let mut reader = Reader::new(value);
    let per_minute = u32::from_be_bytes(reader.array()?);
    let burst = u32::from_be_bytes(reader.array()?);
    reader.is_empty().then_some(KeyRate { per_minute, burst })
}

/// The family, the length of the prefix, the address.
fn write_networks(networks: &[IpNet]) -> Vec<u8> {
    let mut value = Vec::new();
    for network in networks {
        match network.network() {
            IpAddr::V4(address) => {
                value.extend_from_slice(&[4, network.prefix_len()]);
                value.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                value.extend_from_slice(&[6, network.prefix_len()]);
                value.extend_from_slice(&address.octets());
            }
        }
    }
    value
}

/// Without bits beyond the prefix: one text for one network.
fn read_networks(value: &[u8]) -> Option<Vec<IpNet>> {
    let mut reader = Reader::new(value);
    let mut networks = Vec::new();
    while !reader.is_empty() {
        let (family, prefix) = (reader.byte()?, reader.byte()?);
        let network = match family {
            4 => {
                let address = Ipv4Addr::from(reader.array::<4>()?);
                IpNet::V4(Ipv4Net::new(address, prefix).ok()?)
            }
            6 => {
                let address = Ipv6Addr::from(reader.array::<16>()?);
                IpNet::V6(Ipv6Net::new(address, prefix).ok()?)
            }
            _ => return None,
        };
        if network != network.trunc() {
            return None;
        }
        networks.push(network);
    }
    Some(networks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = Option<Vec<String>>> {
        prop::option::of(prop::collection::vec("\\PC{0,9}", 0..4))
    }

    prop_compose! {
        fn attenuation()(
            label in prop::option::of("[!-Z a-z]{1,40}"),
            expires_at in any::<Option<u64>>(),
            lists in prop::collection::vec(texts(), 7),
            rate in any::<Option<(u32, u32)>>(),
            networks in any::<Option<Vec<(bool, u128, u8)>>>(),
            is_last in any::<bool>(),
        ) -> Attenuation {
            let [tools, prompts, resources, methods, roles, scopes, capabilities] = lists.try_into().unwrap();
            let rate = rate.map(|(per_minute, burst)| KeyRate { per_minute, burst });
            let limits = KeyLimits { tools, prompts, resources, methods, rate };
            let network = |(is_v4, bits, prefix): (bool, u128, u8)| match is_v4 {
                true => IpNet::V4(Ipv4Net::new((bits as u32).into(), prefix % 33).unwrap()),
                false => IpNet::V6(Ipv6Net::new(bits.into(), prefix % 129).unwrap()),
            };
            let narrowed = Attenuation { label, expires_at, limits, roles, scopes, capabilities, networks: None, is_last };
            match networks {
                Some(networks) => narrowed.only_networks(networks.into_iter().map(network)),
                None => narrowed,
            }
        }
    }

    proptest! {
        #[test]
        fn what_narrows_is_read_as_it_was_written(attenuation in attenuation()) {
            let body = attenuation.write().unwrap();
            prop_assert_eq!(Attenuation::read(&body), Some(attenuation));
        }

        #[test]
        fn what_is_read_has_no_second_form(
            attenuation in attenuation(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut body = attenuation.write().unwrap();
            if !body.is_empty() {
                let place = place.index(body.len());
                body[place] = byte;
            }
            if let Some(read) = Attenuation::read(&body) {
                prop_assert_eq!(read.write(), Some(body));
            }
        }

        #[test]
        fn no_bytes_are_more_than_refused(body in prop::collection::vec(0..12_u8, 0..40)) {
            if let Some(read) = Attenuation::read(&body) {
                prop_assert_eq!(read.write(), Some(body));
            }
        }
    }
}
