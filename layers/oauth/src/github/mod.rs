mod api;
mod check;
mod groups;

use std::time::Duration;

use bartizan_core::Secret;

use crate::{
    OAuthConfigError, Provider,
    exchange::{base_url, basic},
    lookup::{AnyLookup, Defaults, Prepared, Surroundings, sealed},
};
use api::Api;
use groups::Groups;

/// Users of a GitHub OAuth app or GitHub App, if they belong to one of your organizations or teams.
///
/// That a token was issued to your app, and to nobody else's, GitHub's token check proves (TV-2): so id
/// and secret of the app are needed. The subject is the user's numeric id, since a login can be
/// renamed and taken over. So can the name of an organization: pin it by its id, which
/// `https://api.github.com/orgs/acme` tells, as `acme#1234`. Memberships count if they are active; each
/// one found is a role, `org:acme` or `team:acme/core`. To see them the token needs the scope
/// `read:org`.
///
/// Tokens begin with `gho_` or `ghu_`; others are never sent to GitHub. Memberships are asked for
/// again with their entity tag, which costs nothing of GitHub's rate limit while they stay. They are
/// asked for with the caller's token, and so spend the caller's limit and not the app's. That a token
/// is of the app is remembered for longer: see [`check_age`](Self::check_age).
///
/// ```
/// use bartizan_oauth::{GitHub, OpaqueVerifier};
///
/// let github = GitHub::new("Iv1.8a61f9b3a7aba766", "a secret of the app".to_owned())
///     .allowed_orgs(["acme#1234"])
///     .allowed_teams(["partner#5678/mcp-users"]);
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
    check_age: Duration,
    api: String,
    issuer: String,
}

/// In a minute. GitHub permits an app 5000 questions an hour; less than half of them are for tokens that
/// anybody may have made up.
const NEW_TOKENS: u32 = 30;

const MAX_CHECK_AGE: Duration = Duration::from_secs(3600);

impl GitHub {
    /// The app's client id and secret.
    pub fn new(client: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self {
            client: client.into(),
            secret: secret.into(),
            orgs: Vec::new(),
            teams: Vec::new(),
            any_user: false,
            check_age: Duration::from_secs(900),
            api: "https://api.github.com".into(),
            issuer: "https://github.com".into(),
        }
    }

    /// Organizations whose active members may pass: `acme`, or `acme#1234` with the organization's id,
    /// which then has to be its own.
    pub fn allowed_orgs<S: Into<String>>(mut self, orgs: impl IntoIterator<Item = S>) -> Self {
        self.orgs = orgs.into_iter().map(Into::into).collect();
        self
    }

    /// Teams whose active members may pass, as `organization/team-slug`, or `organization#id/team-slug`.
    pub fn allowed_teams<S: Into<String>>(mut self, teams: impl IntoIterator<Item = S>) -> Self {
        self.teams = teams.into_iter().map(Into::into).collect();
        self
    }

    /// Lets everybody pass who has a GitHub account and authorized the app.
    pub fn danger_any_user(mut self) -> Self {
        self.any_user = true;
        self
    }

    /// How long GitHub's word counts that a token is of this app and user; 15 minutes by default, at most an
    /// hour; zero to ask at every look.
    ///
    /// Nothing of it changes while the token lives, and whether it lives the questions for memberships tell:
    /// they are asked with it, whenever the token is no longer remembered. The app may ask 5000 questions in
    /// an hour, so this decides for how many steady users they last. With
    /// [`danger_any_user`](Self::danger_any_user) it has no effect, for there is nothing else to ask.
    pub fn check_age(mut self, age: Duration) -> Self {
        self.check_age = age;
        self
    }

    /// A GitHub Enterprise Server: its API (`https://ghe.example.com/api/v3`), and the issuer that
    /// principals name (`https://ghe.example.com`).
    pub fn server(mut self, api: impl Into<String>, issuer: impl Into<String>) -> Self {
        self.api = api.into();
        self.issuer = issuer.into();
        self
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
        if self.check_age > MAX_CHECK_AGE {
            let age = self.check_age.as_secs().to_string();
            return Err(OAuthConfigError::new("check_age", age, "is more than 3600"));
        }
        let issuer = base_url("issuer", &self.issuer)?;
        Ok(Prepared {
            lookup: AnyLookup::new(Api::new(
                surroundings,
                base_url("api", &self.api)?,
                self.client.clone(),
                app,
                Groups::new(&self.orgs, &self.teams, self.any_user)?,
                self.check_age,
                issuer.clone(),
            )?),
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
