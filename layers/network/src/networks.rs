use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::NetworkConfigError;

/// Some networks, of a few words each in the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks(Vec<IpNet>);

impl Networks {
    pub(crate) fn add(&mut self, network: IpNet) {
        if !self.0.contains(&network) {
            self.0.push(network);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address, in canonical form, is in one of them.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether one of them covers all of `inner`.
    pub(crate) fn cover(&self, inner: &IpNet) -> bool {
        self.0.iter().any(|network| network.contains(inner))
    }

    /// Whether `outer` covers all of one of them.
    pub(crate) fn are_covered_by(&self, outer: &IpNet) -> bool {
        self.0.iter().any(|network| outer.contains(network))
    }
}

/// Reads an address or a network; `everybody` says what is wrong with a network of all.
pub(crate) fn parse(
    setting: &'static str,
    text: &str,
    everybody: &'static str,
) -> Result<IpNet, NetworkConfigError> {
    let error = |problem| NetworkConfigError::new(setting, text, problem);
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text
            .parse()
            .map_err(|_| error("is neither an address nor a network"))?,
    };
    if network != network.trunc() {
        return Err(error("has bits beyond its prefix"));
    }
    let network = unmapped(network);
    if network.prefix_len() == 0 {
        return Err(error(everybody));
    }
    Ok(network)
}

/// Addresses are compared in canonical form, so a network of mapped addresses is an IPv4 network.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let v4 = v6.addr().to_ipv4_mapped();
    let prefix = v6.prefix_len().checked_sub(96);
    match (v4, prefix) {
        (Some(v4), Some(prefix)) => Ipv4Net::new(v4, prefix).map_or(network, IpNet::V4),
        _ => network,
    }
}
