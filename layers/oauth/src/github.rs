use std::{sync::Arc, time::Duration};

use bartizan_core::{Clock, Principal, Secret};
use bartizan_fetch::HttpFetch;
use bartizan_token::{Fault, TokenCache};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    request::Builder,
};
use serde_json::{Map, Value, json};

use crate::{
    OAuthConfigError, Provider,
    exchange::{AskedAs, JSON, base_url, basic, bearer, object, send, unexpected},
    lookup::{Blame, Defaults, Looking, Lookup, Prepared, Surroundings, Trouble, sealed},
};

/// Users of a GitHub OAuth app or GitHub App, if they belong to one of your organizations or teams.
///
/// That a token was issued to your app, and to nobody else's, GitHub's token check proves (TV-2): so id
/// and secret of the app are needed. The subject is the user's numeric id, since a login can be
/// renamed and taken over. Memberships count if they are active; each one found is a role,
/// `org:acme` or `team:acme/core`. To see them the token needs the scope `read:org`.
///
/// Tokens begin with `gho_` or `ghu_`; others are never sent to GitHub. Memberships are asked for
/// again with their entity tag, which costs nothing of GitHub's rate limit while they stay.
///
/// ```
/// use bartizan_oauth::{GitHub, OpaqueVerifier};
///
/// let github = GitHub::new("Iv1.8a61f9b3a7aba766", "a secret of the app".to_owned())
///     .allowed_orgs(["acme"])
///     .allowed_teams(["partner/mcp-users"]);
/// let verifier = OpaqueVerifier::builder(github)
///     .resource("https://mcp.example.com/mcp")
///     .build()?;
/// # Ok::<(), bartizan_oauth::OAuthConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct GitHub {
    client: String,
    secret: Secret,
    orgs: Vec<String>,
    teams: Vec<String>,
    any_user: bool,
    api: String,
    issuer: String,
}

/// Each is a question for every new token.
const MAX_GROUPS: usize = 16;

/// In a minute. GitHub permits an app 5000 questions an hour; less than half of them are for tokens that
/// anybody may have made up.
const NEW_TOKENS: u32 = 30;

const VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-github-api-version"),
    HeaderValue::from_static("2022-11-28"),
);

impl GitHub {
    /// The app's client id and secret.
    pub fn new(client: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self {
            client: client.into(),
            secret: secret.into(),
            orgs: Vec::new(),
            teams: Vec::new(),
            any_user: false,
            api: "https://api.github.com".into(),
            issuer: "https://github.com".into(),
        }
    }

    /// Organizations whose active members may pass.
    pub fn allowed_orgs<S: Into<String>>(mut self, orgs: impl IntoIterator<Item = S>) -> Self {
        self.orgs = orgs.into_iter().map(Into::into).collect();
        self
    }

    /// Teams whose active members may pass, as `organization/team-slug`.
    pub fn allowed_teams<S: Into<String>>(mut self, teams: impl IntoIterator<Item = S>) -> Self {
        self.teams = teams.into_iter().map(Into::into).collect();
        self
    }

    /// Lets everybody pass who has a GitHub account and authorized the app.
    pub fn danger_any_user(mut self) -> Self {
        self.any_user = true;
        self
    }

    /// A GitHub Enterprise Server: its API (`https://ghe.example.com/api/v3`), and the issuer that
    /// principals name (`https://ghe.example.com`).
    pub fn server(mut self, api: impl Into<String>, issuer: impl Into<String>) -> Self {
        self.api = api.into();
        self.issuer = issuer.into();
        self
    }

    fn groups(&self) -> Result<Vec<Group>, OAuthConfigError> {
        let is_name = |name: &str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            !name.is_empty() && name.bytes().all(is_plain) && name.trim_matches('.') == name
        };
        let mut groups = Vec::new();
        for org in &self.orgs {
            if !is_name(org) {
                let problem = "is no name of an organization";
                return Err(OAuthConfigError::new("allowed_orgs", org, problem));
            }
            groups.push(Group {
                path: format!("/user/memberships/orgs/{org}"),
                of_login: false,
                role: format!("org:{org}"),
            });
        }
        for team in &self.teams {
            let error = || {
                let problem = "is not `organization/team-slug`";
                OAuthConfigError::new("allowed_teams", team, problem)
            };
            let (org, slug) = team.split_once('/').ok_or_else(error)?;
            if !is_name(org) || !is_name(slug) {
                return Err(error());
            }
            groups.push(Group {
                path: format!("/orgs/{org}/teams/{slug}/memberships/"),
                of_login: true,
                role: format!("team:{team}"),
            });
        }
        match (groups.len(), self.any_user) {
            (0, false) => Err(OAuthConfigError::missing("allowed_orgs")),
            (0, true) => Ok(groups),
            (_, true) => {
                let problem = "are given, and danger_any_user is set";
                Err(OAuthConfigError::of("allowed_orgs", problem))
            }
            (1..=MAX_GROUPS, false) => Ok(groups),
            _ => {
                let problem = "are more than 16, with the teams";
                Err(OAuthConfigError::of("allowed_orgs", problem))
            }
        }
    }
}

