//! Reads a child's chain as its description says, slice by slice.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use bartizan_core::{CallRate, CredentialLimits};
use ipnet::IpNet;

use super::{ROLES, writer};

/// When the key ends.
pub(super) const END: u64 = crate::issuer::NOW + 300_000_000;

/// What is left of the key.
pub(super) struct Child {
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) limits: Vec<CredentialLimits>,
    pub(super) end: u64,
    networks: Vec<Vec<IpNet>>,
}

impl Child {
    pub(super) fn is_good_from(&self, from: Option<IpAddr>) -> bool {
        let covers = |network: &IpNet| from.is_some_and(|from| network.contains(&from));
        self.networks.iter().all(|list| list.iter().any(covers))
    }
}

/// `None` if it is no child that is good.
pub(super) fn read(chain: &[u8], seed: &[u8; 32], now: u64) -> Option<Child> {
    let roles = || ROLES.map(str::to_owned).to_vec();
    let mut child = Child {
        roles: roles(),
        scopes: roles(),
        limits: Vec::new(),
        end: END,
        networks: Vec::new(),
    };
    let mut rest = chain.strip_prefix(&[1])?;
    let mut key = writer::public(&writer::first_seed());
    let mut previous = [0; 32];
    let mut is_last = false;
    for index in 0..4 {
        if is_last {
            return None;
        }
        let (body, after) = sized(rest)?;
        let (next, after) = after.split_first_chunk::<32>()?;
        let (signature, after) = after.split_first_chunk::<64>()?;
        let message = writer::message(index, &previous, next, body);
        let signer = UnparsedPublicKey::new(&ED25519, &key);
        signer.verify(&message, signature).ok()?;
        is_last = narrow(&mut child, body)?;
        previous = writer::digest_of(&message, signature);
        key = *next;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let is_whole = rest.is_empty() && writer::public(seed) == key && now < child.end;
    is_whole.then_some(child)
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Whether it may have no children; `None` if it can't be read.
fn narrow(child: &mut Child, mut body: &[u8]) -> Option<bool> {
    let mut is_last = false;
    let mut limits = CredentialLimits::new();
    let mut greatest = 0;
    while let Some((number, rest)) = body.split_first() {
        if *number <= greatest {
            return None;
        }
        greatest = *number;
        let (value, rest) = sized(rest)?;
        body = rest;
        match number {
            1 => label(value)?,
            2 => child.end = child.end.min(u64::from_be_bytes(value.try_into().ok()?)),
            3 => limits = limits.with_tools(texts(value)?).ok()?,
            4 => limits = limits.with_prompts(texts(value)?).ok()?,
            5 => limits = limits.with_resources(texts(value)?).ok()?,
            6 => limits = limits.with_methods(texts(value)?).ok()?,
            7 => keep(&mut child.roles, &texts(value)?),
            8 => keep(&mut child.scopes, &texts(value)?),
            9 => child.networks.push(networks(value)?),
            10 if value.is_empty() => is_last = true,
            11 => {
                let (per_minute, burst) = value.split_first_chunk()?;
                let burst = u32::from_be_bytes(burst.try_into().ok()?);
                let rate = CallRate::new(u32::from_be_bytes(*per_minute), burst);
                limits = limits.with_rate(rate.ok()?).ok()?;
            }
            // The key grants none.
            12 => drop(texts(value)?),
            _ => return None,
        }
    }
    if limits != CredentialLimits::new() {
        child.limits.push(limits);
    }
    Some(is_last)
}

fn label(value: &[u8]) -> Option<()> {
    let shown = |byte: &u8| (b' '..=b'~').contains(byte) && !b"`\\".contains(byte);
    let is_label = (1..=40).contains(&value.len()) && value.iter().all(shown);
    is_label.then_some(())
}

fn texts(mut value: &[u8]) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    while !value.is_empty() {
        let (text, rest) = sized(value)?;
        texts.push(String::from_utf8(text.to_vec()).ok()?);
        value = rest;
    }
    Some(texts)
}

fn keep(names: &mut Vec<String>, left: &[String]) {
    names.retain(|name| left.contains(name));
}

fn networks(mut value: &[u8]) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    while let Some(([family, prefix], rest)) = value.split_first_chunk() {
        let (address, rest): (IpAddr, _) = match family {
            4 => {
                let (octets, rest) = rest.split_first_chunk::<4>()?;
                (Ipv4Addr::from(*octets).into(), rest)
            }
            6 => {
                let (octets, rest) = rest.split_first_chunk::<16>()?;
                (Ipv6Addr::from(*octets).into(), rest)
            }
            _ => return None,
        };
        let network = IpNet::new(address, *prefix).ok()?;
        (network.network() == address).then_some(())?;
        networks.push(network);
        value = rest;
    }
    value.is_empty().then_some(networks)
}
