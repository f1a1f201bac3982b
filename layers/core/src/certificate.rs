use std::{fmt, sync::Arc};

/// The certificate that the client proved to hold in the TLS handshake, in an extension of the request.
///
/// Whoever inserts it answers for that proof: the acceptor whose TLS configuration asks for client
/// certificates, or a layer that knows the proxy which says so (RFC 9440). It is not checked again, and
/// binds tokens to it (RFC 8705 §3).
///
/// ```
/// use bartizan_core::ClientCertificate;
///
/// let mut request = http::Request::new(());
/// # let der: &[u8] = &[0x30, 0];
/// request.extensions_mut().insert(ClientCertificate::from_der(der));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(Arc<[u8]>);

impl ClientCertificate {
    /// The end-entity certificate, as DER.
    pub fn from_der(der: impl Into<Arc<[u8]>>) -> Self {
        Self(der.into())
    }

    /// The certificate as DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(..)")
    }
}