impl Provider for GitHub {}

impl sealed::Provider for GitHub {
    fn prepare(&self, surroundings: &Surroundings) -> Result<Prepared, OAuthConfigError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if self.client.is_empty() || !self.client.bytes().all(is_plain) {
            let problem = "is no client id of GitHub's";
            return Err(OAuthConfigError::new("client", &self.client, problem));
        }
        if self.secret.expose().is_empty() {
            return Err(OAuthConfigError::of("client", "has an empty secret"));
        }
        let app = basic(&self.client, &self.secret);
        let app = app.ok_or_else(|| OAuthConfigError::of("client", "can't be sent"))?;
        let issuer = base_url("issuer", &self.issuer)?;
        let known = TokenCache::new(surroundings.cache_capacity)?;
        let known = known.ok_or_else(|| OAuthConfigError::missing("token_cache_capacity"))?;
        Ok(Prepared {
            lookup: Arc::new(Api {
                fetch: surroundings.fetch.clone(),
                clock: Arc::clone(&surroundings.clock),
                base: base_url("api", &self.api)?,
                client: self.client.clone(),
                app,
                groups: self.groups()?,
                known,
                issuer: issuer.clone(),
            }),
            authorization_server: format!("{issuer}/login/oauth"),
            resource: None,
            prefixes: vec!["gho_".into(), "ghu_".into()],
            allow_http: false,
            defaults: Defaults {
                new_tokens_per_minute: NEW_TOKENS,
            },
        })
    }
}

/// An organization or a team.
#[derive(Debug)]
struct Group {
    path: String,
    /// Whether the path goes on with the user's login.
    of_login: bool,
    role: String,
}

struct Api {
    fetch: HttpFetch,
    clock: Arc<dyn Clock>,
    base: String,
    client: String,
    app: (HeaderName, HeaderValue),
    groups: Vec<Group>,
    /// What was answered of memberships, by token and path.
    known: TokenCache<Known>,
    issuer: String,
}

#[derive(Clone)]
struct Known {
    etag: HeaderValue,
    is_member: bool,
}

/// Whom the token check found.
struct Found {
    id: u64,
    login: String,
    scopes: Vec<String>,
    expires_at: Option<Value>,
}

impl Lookup for Api {
    fn look_up<'a>(&'a self, token: &'a str) -> Looking<'a> {
        Box::pin(self.ask(token))
    }
}

impl Api {
    async fn ask(&self, token: &str) -> Result<Result<Principal, Fault>, Trouble> {
        let found = match self.check(token).await? {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut roles = Vec::new();
        for group in &self.groups {
            if self.is_member(token, &found.login, group).await? {
                roles.push(group.role.as_str());
            }
        }
        if roles.is_empty() && !self.groups.is_empty() {
            return Ok(Err("in none of the organizations and teams"));
        }
        let mut claims = Map::new();
        claims.insert("login".into(), found.login.clone().into());
        if let Some(expires_at) = found.expires_at {
            claims.insert("expires_at".into(), expires_at);
        }
        let principal = Principal::user(&self.issuer, &found.id.to_string())
            .client_id(&self.client)
            .roles(roles)
            .scopes(found.scopes.iter().map(String::as_str))
            .claims(claims);
        Ok(Ok(principal.build("github")))
    }

    /// Whether the token was issued to this app, and for whom.
    async fn check(&self, token: &str) -> Result<Result<Found, Fault>, Trouble> {
        let url = format!("{}/applications/{}/token", self.base, self.client);
        let (name, value) = &self.app;
        let request = self.request(Request::post(url)).header(name, value);
        let request = request.header(CONTENT_TYPE, JSON);
        let body = json!({ "access_token": token }).to_string();
        let answer = send(&self.fetch, request, body).await?;
        match answer.status() {
            StatusCode::OK => self.read(&object(&answer)?),
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(Err("GitHub knows no such token of this app"))
            }
            _ => Err(self.trouble(&answer, AskedAs::App)),
        }
    }

