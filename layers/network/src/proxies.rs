use std::net::IpAddr;

use crate::{
    NetworkConfigError,
    networks::{self, Networks},
};

/// The header in which trusted proxies say whom they were called by.
///
/// Exactly one kind is read: a proxy that writes one of them hands on the other as its client
/// sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, and `X-Forwarded-Proto` beside it.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): `for`, and `proto` of the same element.
    Forwarded,
}

/// The proxies whose word is taken, and how they give it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    networks: Networks,
    header: ForwardedHeader,
}

impl Proxies {
    pub(crate) fn trust(&mut self, text: &str) -> Result<(), NetworkConfigError> {
        let everybody = "is everybody, so that anybody could choose an address";
        let network = networks::parse("trusted proxy", text, everybody)?;
        self.networks.add(network);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    pub(crate) fn written_in(&mut self, header: ForwardedHeader) -> Result<(), NetworkConfigError> {
        if self.is_empty() {
            let problem = "has no effect without a trusted proxy";
            return Err(NetworkConfigError::new(
                "setting",
                "forwarded_header",
                problem,
            ));
        }
        self.header = header;
        Ok(())
    }

    pub(crate) fn header(&self) -> ForwardedHeader {
        self.header
    }

    /// Whether an address, in canonical form, is one of the proxies.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.contain(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_trusts_everybody_or_cannot_be_read_does_not_build() {
        for bad in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "0.0.0.0/0",
            "::/0",
            "::ffff:0:0/96",
            "example.com",
            " 10.0.0.0/8",
            "10.0.0.0/8,192.0.2.1",
        ] {
            let error = Proxies::default().trust(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[test]
    fn a_network_of_mapped_addresses_is_an_ipv4_network() {
        let mut proxies = Proxies::default();
        proxies.trust("::ffff:10.0.0.0/104").unwrap();
        proxies.trust("::ffff:192.0.2.1").unwrap();
        assert!(proxies.trusts([10, 1, 2, 3].into()));
        assert!(proxies.trusts([192, 0, 2, 1].into()));
        assert!(!proxies.trusts([192, 0, 2, 2].into()));
        assert!(!proxies.trusts([11, 0, 0, 1].into()));
    }

    #[test]
    fn nobody_is_trusted_by_default() {
        let proxies = Proxies::default();
        assert!(!proxies.trusts([127, 0, 0, 1].into()));
        assert!(!proxies.trusts([10, 0, 0, 1].into()));
    }
}
