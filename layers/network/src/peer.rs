use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use http::Extensions;

/// The address at the other end of the connection, put into each request's extensions by the
/// server that accepted it.
///
/// ```
/// use bartizan_network::PeerAddr;
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddr(([192, 0, 2, 7], 40_000).into()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Where the layer finds the peer's address.
#[derive(Clone, Copy, Default)]
pub(crate) enum PeerSource {
    #[default]
    Known,
    Custom(fn(&Extensions) -> Option<SocketAddr>),
}

impl PeerSource {
    /// The peer's address; an IPv4 address that came through an IPv6 socket is IPv4 again.
    pub(crate) fn address(self, extensions: &Extensions) -> Option<IpAddr> {
        let peer = match self {
            Self::Known => known(extensions),
            Self::Custom(find) => find(extensions),
        };
        peer.map(|peer| peer.ip().to_canonical())
    }
}

impl fmt::Debug for PeerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "Known",
            Self::Custom(_) => "Custom(..)",
        })
    }
}

fn known(extensions: &Extensions) -> Option<SocketAddr> {
    let peer = extensions.get::<PeerAddr>().map(|peer| peer.0);
    #[cfg(feature = "axum")]
    let peer = peer.or_else(|| {
        extensions
            .get::<axum::extract::ConnectInfo<SocketAddr>>()
            .map(|info| info.0)
    });
    peer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extensions(peer: &str) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(PeerAddr(peer.parse().unwrap()));
        extensions
    }

    #[test]
    fn an_ipv4_peer_of_a_dual_stack_socket_is_ipv4() {
        let mapped = extensions("[::ffff:192.0.2.7]:9");
        assert_eq!(
            PeerSource::Known.address(&mapped),
            Some(IpAddr::from([192, 0, 2, 7]))
        );
        // Only the mapped form: a compatible address (`::a.b.c.d`) is IPv6.
        let compatible = extensions("[::192.0.2.7]:9");
        assert!(PeerSource::Known.address(&compatible).unwrap().is_ipv6());
    }

    #[test]
    fn a_custom_source_is_the_only_source() {
        let source = PeerSource::Custom(|_| None);
        assert_eq!(source.address(&extensions("192.0.2.7:9")), None);
    }

    #[cfg(feature = "axum")]
    #[test]
    fn axums_connect_info_is_read_and_an_explicit_peer_comes_first() {
        let info = axum::extract::ConnectInfo(SocketAddr::from(([192, 0, 2, 8], 9)));
        let mut only_axum = Extensions::new();
        only_axum.insert(info);
        assert_eq!(
            PeerSource::Known.address(&only_axum),
            Some(IpAddr::from([192, 0, 2, 8]))
        );
        let mut both = extensions("192.0.2.7:9");
        both.insert(info);
        assert_eq!(
            PeerSource::Known.address(&both),
            Some(IpAddr::from([192, 0, 2, 7]))
        );
    }
}
