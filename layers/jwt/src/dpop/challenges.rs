use bartizan_token::{ChallengeSettings, INVALID_TOKEN};
use http::HeaderValue;

use crate::{Algorithm, JwtConfigError};

/// The `WWW-Authenticate` lines of the scheme `DPoP` (RFC 9449 §7.1), written once.
#[derive(Debug)]
pub(crate) struct ProofChallenges {
    pub(crate) missing: HeaderValue,
    pub(crate) invalid_token: HeaderValue,
    pub(crate) invalid_proof: HeaderValue,
    pub(crate) use_nonce: HeaderValue,
}

impl ProofChallenges {
    pub(crate) fn new(
        settings: ChallengeSettings<'_>,
        algorithms: &[Algorithm],
    ) -> Result<Self, JwtConfigError> {
        let algs: Vec<_> = algorithms.iter().map(|a| a.name()).collect();
        let algs = algs.join(" ");
        let line = |fault| settings.line("DPoP", fault, Some(&algs));
        let invalid_proof = ("invalid_dpop_proof", "the proof of possession is not valid");
        let use_nonce = ("use_dpop_nonce", "the proof needs the nonce of this answer");
        Ok(Self {
            missing: line(None)?,
            invalid_token: line(Some(INVALID_TOKEN))?,
            invalid_proof: line(Some(invalid_proof))?,
            use_nonce: line(Some(use_nonce))?,
        })
    }
}
