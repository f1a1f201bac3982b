//! Tokens that only the holder of a key may use: DPoP (RFC 9449) and certificates (RFC 8705).

mod binding;
mod challenges;
mod config;
mod nonce;
mod proof;
mod replay;
mod target;

use std::{sync::Arc, time::Duration};

use bartizan_core::{ClientCertificate, Clock, Secret, auth::Credentials};
use bartizan_token::Fault;
use http::{HeaderName, HeaderValue, Method, Uri};
use sha2::{Digest as _, Sha256};

pub(crate) use binding::Binding;
pub(crate) use challenges::ProofChallenges;
pub use config::DpopConfig;
use nonce::Nonces;
use replay::Replays;
use target::Targets;

use crate::{Algorithm, JwtConfigError};

/// Judges what a request presents besides its token.
pub(crate) struct Dpop {
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) is_required: bool,
    pub(crate) window: Duration,
    pub(crate) targets: Targets,
    pub(crate) nonces: Option<Nonces>,
    pub(crate) replays: Replays,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a request presents to prove that the token is its own.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    scheme: Scheme,
    method: Method,
    /// Its path is the one that a proof has to be for.
    uri: Uri,
    proof: Result<Option<String>, Fault>,
    certificate: Option<ClientCertificate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Dpop,
}

/// What a proof is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// The token is not to be used like this.
    Token(Fault),
    /// The proof is none.
    Proof(Fault),
    /// The proof lacks a nonce of ours that is still good.
    Nonce(Fault),
    /// More proofs than can be remembered, of everybody.
    Full,
    /// More than are remembered of this key.
    TooMany,
}

pub(crate) const UNBOUND: Fault = "a token that is bound to nothing";

pub(crate) static FIELD: HeaderName = HeaderName::from_static("dpop");
pub(crate) static NONCE_FIELD: HeaderName = HeaderName::from_static("dpop-nonce");

impl Dpop {
    pub(crate) fn new(
        config: &DpopConfig,
        nonce_secret: Option<&Secret>,
        resource: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, JwtConfigError> {
        config.check()?;
        let no_random = || JwtConfigError::of("dpop", "needs randomness, which the system lacks");
        if nonce_secret.is_some_and(|secret| secret.expose().len() < 16) {
            return Err(JwtConfigError::of("dpop_nonce_secret", "is below 16 bytes"));
        }
        if nonce_secret.is_some() && !config.nonces {
            return Err(JwtConfigError::of("dpop_nonce_secret", "needs dpop.nonces"));
        }
        let nonces = config.nonces.then(|| Nonces::new(nonce_secret));
        Ok(Self {
            algorithms: config.algorithms.clone(),
            is_required: config.required,
            window: Duration::from_secs(config.window_seconds),
            targets: Targets::new(resource, config)?,
            nonces: nonces.map(|n| n.ok_or_else(no_random)).transpose()?,
            replays: Replays::new(config.replay_capacity).ok_or_else(no_random)?,
            clock: Arc::clone(clock),
        })
    }
}

impl Scheme {
    pub(crate) fn of(credentials: &Credentials<'_>) -> Option<Self> {
        let authorization = credentials.authorization()?;
        [(Self::Bearer, "Bearer"), (Self::Dpop, "DPoP")]
            .into_iter()
            .find_map(|(scheme, name)| authorization.is_scheme(name).then_some(scheme))
    }
}

impl Presented {
    pub(crate) fn of(scheme: Scheme, credentials: &Credentials<'_>, dpop: Option<&Dpop>) -> Self {
        let mut proofs = credentials.headers().get_all(&FIELD).iter();
        let proof = match (proofs.next(), proofs.next()) {
            (None, _) => Ok(None),
            (Some(proof), None) => match proof.to_str() {
                Ok(proof) => Ok(Some(proof.to_owned())),
                Err(_) => Err("the proof is not visible ASCII"),
            },
            (Some(_), Some(_)) => Err("several proofs"),
        };
        Self {
            scheme,
            method: credentials.method().clone(),
            uri: called(credentials, dpop).clone(),
            proof,
            certificate: credentials.extensions().get::<ClientCertificate>().cloned(),
        }
    }

    /// Whether the token may be used by who presents this (DP-1, DP-2, DP-5). Answers with the nonce
    /// that the caller is to use from now on, if it should be another one.
    pub(crate) fn judge(
        &self,
        token: &str,
        binding: Option<&Binding>,
        dpop: Option<&Dpop>,
    ) -> Result<Option<HeaderValue>, Unproven> {
        let certificate = binding.and_then(|binding| binding.certificate);
        if let Some(bound_to) = certificate {
            let presented = self.certificate.as_ref();
            let presented = presented.ok_or(Unproven::Token(
                "the token is bound to a certificate, and none was presented",
            ))?;
            if sha256(presented.der()) != bound_to {
                return Err(Unproven::Token("the token is bound to another certificate"));
            }
        }
        let key = binding.and_then(|binding| binding.key);
        match (self.scheme, key, dpop) {
            (Scheme::Bearer, None, Some(dpop)) if dpop.is_required && certificate.is_none() => {
                Err(Unproven::Token(UNBOUND))
            }
            (Scheme::Bearer, None, _) => Ok(None),
            (Scheme::Bearer, Some(_), _) => Err(Unproven::Token(
                "the token is bound to a key, which a bearer does not prove to hold",
            )),
            (Scheme::Dpop, Some(key), Some(dpop)) => {
                let proof = self
                    .proof
                    .as_ref()
                    .map_err(|fault| Unproven::Proof(fault))?;
                let proof = proof.as_ref().ok_or(Unproven::Proof("no proof"))?;
                dpop.judge(proof, token, self, key)
            }
            (Scheme::Dpop, None, _) => Err(Unproven::Token("the token is bound to no key")),
            // Not recognized without configuration; refused all the same.
            (Scheme::Dpop, Some(_), None) => Err(Unproven::Token("proofs are not judged here")),
        }
    }
}

/// What the client called, as far as this server can tell: before axum's routers took a prefix off,
/// unless the configuration says what is taken off.
#[cfg_attr(not(feature = "axum"), expect(unused_variables, reason = "axum's"))]
fn called<'a>(credentials: &Credentials<'a>, dpop: Option<&Dpop>) -> &'a Uri {
    #[cfg(feature = "axum")]
    if dpop.is_some_and(|dpop| !dpop.targets.have_prefix())
        && let Some(original) = credentials.extensions().get::<axum::extract::OriginalUri>()
    {
        return original;
    }
    credentials.uri()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
