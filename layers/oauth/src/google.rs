use std::{sync::Arc, time::Duration};

use bartizan_core::{Clock, Principal};
use bartizan_fetch::HttpFetch;
use bartizan_lookup::{Interest, Looking, Lookup, Trouble};
use bartizan_token::Fault;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{Request, StatusCode, header::AUTHORIZATION};
use serde_json::{Map, Value};

use crate::{
    OAuthConfigError, Provider,
    exchange::{AskedAs, base_url, bearer, object, prefixes, send, unexpected},
    lookup::{AnyLookup, Defaults, Prepared, Surroundings, sealed},
};

/// Users of a Google Workspace whose token was issued to one of your client ids.
///
/// For whom a token was issued Google's `tokeninfo` says (TV-2), and who its user is `userinfo`: the
/// subject is `sub`, the tenant is `hd`, which has to be one of the allowed domains, and the address
/// must be verified. The domain of the address alone proves nothing: anybody may register an account
/// with an address of any domain. To see them the token needs the scopes `openid` and `email`.
///
/// ```
/// use bartizan_oauth::{Google, OpaqueVerifier};
///
/// let google = Google::new(["1234-abc.apps.googleusercontent.com"]).allowed_domains(["example.com"]);
/// let verifier = OpaqueVerifier::builder(google)
///     .resource("https://mcp.example.com/mcp")
///     .build()?;
/// # Ok::<(), bartizan_oauth::OAuthConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Google {
    clients: Vec<String>,
    domains: Vec<String>,
    /// None for any.
    prefix: Option<String>,
    tokeninfo: String,
    userinfo: String,
}

const ISSUER: &str = "https://accounts.google.com";

impl Google {
    /// The client ids whose tokens are accepted.
    pub fn new<S: Into<String>>(clients: impl IntoIterator<Item = S>) -> Self {
        Self {
            clients: clients.into_iter().map(Into::into).collect(),
            domains: Vec::new(),
            prefix: Some("ya29.".into()),
            tokeninfo: "https://oauth2.googleapis.com/tokeninfo".into(),
            userinfo: "https://openidconnect.googleapis.com/v1/userinfo".into(),
        }
    }

    /// The Workspace domains whose users may pass, by their primary domain. Required.
    pub fn allowed_domains<S: Into<String>>(
        mut self,
        domains: impl IntoIterator<Item = S>,
    ) -> Self {
        self.domains = domains.into_iter().map(Into::into).collect();
        self
    }

    /// How Google's tokens begin; `ya29.` by default. Others are not shown to Google, whose `tokeninfo` takes
    /// a token in the query of its URL.
    pub fn token_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Shows Google tokens of any form, other providers' too.
    pub fn danger_any_token_form(mut self) -> Self {
        self.prefix = None;
        self
    }

    /// Where `tokeninfo` and `userinfo` are, if not at Google's.
    pub fn endpoints(mut self, tokeninfo: impl Into<String>, userinfo: impl Into<String>) -> Self {
        self.tokeninfo = tokeninfo.into();
        self.userinfo = userinfo.into();
        self
    }
}

impl Provider for Google {}

impl sealed::Provider for Google {
    fn prepare(&self, surroundings: &Surroundings) -> Result<Prepared, OAuthConfigError> {
        if self.clients.is_empty() || self.clients.iter().any(String::is_empty) {
            return Err(OAuthConfigError::missing("client"));
        }
        let is_domain = |domain: &String| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
            domain.contains('.') && domain.bytes().all(is_plain)
        };
        if self.domains.is_empty() {
            return Err(OAuthConfigError::missing("allowed_domains"));
        }
        if let Some(domain) = self.domains.iter().find(|domain| !is_domain(domain)) {
            let problem = "is no domain";
            return Err(OAuthConfigError::new("allowed_domains", domain, problem));
        }
        Ok(Prepared {
            lookup: AnyLookup::new(Api {
                fetch: surroundings.fetch.clone(),
                clock: Arc::clone(&surroundings.clock),
                clients: self.clients.clone(),
                domains: self.domains.clone(),
                tokeninfo: base_url("tokeninfo", &self.tokeninfo)?,
                userinfo: base_url("userinfo", &self.userinfo)?,
            }),
            authorization_server: ISSUER.to_owned(),
            resource: None,
            prefixes: prefixes(self.prefix.as_deref())?,
            allow_http: false,
            defaults: Defaults::default(),
        })
    }
}