    fn read(&self, answer: &Map<String, Value>) -> Result<Result<Found, Fault>, Trouble> {
        let strange = || {
            let reason = "GitHub's token check does not tell app and user";
            Trouble::new(reason).blamed_on(Blame::Nobody)
        };
        let app = answer.get("app").and_then(|app| app.get("client_id"));
        let app = app.and_then(Value::as_str).ok_or_else(strange)?;
        if app != self.client {
            return Ok(Err("a token of another app"));
        }
        let Some(user) = answer.get("user").filter(|user| !user.is_null()) else {
            return Ok(Err("a token of no user"));
        };
        let id = user.get("id").and_then(Value::as_u64).ok_or_else(strange)?;
        let login = user.get("login").and_then(Value::as_str);
        // It goes into paths; users of Enterprise Managed have an underscore.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let is_login = |login: &&str| {
            (1..=128).contains(&login.len())
                && login.trim_end_matches("[bot]").bytes().all(is_plain)
        };
        let login = login.filter(is_login).ok_or_else(strange)?;
        let scopes = answer.get("scopes").and_then(Value::as_array);
        let scopes = scopes.into_iter().flatten().take(256);
        Ok(Ok(Found {
            id,
            login: login.to_owned(),
            scopes: scopes
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            expires_at: answer.get("expires_at").filter(|e| e.is_string()).cloned(),
        }))
    }

    async fn is_member(&self, token: &str, login: &str, group: &Group) -> Result<bool, Trouble> {
        let login = if group.of_login { login } else { "" };
        let path = format!("{}{login}", group.path);
        let place = self.known.fingerprint(&format!("{token} {path}"));
        let known = self.known.find(place);
        let mut request = self.request(Request::get(format!("{}{path}", self.base)));
        request = request.header(AUTHORIZATION, bearer(token)?);
        if let Some(known) = &known {
            request = request.header(IF_NONE_MATCH, &known.etag);
        }
        let answer = send(&self.fetch, request, Bytes::new()).await?;
        let is_member = match (answer.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => return Ok(known.is_member),
            (StatusCode::OK, _) => {
                let state = object(&answer)?;
                state.get("state").and_then(Value::as_str) == Some("active")
            }
            (StatusCode::NOT_FOUND, _) => false,
            // The organization does not let the app see it; a spent rate limit says so as well.
            (StatusCode::FORBIDDEN, _) if !is_spent(&answer) => false,
            _ => return Err(self.trouble(&answer, AskedAs::Caller)),
        };
        match answer.headers().get(ETAG) {
            Some(etag) if etag.len() <= 128 => {
                let etag = etag.clone();
                self.known.remember(place, 0, Known { etag, is_member });
            }
            _ => self.known.forget(place),
        }
        Ok(is_member)
    }

    fn request(&self, request: Builder) -> Builder {
        let (name, value) = VERSION;
        let accept = HeaderValue::from_static("application/vnd.github+json");
        request.header(ACCEPT, accept).header(name, value)
    }

    fn trouble(&self, answer: &Response<Bytes>, asked_as: AskedAs) -> Trouble {
        let mut trouble = unexpected(answer, asked_as);
        if trouble.retry_after.is_none() && is_spent(answer) {
            let reset = answer.headers().get("x-ratelimit-reset");
            let reset = reset.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let reset = reset.map(Duration::from_secs);
            trouble.retry_after = reset.map(|at| at.saturating_sub(self.clock.wall()));
        }
        trouble
    }
}

/// Whether GitHub's rate limit is spent (primary or secondary).
fn is_spent(answer: &Response<Bytes>) -> bool {
    let headers = answer.headers();
    headers.contains_key("retry-after")
        || headers
            .get("x-ratelimit-remaining")
            .is_some_and(|left| left == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(orgs: &[&str], teams: &[&str]) -> Result<usize, String> {
        let github = GitHub::new("app", "secret".to_owned())
            .allowed_orgs(orgs.iter().copied())
            .allowed_teams(teams.iter().copied());
        let groups = github.groups().map_err(|error| error.to_string())?;
        Ok(groups.len())
    }

    #[test]
    fn names_that_would_lead_elsewhere_do_not_build() {
        assert_eq!(groups(&["acme", "a-b_c.d"], &["acme/core"]), Ok(3));
        for org in [
            "", "a/b", "..", ".", "a?b", "a#b", "a b", "a%2fb", "é", ".a",
        ] {
            assert!(groups(&[org], &[]).is_err(), "{org}");
        }
        for team in [
            "acme",
            "acme/",
            "/core",
            "acme/core/x",
            "../core",
            "acme/..",
        ] {
            assert!(groups(&[], &[team]).is_err(), "{team}");
        }
        let many = ["a"; 17];
        assert!(groups(&many, &[]).is_err());
    }

    #[test]
    fn without_groups_everybody_would_pass_which_has_to_be_said() {
        assert!(groups(&[], &[]).unwrap_err().starts_with("allowed_orgs"));
        let github = GitHub::new("app", "secret".to_owned()).danger_any_user();
        assert!(github.groups().is_ok());
        assert!(github.allowed_orgs(["acme"]).groups().is_err());
    }
}
