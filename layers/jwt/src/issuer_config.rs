use crate::{Algorithm, RequiredClaim, TokenProfile, config::PublicKeyConfig};

/// One issuer whose tokens are accepted: its keys, and how its tokens are read.
///
/// At most one source of keys may be given (`jwks_url`, `jwk_set` or `public_keys`); without any,
/// keys are discovered from the issuer's metadata.
///
/// ```
/// use bartizan_jwt::{Algorithm, IssuerConfig, TokenProfile};
///
/// let entra = IssuerConfig::new("https://login.example.com/contoso/v2.0")
///     .profile(TokenProfile::GenericAccessToken)
///     .algorithms([Algorithm::RS256])
///     .tenant_claim("tid")
///     .tenants(["contoso"]);
/// assert_eq!(entra.tenants, ["contoso"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// The issuer identifier, compared exactly (TV-4): an https URL.
    pub issuer: String,
    /// Whom this issuer's tokens must be meant for, instead of
    /// [`JwtConfig::audience`](crate::JwtConfig::audience).
    #[cfg_attr(
        feature = "serde",
        serde(deserialize_with = "crate::config::one_or_many")
    )]
    pub audience: Vec<String>,
    /// Where the issuer publishes its keys.
    pub jwks_url: Option<String>,
    /// The issuer's keys, as the JSON text of a JWK set.
    pub jwk_set: Option<String>,
    /// The issuer's keys in PEM form.
    pub public_keys: Vec<PublicKeyConfig>,
    /// The algorithms that may be used; [`Algorithm::DEFAULT`] by default.
    pub algorithms: Vec<Algorithm>,
    /// Which sort of token is an access token; RFC 9068 by default (TV-7).
    pub profile: TokenProfile,
    /// Requires `client_id`, `iat` and `jti` too (TV-8). Off by default.
    pub strict_rfc9068: bool,
    /// The claim with the roles; by default `roles`, or else `role`. Dots lead into objects
    /// (`realm_access.roles`), unless the name has a `://` in it.
    pub roles_claim: Option<String>,
    /// The claim with permissions, which count as roles; none by default.
    pub permissions_claim: Option<String>,
    /// The claim with the client; by default `client_id`, or else `azp`.
    pub client_id_claim: Option<String>,
    /// The claim that tells a program's own token from a person's (TV-16). Besides, a subject that
    /// equals its client is a program.
    pub service_claim: Option<String>,
    /// What that claim says of programs; by default its presence says enough.
    pub service_value: Option<String>,
    /// The claim with the tenant; none by default.
    pub tenant_claim: Option<String>,
    /// The tenants whose tokens are accepted; all by default. Needs `tenant_claim`. An issuer that
    /// signs for many organizations has to be pinned to those that are meant (TV-4).
    pub tenants: Vec<String>,
    /// The claim with the token's id, by which it is revoked; by default `jti`.
    pub credential_id_claim: Option<String>,
    /// The claim with the tools that a token is good for, whatever its owner may do: a list of patterns, as
    /// `["read_*"]`, at most 256 of at most 1024 bytes; none by default. A token that says something else in it is
    /// refused, one without it is not limited. Who enforces it: [`CredentialLimits`](bartizan_core::CredentialLimits).
    pub tool_limits_claim: Option<String>,
    /// Claims without which a token is refused; none by default. Under
    /// [`TokenProfile::GenericAccessToken`] one that only access tokens have keeps ID tokens out (TV-7).
    pub required_claims: Vec<RequiredClaim>,
    /// Permits the issuer, and its keys, at addresses of private networks (SS-2). Off by default. One
    /// on this machine, which its URL then says, needs no permission.
    pub allow_private_issuer: bool,
    /// Permits the issuer, and its keys, over plain HTTP from other machines: whoever is on the
    /// way can then make tokens.
    pub danger_allow_http_issuer: bool,
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            jwks_url: None,
            jwk_set: None,
            public_keys: Vec::new(),
            algorithms: Algorithm::DEFAULT.to_vec(),
            profile: TokenProfile::AccessToken,
            strict_rfc9068: false,
            roles_claim: None,
            permissions_claim: None,
            client_id_claim: None,
            service_claim: None,
            service_value: None,
            tenant_claim: None,
            tenants: Vec::new(),
            credential_id_claim: None,
            tool_limits_claim: None,
            required_claims: Vec::new(),
            allow_private_issuer: false,
            danger_allow_http_issuer: false,
        }
    }
}

