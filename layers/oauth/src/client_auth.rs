use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::Secret;
use bartizan_lookup::Trouble;
use form_urlencoded::Serializer;
use http::request::Builder;

use crate::{
    AssertionAlgorithm, OAuthConfigError, assertion::Signer, bearer::is_bearer_token,
    exchange::basic,
};

/// How the server proves to its authorization server who it is (RFC 6749 §2.3, RFC 7523).
#[derive(Clone)]
pub struct ClientAuth(Kind);

#[derive(Clone)]
enum Kind {
    Basic(Secret),
    Post(Secret),
    Assertion(Arc<Signer>),
    Bearer(Secret),
}

impl ClientAuth {
    /// `client_secret_basic`: id and secret as HTTP Basic.
    pub fn basic(secret: impl Into<Secret>) -> Self {
        Self(Kind::Basic(secret.into()))
    }

    /// `client_secret_post`: id and secret in the form.
    pub fn post(secret: impl Into<Secret>) -> Self {
        Self(Kind::Post(secret.into()))
    }

    /// `private_key_jwt`: an assertion that is good for a minute, signed with a private key in PEM form
    /// (PKCS #8), for each question.
    ///
    /// # Errors
    ///
    /// If the key cannot be read, or is not one of this algorithm.
    pub fn private_key_jwt(
        algorithm: AssertionAlgorithm,
        key_id: Option<&str>,
        pem: &str,
    ) -> Result<Self, OAuthConfigError> {
        let signer = Signer::new(algorithm, key_id, pem)?;
        Ok(Self(Kind::Assertion(Arc::new(signer))))
    }

    /// An access token of the server's own, where the authorization server wants one (RFC 7662 §2.1).
    pub fn bearer(token: impl Into<Secret>) -> Self {
        Self(Kind::Bearer(token.into()))
    }

    /// Adds the proof to a form and its request. An assertion names `audience`, and is made at `now`.
    pub(crate) fn prove(
        &self,
        client: &str,
        audience: &str,
        now: Duration,
        form: &mut Serializer<'_, String>,
        mut request: Builder,
    ) -> Result<Builder, Trouble> {
        let unsendable = || Trouble::new("the client's credentials can't be sent");
        let as_text = |secret: &Secret| String::from_utf8(secret.expose().to_vec());
        match &self.0 {
            Kind::Basic(secret) => {
                let (name, value) = basic(client, secret).ok_or_else(unsendable)?;
                request = request.header(name, value);
            }
            Kind::Post(secret) => {
                let secret = as_text(secret).map_err(|_| unsendable())?;
                form.append_pair("client_id", client);
                form.append_pair("client_secret", &secret);
            }
            Kind::Assertion(signer) => {
                let assertion = signer.sign(client, audience, now).ok_or_else(unsendable)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                form.append_pair("client_id", client);
                form.append_pair("client_assertion_type", kind);
                form.append_pair("client_assertion", &assertion);
            }
            Kind::Bearer(token) => {
                let token = as_text(token).map_err(|_| unsendable())?;
                request = request.header(
                    http::header::AUTHORIZATION,
                    crate::exchange::bearer(&token)?,
                );
            }
        }
        Ok(request)
    }

    /// What keeps the proof from being sent, or from proving anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let (Kind::Basic(secret) | Kind::Post(secret) | Kind::Bearer(secret)) = &self.0 else {
            return None;
        };
        let secret = secret.expose();
        if secret.is_empty() {
            return Some("has an empty secret");
        }
        match &self.0 {
            Kind::Post(_) if std::str::from_utf8(secret).is_err() => {
                Some("has a secret that is not UTF-8, which no form can carry")
            }
            Kind::Bearer(_) if !is_bearer_token(secret) => {
                Some("has a token that is none of RFC 6750's")
            }
            _ => None,
        }
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Basic(_) => "ClientAuth(client_secret_basic)",
            Kind::Post(_) => "ClientAuth(client_secret_post)",
            Kind::Assertion(_) => "ClientAuth(private_key_jwt)",
            Kind::Bearer(_) => "ClientAuth(bearer)",
        })
    }
}
