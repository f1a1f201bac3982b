use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bartizan_core::{
    Authenticator, Challenge, ClientCertificate, Clock, Denial, DenialKind, Principal,
    SecurityContext, SystemClock,
    auth::{CredentialPlace, Credentials, Distrust, Identified, Revocations, Verification},
};
use http::HeaderValue;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

use crate::NetworkConfigError;

/// Identifies programs by the certificate that they proved to hold in the TLS handshake.
///
/// It reads [`ClientCertificate`] from the request's extensions, and believes whoever put it there: the
/// acceptor, which verified the chain, or [`NetworkLayer::client_cert_header`]. What is judged here is
/// whose it is, its time, and that it is a client's. A request that presents a token is judged by that
/// alone, whatever its connection has; a certificate that binds a token needs no such verifier.
///
/// The principal's credential id is the certificate's serial number, in hexadecimal as
/// `openssl x509 -serial` prints it: `4F9B01`.
///
/// ```
/// use bartizan_core::AuthLayer;
/// use bartizan_network::{CertificateName, MtlsVerifier};
///
/// let mtls = MtlsVerifier::new("https://pki.example.org", CertificateName::Uri)?
///     .identity("spiffe://example.org/billing", ["service"])?
///     .identity("spiffe://example.org/reports", ["viewer"])?;
/// let layer = AuthLayer::new(mtls);
/// # Ok::<(), bartizan_network::NetworkConfigError>(())
/// ```
///
/// [`NetworkLayer::client_cert_header`]: crate::NetworkLayer::client_cert_header
#[derive(Clone)]
#[must_use]
pub struct MtlsVerifier {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    issuer: String,
    name: CertificateName,
    identities: BTreeMap<String, Vec<String>>,
    challenge: [HeaderValue; 1],
    clock: Arc<dyn Clock>,
    revocations: Option<Revocations>,
}

/// Where in a certificate its holder's name stands. It has to stand there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateName {
    /// A URI among the alternative names, as SPIFFE has it.
    Uri,
    /// A DNS name among the alternative names, in lower case.
    Dns,
    /// The common name of the subject.
    CommonName,
}

type Fault = &'static str;

/// Names are compared, and shown.
const MAX_NAME_BYTES: usize = 1024;

/// When a request may come back while revocations are not known.
const SHORTLY: Duration = Duration::from_secs(1);

impl MtlsVerifier {
    /// A verifier that admits nobody yet.
    ///
    /// `issuer` is how principals name who vouches for them: a name of your own for the authorities that
    /// the acceptor trusts, best as a URL.
    ///
    /// # Errors
    ///
    /// If the issuer is empty, or holds what no challenge can carry.
    pub fn new(issuer: &str, name: CertificateName) -> Result<Self, NetworkConfigError> {
        let error = |problem| NetworkConfigError::new("issuer", issuer, problem);
        if issuer.is_empty() {
            return Err(error("is empty"));
        }
        let challenge = Challenge::new("ClientCertificate").param("realm", issuer);
        let challenge = challenge.and_then(|challenge| challenge.header_value());
        let challenge = challenge.map_err(|_| error("can't be sent in a challenge"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                issuer: issuer.to_owned(),
                name,
                identities: BTreeMap::new(),
                challenge: [challenge],
                clock: Arc::new(SystemClock::new()),
                revocations: None,
            }),
        })
    }

    /// Admits the holder of this name, with these roles. Names are compared exactly.
    ///
    /// # Errors
    ///
    /// If the name is empty or longer than 1024 bytes, has upper case where it is a DNS name, or was
    /// admitted before.
    pub fn identity<S: Into<String>>(
        mut self,
        name: &str,
        roles: impl IntoIterator<Item = S>,
    ) -> Result<Self, NetworkConfigError> {
        let error = |problem| Err(NetworkConfigError::new("identity", name, problem));
        if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
            return error("is not of 1 to 1024 bytes");
        }
        let inner = Arc::make_mut(&mut self.inner);
        if inner.name == CertificateName::Dns && name.bytes().any(|b| b.is_ascii_uppercase()) {
            return error("is a DNS name, and not in lower case");
        }
        let roles = roles.into_iter().map(Into::into).collect();
        if inner.identities.insert(name.to_owned(), roles).is_some() {
            return error("is admitted twice");
        }
        Ok(self)
    }

    /// Where the verifier gets its time; by default from the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        Arc::make_mut(&mut self.inner).clock = Arc::new(clock);
        self
    }

    /// Refuses what this list revokes, from the next request on, also on connections that are open: one
    /// certificate by its serial number, as [`MtlsVerifier`] spells it, or a subject by its name.
    ///
    /// Both are of the verifier's issuer. A certificate does not say when it was signed, so a subject that
    /// is revoked stays out until then, with whatever certificate. Serial numbers of two authorities may
    /// coincide, and are then both revoked. There is no revoking by thumbprint: a certificate that is signed
    /// with ECDSA has two, both of which verify, and whoever has stolen it may choose.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        Arc::make_mut(&mut self.inner).revocations = Some(revocations);
        self
    }

    fn identify(&self, certificate: &ClientCertificate) -> Result<Principal, Fault> {
        let (rest, certificate) = X509Certificate::from_der(certificate.der())
            .map_err(|_| "the certificate can't be read")?;
        if !rest.is_empty() {
            return Err("something follows the certificate");
        }
        judge_use(&certificate)?;
        let expires_at = self.judge_time(&certificate)?;
        let name = self.inner.name.of(&certificate)?;
        let known = self.inner.identities.get_key_value(&*name);
        let (name, roles) = known.ok_or("the certificate's name is not admitted")?;
        Ok(Principal::service(&self.inner.issuer, name)
            .credential_id(&serial_number(&certificate))
            .roles(roles.iter().map(String::as_str))
            .expires_at(expires_at)
            .build("mtls"))
    }

    /// A connection may outlive the certificate that it began with.
    fn judge_time(&self, certificate: &X509Certificate<'_>) -> Result<Duration, Fault> {
        let validity = certificate.validity();
        let now = i64::try_from(self.inner.clock.wall().as_secs()).unwrap_or(i64::MAX);
        if now < validity.not_before.timestamp() {
            return Err("the certificate is not valid yet");
        }
        let last = validity.not_after.timestamp();
        if now > last {
            return Err("the certificate has expired");
        }
        // It is still good in its last second (RFC 5280 §4.1.2.5).
        let end = u64::try_from(last).unwrap_or_default().saturating_add(1);
        Ok(Duration::from_secs(end))
    }

    fn judge(&self, certificate: &ClientCertificate) -> Result<Identified, Denial> {
        let invalid = |fault| {
            let denial = Denial::new(DenialKind::CredentialsInvalid, fault);
            denial.with_challenges(self.inner.challenge.to_vec())
        };
        let principal = self.identify(certificate).map_err(invalid)?;
        let Some(list) = &self.inner.revocations else {
            return Ok(Identified::new(principal));
        };
        match list.judge(&principal) {
            Ok(()) => Ok(Identified::new(principal).with_revocations(list.clone())),
            Err(Distrust::Revoked(fault)) => Err(invalid(fault)),
            Err(_) => {
                let reason = "what was revoked elsewhere is not known";
                Err(Denial::new(DenialKind::Unavailable, reason).with_retry_after(SHORTLY))
            }
        }
    }
}