impl IssuerConfig {
    /// An issuer whose keys are discovered, and whose tokens are as RFC 9068 says.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            ..Self::default()
        }
    }

    /// Adds an audience of this issuer's tokens.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// Fetches keys from this URL instead of discovering it.
    #[must_use]
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.jwks_url = Some(url.into());
        self
    }

    /// Uses the keys of this JWK set and fetches nothing.
    #[must_use]
    pub fn jwk_set(mut self, json: impl Into<String>) -> Self {
        self.jwk_set = Some(json.into());
        self
    }

    /// Adds a public key in PEM form, and fetches nothing. A key without `kid` is for tokens of
    /// any key id, if it is the only such key.
    #[must_use]
    pub fn public_key_pem(
        mut self,
        kid: Option<&str>,
        algorithm: Algorithm,
        pem: impl Into<String>,
    ) -> Self {
        self.public_keys.push(PublicKeyConfig {
            kid: kid.map(str::to_owned),
            algorithm,
            pem: pem.into(),
        });
        self
    }

    /// The algorithms that may be used, instead of [`Algorithm::DEFAULT`].
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Which sort of token is an access token (TV-7).
    #[must_use]
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Requires `client_id`, `iat` and `jti` too (TV-8).
    #[must_use]
    pub fn strict_rfc9068(mut self) -> Self {
        self.strict_rfc9068 = true;
        self
    }

    /// The claim with the roles; by default `roles`, or else `role`.
    #[must_use]
    pub fn roles_claim(mut self, path: impl Into<String>) -> Self {
        self.roles_claim = Some(path.into());
        self
    }

    /// The claim with permissions, which count as roles: a policy grants them capabilities.
    #[must_use]
    pub fn permissions_claim(mut self, path: impl Into<String>) -> Self {
        self.permissions_claim = Some(path.into());
        self
    }

    /// The claim with the client; by default `client_id`, or else `azp`.
    #[must_use]
    pub fn client_id_claim(mut self, path: impl Into<String>) -> Self {
        self.client_id_claim = Some(path.into());
        self
    }

    /// A token whose claim has this value is a program's own, not a person's (TV-16).
    #[must_use]
    pub fn service_if(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.service_claim = Some(path.into());
        self.service_value = Some(value.into());
        self
    }

    /// A token that has this claim is a program's own, not a person's (TV-16).
    #[must_use]
    pub fn service_if_present(mut self, path: impl Into<String>) -> Self {
        self.service_claim = Some(path.into());
        self.service_value = None;
        self
    }

    /// The claim with the tenant.
    #[must_use]
    pub fn tenant_claim(mut self, path: impl Into<String>) -> Self {
        self.tenant_claim = Some(path.into());
        self
    }

    /// The tenants whose tokens are accepted. Needs [`tenant_claim`](Self::tenant_claim).
    #[must_use]
    pub fn tenants<I: IntoIterator<Item: Into<String>>>(mut self, tenants: I) -> Self {
        self.tenants = tenants.into_iter().map(Into::into).collect();
        self
    }

    /// The claim with the token's id, by which it is revoked.
    #[must_use]
    pub fn credential_id_claim(mut self, path: impl Into<String>) -> Self {
        self.credential_id_claim = Some(path.into());
        self
    }

    /// The claim with the tools that a token is good for; a list of patterns, as `["read_*"]`.
    /// [`require_claim`](Self::require_claim) refuses tokens without it.
    #[must_use]
    pub fn tool_limits_claim(mut self, path: impl Into<String>) -> Self {
        self.tool_limits_claim = Some(path.into());
        self
    }

    /// Refuses tokens without this claim, or that say something else in it: `"cid"`, or
    /// `RequiredClaim::from("token_use").values(["access"])`.
    #[must_use]
    pub fn require_claim(mut self, claim: impl Into<RequiredClaim>) -> Self {
        self.required_claims.push(claim.into());
        self
    }

    /// Permits the issuer, and its keys, at addresses of private networks (SS-2).
    #[must_use]
    pub fn allow_private_issuer(mut self) -> Self {
        self.allow_private_issuer = true;
        self
    }

    /// Permits the issuer, and its keys, over plain HTTP from other machines: whoever is on the
    /// way can then make tokens. Issuers on this machine need no permission.
    #[must_use]
    pub fn danger_allow_http_issuer(mut self) -> Self {
        self.danger_allow_http_issuer = true;
        self
    }
}