struct Api {
    fetch: HttpFetch,
    clock: Arc<dyn Clock>,
    clients: Vec<String>,
    domains: Vec<String>,
    tokeninfo: String,
    userinfo: String,
}

/// What `tokeninfo` says.
struct Token {
    subject: String,
    client: String,
    scopes: String,
    expires_at: Duration,
}

impl Lookup for Api {
    type Question = String;
    type Found = Principal;

    fn look_up<'a>(&'a self, token: &'a String, _: &'a Interest) -> Looking<'a, Principal> {
        Box::pin(self.ask(token))
    }
}

impl Api {
    async fn ask(&self, token: &str) -> Result<Result<Principal, Fault>, Trouble> {
        let info = match self.token_info(token).await? {
            Ok(info) => info,
            Err(fault) => return Ok(Err(fault)),
        };
        let user = match self.user_info(token).await? {
            Ok(user) => user,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(self.principal(&info, user))
    }

    async fn token_info(&self, token: &str) -> Result<Result<Token, Fault>, Trouble> {
        // Google documents no other place than the query. The URL is in no error and no event.
        let query = Serializer::new(String::new())
            .append_pair("access_token", token)
            .finish();
        let request = Request::get(format!("{}?{query}", self.tokeninfo));
        let answer = send(&self.fetch, request, Bytes::new()).await?;
        match answer.status() {
            StatusCode::OK => Ok(self.read(&object(&answer)?)),
            StatusCode::BAD_REQUEST => Ok(Err("Google knows no such token")),
            _ => Err(unexpected(&answer, AskedAs::Nobody)),
        }
    }

    fn read(&self, info: &Map<String, Value>) -> Result<Token, Fault> {
        let text = |name: &str| info.get(name).and_then(Value::as_str);
        let client = text("aud").ok_or("no audience")?;
        if !self.clients.iter().any(|ours| ours == client) {
            return Err("another audience");
        }
        // Numbers are text there.
        let expires_at = match info.get("exp") {
            Some(Value::String(seconds)) => seconds.parse().ok(),
            Some(Value::Number(seconds)) => seconds.as_u64(),
            _ => None,
        };
        let expires_at = Duration::from_secs(expires_at.ok_or("no expiry")?);
        if expires_at <= self.clock.wall() {
            return Err("the token has expired");
        }
        Ok(Token {
            subject: text("sub").ok_or("no subject")?.to_owned(),
            client: client.to_owned(),
            scopes: text("scope").unwrap_or_default().to_owned(),
            expires_at,
        })
    }

    async fn user_info(&self, token: &str) -> Result<Result<Map<String, Value>, Fault>, Trouble> {
        let request = Request::get(&self.userinfo).header(AUTHORIZATION, bearer(token)?);
        let answer = send(&self.fetch, request, Bytes::new()).await?;
        match answer.status() {
            StatusCode::OK => Ok(Ok(object(&answer)?)),
            StatusCode::UNAUTHORIZED => Ok(Err("Google tells nothing of the token's user")),
            _ => Err(unexpected(&answer, AskedAs::Caller)),
        }
    }

    fn principal(&self, token: &Token, user: Map<String, Value>) -> Result<Principal, Fault> {
        let text = |name: &str| user.get(name).and_then(Value::as_str);
        let subject = text("sub").filter(|sub| (1..=255).contains(&sub.len()));
        let subject = subject.ok_or("no subject")?;
        if subject != token.subject {
            return Err("tokeninfo and userinfo name two subjects");
        }
        let domain = text("hd").ok_or("an account of no Workspace domain")?;
        let is_same = |ours: &String| ours.eq_ignore_ascii_case(domain);
        let ours = self.domains.iter().find(|ours| is_same(ours));
        let ours = ours.ok_or("another Workspace domain")?;
        if user.get("email_verified") != Some(&Value::Bool(true)) {
            return Err("the address is not verified");
        }
        let scopes = token.scopes.split(' ').filter(|scope| !scope.is_empty());
        Ok(Principal::user(ISSUER, subject)
            .client_id(&token.client)
            .tenant(ours)
            .scopes(scopes.take(256).collect::<Vec<_>>())
            .expires_at(token.expires_at)
            .claims(user.clone())
            .build("google"))
    }
}