fn serial_number(certificate: &X509Certificate<'_>) -> String {
    use std::fmt::Write as _;
    let bytes = certificate.raw_serial();
    // A number whose first bit is set has a zero before it in DER.
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// It is an end entity's, for clients.
fn judge_use(certificate: &X509Certificate<'_>) -> Result<(), Fault> {
    if certificate.is_ca() {
        return Err("the certificate is an authority's");
    }
    match certificate.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.client_auth || usage.value.any => Ok(()),
        Ok(Some(_)) => Err("the certificate is not for clients"),
        Err(_) => Err("the certificate's use is repeated or can't be read"),
    }
}

impl CertificateName {
    fn of(self, certificate: &X509Certificate<'_>) -> Result<String, Fault> {
        let names = match self {
            Self::CommonName => common_names(certificate)?,
            Self::Uri | Self::Dns => self.alternative_names(certificate)?,
        };
        match <[String; 1]>::try_from(names) {
            Ok([name]) if (1..=MAX_NAME_BYTES).contains(&name.len()) => Ok(name),
            Ok(_) => Err("the certificate's name is empty or too long"),
            Err(none) if none.is_empty() => Err("the certificate has no such name"),
            Err(_) => Err("the certificate has several such names"),
        }
    }

    fn alternative_names(self, certificate: &X509Certificate<'_>) -> Result<Vec<String>, Fault> {
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| "the certificate's alternative names are repeated")?;
        let is_unread = certificate
            .extensions()
            .iter()
            .any(|e| matches!(e.parsed_extension(), ParsedExtension::ParseError { .. }));
        if is_unread {
            return Err("an extension of the certificate can't be read");
        }
        let names = names.map(|names| names.value.general_names.iter());
        let names = names.into_iter().flatten();
        Ok(names
            .filter_map(|name| match (self, name) {
                (Self::Uri, GeneralName::URI(uri)) => Some((*uri).to_owned()),
                (Self::Dns, GeneralName::DNSName(dns)) => Some(dns.to_ascii_lowercase()),
                _ => None,
            })
            .collect())
    }
}

fn common_names(certificate: &X509Certificate<'_>) -> Result<Vec<String>, Fault> {
    let names = certificate.subject().iter_common_name();
    let names = names.map(|name| name.as_str().map(str::to_owned));
    names
        .collect::<Result<_, _>>()
        .map_err(|_| "the certificate's common name is no text")
}

impl Authenticator for MtlsVerifier {
    fn name(&self) -> &'static str {
        "mtls"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let certificate = credentials.extensions().get::<ClientCertificate>();
        certificate.map(|_| CredentialPlace::Connection)
    }

    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        let Some(certificate) = credentials.extensions().get::<ClientCertificate>() else {
            let denial = Denial::new(DenialKind::CredentialsMissing, "no client certificate");
            return Verification::Refused(denial);
        };
        self.judge(certificate).into()
    }

    /// A scheme that nobody registered, since a 401 has to have one: no field can carry what is missing.
    fn challenges(&self) -> &[HeaderValue] {
        &self.inner.challenge
    }
}

impl fmt::Debug for MtlsVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtlsVerifier")
            .field("issuer", &self.inner.issuer)
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}
