mod answer;

use std::sync::Arc;

use bartizan_core::{Clock, Principal};
use bartizan_fetch::HttpFetch;
use bartizan_lookup::{Interest, Looking, Lookup, Trouble};
use bartizan_token::{Audiences, ClaimMap, ClaimNames, Fault};
use form_urlencoded::Serializer;
use http::{StatusCode, request::Builder};

use crate::{
    ClientAuth, OAuthConfigError, Provider,
    exchange::{AskedAs, check_url, object, post_form, prefixes, send, unexpected},
    lookup::{AnyLookup, Defaults, Prepared, Surroundings, sealed},
};
use answer::AnswerRules;

/// An authorization server that says what its tokens stand for (RFC 7662).
///
/// A token is asked about once for all requests that carry it, and what was answered is remembered for
/// a while.
///
/// ```
/// use bartizan_oauth::{ClientAuth, Introspection, OpaqueVerifier};
///
/// let server = Introspection::new(
///     "https://auth.example.com",
///     "https://auth.example.com/introspect",
///     "mcp-server",
///     ClientAuth::basic("a secret of the server".to_owned()),
/// );
/// let verifier = OpaqueVerifier::builder(server.audience("https://mcp.example.com/mcp")).build()?;
/// assert_eq!(verifier.metadata().resource(), "https://mcp.example.com/mcp");
/// # Ok::<(), bartizan_oauth::OAuthConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Introspection {
    issuer: String,
    endpoint: String,
    client: String,
    auth: ClientAuth,
    audiences: Vec<String>,
    any_audience: bool,
    assertion_audience: Option<String>,
    roles_claim: Option<String>,
    tenant_claim: Option<String>,
    tenants: Vec<String>,
    prefix: Option<String>,
    allow_http: bool,
}

impl Introspection {
    /// The server's issuer identifier, its introspection endpoint, and the id by which this server is
    /// known there, with its proof.
    pub fn new(
        issuer: impl Into<String>,
        endpoint: impl Into<String>,
        client: impl Into<String>,
        auth: ClientAuth,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            endpoint: endpoint.into(),
            client: client.into(),
            auth,
            audiences: Vec::new(),
            any_audience: false,
            assertion_audience: None,
            roles_claim: None,
            tenant_claim: None,
            tenants: Vec::new(),
            prefix: None,
            allow_http: false,
        }
    }

    /// Adds an audience: tokens that are not for one of them are refused (TV-2). Required.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Takes tokens whose answer names no audience: those that the server issued for any other of its
    /// resources are then good here too.
    pub fn danger_without_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// The audience of client assertions; the issuer by default.
    pub fn assertion_audience(mut self, audience: impl Into<String>) -> Self {
        self.assertion_audience = Some(audience.into());
        self
    }

    /// The member with the roles; by default `roles`, or else `role`. Dots lead into objects.
    pub fn roles_claim(mut self, path: impl Into<String>) -> Self {
        self.roles_claim = Some(path.into());
        self
    }

    /// The member with the tenant; none by default.
    pub fn tenant_claim(mut self, path: impl Into<String>) -> Self {
        self.tenant_claim = Some(path.into());
        self
    }

    /// The tenants whose tokens are accepted; all by default.
    pub fn tenants<S: Into<String>>(mut self, tenants: impl IntoIterator<Item = S>) -> Self {
        self.tenants = tenants.into_iter().map(Into::into).collect();
        self
    }

    /// How the server's tokens begin; any way by default. Others are not shown to it.
    pub fn token_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Permits plain HTTP to other machines: whoever is on the way sees tokens and secret, and can make
    /// any token good.
    pub fn danger_allow_http_issuer(mut self) -> Self {
        self.allow_http = true;
        self
    }
}

impl Provider for Introspection {}

impl sealed::Provider for Introspection {
    fn prepare(&self, surroundings: &Surroundings) -> Result<Prepared, OAuthConfigError> {
        check_url("issuer", &self.issuer, self.allow_http)?;
        check_url("endpoint", &self.endpoint, self.allow_http)?;
        if self.client.is_empty() {
            return Err(OAuthConfigError::missing("client"));
        }
        if let Some(problem) = self.auth.problem() {
            return Err(OAuthConfigError::of("client", problem));
        }
        let audiences = match (self.audiences.as_slice(), self.any_audience) {
            ([], true) => None,
            (_, true) => {
                let problem = "is given, and danger_without_audience is set";
                return Err(OAuthConfigError::of("audience", problem));
            }
            (some, false) => Some(Audiences::new(some)?),
        };
        let resource = audiences.as_ref().and_then(Audiences::first_url);
        let resource = resource.map(str::to_owned);
        let claim_map = ClaimMap::new(&ClaimNames {
            roles_claim: self.roles_claim.as_deref(),
            tenant_claim: self.tenant_claim.as_deref(),
            tenants: &self.tenants,
            ..ClaimNames::default()
        })?;
        let audience = self.assertion_audience.as_ref().unwrap_or(&self.issuer);
        Ok(Prepared {
            lookup: AnyLookup::new(Introspector {
                fetch: surroundings.fetch.clone(),
                clock: Arc::clone(&surroundings.clock),
                endpoint: self.endpoint.clone(),
                client: self.client.clone(),
                auth: self.auth.clone(),
                assertion_audience: audience.clone(),
                rules: AnswerRules {
                    issuer: self.issuer.clone(),
                    audiences,
                    claim_map,
                },
            }),
            authorization_server: self.issuer.clone(),
            resource,
            prefixes: prefixes(self.prefix.as_deref())?,
            allow_http: self.allow_http,
            defaults: Defaults::default(),
        })
    }
}

struct Introspector {
    fetch: HttpFetch,
    clock: Arc<dyn Clock>,
    endpoint: String,
    client: String,
    auth: ClientAuth,
    assertion_audience: String,
    rules: AnswerRules,
}

impl Introspector {
    async fn ask(&self, token: &str) -> Result<Result<Principal, Fault>, Trouble> {
        let (request, form) = self.question(token)?;
        let answer = send(&self.fetch, request, form).await?;
        if answer.status() != StatusCode::OK {
            return Err(unexpected(&answer, AskedAs::App));
        }
        self.rules.judge(object(&answer)?, self.clock.wall())
    }

    fn question(&self, token: &str) -> Result<(Builder, String), Trouble> {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token);
        form.append_pair("token_type_hint", "access_token");
        let request = self.auth.prove(
            &self.client,
            &self.assertion_audience,
            self.clock.wall(),
            &mut form,
            post_form(&self.endpoint),
        )?;
        Ok((request, form.finish()))
    }
}

impl Lookup for Introspector {
    type Question = String;
    type Found = Principal;

    fn look_up<'a>(&'a self, token: &'a String, _: &'a Interest) -> Looking<'a, Principal> {
        Box::pin(self.ask(token))
    }
}
