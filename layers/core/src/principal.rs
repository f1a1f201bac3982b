use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{CallRate, CredentialLimits, printable};

/// Who makes the request, as an authenticator established it.
///
/// Cheap to clone. Identity is (issuer, subject, client): the same subject under two issuers, or
/// a machine whose client id equals a user's name, are different principals (TV-16).
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: PrincipalKind,
    issuer: Box<str>,
    subject: Box<str>,
    client_id: Option<Box<str>>,
    method: &'static str,
    credential_id: Option<Box<str>>,
    tenant: Option<Box<str>>,
    roles: Vec<Box<str>>,
    scopes: Vec<Box<str>>,
    capabilities: Vec<Box<str>>,
    actors: Vec<Box<str>>,
    expires_at: Option<Duration>,
    leeway: Duration,
    limits: Vec<CredentialLimits>,
    #[cfg(feature = "auth")]
    claims: serde_json::Map<String, serde_json::Value>,
    digest: Digest,
}

/// Somebody who hashes [accounts](Principal::account) under a secret, for [`Principal::account_digest`]. Each one made is
/// another than all before; clones are the same one, so they must have the same secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digester(u64);

static DIGESTERS: AtomicU64 = AtomicU64::new(0);

impl Digester {
    /// Another one.
    #[allow(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        Self(DIGESTERS.fetch_add(1, Ordering::Relaxed))
    }
}

/// What somebody hashed the account to, and who. One that is made from another starts without.
#[derive(Default)]
struct Digest(OnceLock<(u64, [u64; 2])>);

impl Clone for Digest {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What sort of party a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// Nobody in particular: no credential was sent, and the layer allows that.
    Anonymous,
    /// A person, possibly through an agent.
    User,
    /// A program acting for itself (client credentials, an API key).
    Service,
}

/// Actors of a chain that are read.
#[cfg(feature = "auth")]
const MOST_ACTORS: usize = 8;

/// What rate limits and quotas are keyed by: registering more clients earns no more quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account<'a> {
    /// Who vouches for the subject.
    pub issuer: &'a str,
    /// The subject at that issuer.
    pub subject: &'a str,
    /// A service and a user of the same name are two accounts.
    pub kind: PrincipalKind,
}

impl Principal {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        PrincipalBuilder::new(PrincipalKind::Anonymous, "", "").build("anonymous")
    }

    /// Starts a person's principal.
    pub fn user(issuer: &str, subject: &str) -> PrincipalBuilder {
        PrincipalBuilder::new(PrincipalKind::User, issuer, subject)
    }

    /// Starts a program's principal.
    pub fn service(issuer: &str, subject: &str) -> PrincipalBuilder {
        PrincipalBuilder::new(PrincipalKind::Service, issuer, subject)
    }

    /// What sort of party it is.
    #[inline]
    pub fn kind(&self) -> PrincipalKind {
        self.0.kind
    }

    /// Whether nobody in particular is calling.
    #[inline]
    pub fn is_anonymous(&self) -> bool {
        self.0.kind == PrincipalKind::Anonymous
    }

    /// Who vouches for the subject; empty if anonymous.
    #[inline]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The subject at its issuer; empty if anonymous. Unique only together with the issuer.
    #[inline]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The OAuth client that the subject acts through.
    #[inline]
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref()
    }

    /// How it was authenticated, as the authenticator's name: `jwt`, `apikey`.
    #[inline]
    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// The id of the credential, never the credential: a token's `jti`, a key's id.
    #[inline]
    pub fn credential_id(&self) -> Option<&str> {
        self.0.credential_id.as_deref()
    }

    /// The tenant it belongs to.
    #[inline]
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// Its roles, as the credential names them. What they permit is a policy's business.
    pub fn roles(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.roles.iter().map(AsRef::as_ref)
    }

    /// The OAuth scopes of the credential.
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.scopes.iter().map(AsRef::as_ref)
    }

    /// What the credential itself grants, besides its roles: capabilities and wildcards, as
    /// [`names::capability`](crate::names::capability) reads them. Which there are is a policy's business.
    pub fn capabilities(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.capabilities.iter().map(AsRef::as_ref)
    }

    /// Who acts for the subject, the current one first and whoever it acts for behind: the delegation that the
    /// credential tells of (RFC 8693 §4.1). Empty if the subject acts itself.
    pub fn actors(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.actors.iter().map(AsRef::as_ref)
    }

    /// When the credential ends, since the Unix epoch.
    #[inline]
    pub fn expires_at(&self) -> Option<Duration> {
        self.0.expires_at
    }

    /// Until when the credential is accepted, since the Unix epoch: its end, and what the authenticator
    /// allows for clocks that differ.
    pub fn accepted_until(&self) -> Option<Duration> {
        let end = self.0.expires_at?;
        Some(end.saturating_add(self.0.leeway))
    }

    /// What the credential is good for, whatever its owner may do: all of them must admit a call. Empty if it
    /// is not limited.
    pub fn limits(&self) -> &[CredentialLimits] {
        &self.0.limits
    }

    /// Whether all [limits](Self::limits) admit a method, empty if there is none, and what that acts on.
    #[cfg(feature = "call")]
    #[inline]
    pub fn limits_admit(
        &self,
        method: &str,
        subject: Option<(crate::call::Subject, &str)>,
    ) -> bool {
        let mut limits = self.0.limits.iter();
        limits.all(|limits| limits.admits(method, subject))
    }

    /// How often it may be called with at most: of all [limits](Self::limits) together the lowest rate and the
    /// smallest burst. `None` if none of them limits that.
    #[inline]
    pub fn rate(&self) -> Option<CallRate> {
        let rates = self.0.limits.iter().filter_map(CredentialLimits::rate);
        rates.reduce(CallRate::and)
    }

    /// The claims the credential was read from; empty for credentials that carry none.
    #[cfg(feature = "auth")]
    pub fn claims(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.0.claims
    }

    /// The key for limits and quotas.
    #[inline]
    pub fn account(&self) -> Account<'_> {
        Account {
            issuer: &self.0.issuer,
            subject: &self.0.subject,
            kind: self.0.kind,
        }
    }

    /// A hash of the [account](Self::account) under a secret of whoever asks: worked out for the first request of a
    /// principal, and remembered for all that share it, as those of one verified token do.
    ///
    /// There is one place for it, which is the first digester's; for others it is worked out each time.
    ///
    /// ```
    /// use bartizan_core::{Digester, Principal};
    /// let ann = Principal::user("https://auth.example.com", "ann").build("jwt");
    /// let (first, other) = (Digester::new(), Digester::new());
    /// assert_eq!(ann.account_digest(&first, |_| [2, 3]), [2, 3]);
    /// assert_eq!(ann.account_digest(&first, |_| unreachable!()), [2, 3]);
    /// assert_eq!(ann.account_digest(&other, |_| [8, 9]), [8, 9]);
    /// ```
    #[inline]
    pub fn account_digest(
        &self,
        by: &Digester,
        work_out: impl FnOnce(Account<'_>) -> [u64; 2],
    ) -> [u64; 2] {
        match self.0.digest.0.get() {
            Some((first, digest)) if *first == by.0 => *digest,
            known => {
                let digest = work_out(self.account());
                if known.is_none() {
                    // Another may have been faster.
                    let _ = self.0.digest.0.set((by.0, digest));
                }
                digest
            }
        }
    }

    /// Whether this is a clone of the other one, so that everything is the same of both. `false` says nothing.
    ///
    /// ```
    /// use bartizan_core::Principal;
    /// let ann = Principal::user("https://auth.example.com", "ann").build("jwt");
    /// assert!(ann.is_clone_of(&ann.clone()));
    /// assert!(!ann.is_clone_of(&Principal::user("https://auth.example.com", "ann").build("jwt")));
    /// ```
    #[inline]
    pub fn is_clone_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether `other` is the same party: issuer, subject, client and kind agree (TV-16).
    ///
    /// Roles, scopes and expiry may differ, as they do between two tokens of one party.
    pub fn is_same_party(&self, other: &Self) -> bool {
        self.account() == other.account() && self.0.client_id == other.0.client_id
    }

    /// Whether `other` is the same party with the same authority, so that either may be kept.
    pub(crate) fn has_same_authority(&self, other: &Self) -> bool {
        self.is_same_party(other)
            && self.0.tenant == other.0.tenant
            && self.0.roles == other.0.roles
            && self.0.scopes == other.0.scopes
            && self.0.capabilities == other.0.capabilities
            && self.0.expires_at == other.0.expires_at
            && self.0.leeway == other.0.leeway
            && self.0.limits == other.0.limits
    }
}

impl fmt::Debug for Principal {
    /// Shows who it is; claims and credential ids stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("kind", &self.0.kind)
            .field("issuer", &format_args!("{}", printable(self.issuer(), 200)))
            .field(
                "subject",
                &format_args!("{}", printable(self.subject(), 200)),
            )
            .field("method", &self.0.method)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Principal`]. Made by [`Principal::user`] and [`Principal::service`].
///
/// ```
/// use bartizan_core::Principal;
/// let ann = Principal::user("https://auth.example.com", "ann")
///     .client_id("agent-7")
///     .roles(["developer"])
///     .scopes(["tools:call"])
///     .build("jwt");
/// assert_eq!(ann.subject(), "ann");
/// assert!(ann.roles().eq(["developer"]));
/// ```
#[derive(Clone)]
#[must_use]
pub struct PrincipalBuilder(Inner);

impl PrincipalBuilder {
    fn new(kind: PrincipalKind, issuer: &str, subject: &str) -> Self {
        Self(Inner {
            kind,
            issuer: issuer.into(),
            subject: subject.into(),
            client_id: None,
            method: "",
            credential_id: None,
            tenant: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            capabilities: Vec::new(),
            actors: Vec::new(),
            expires_at: None,
            leeway: Duration::ZERO,
            limits: Vec::new(),
            #[cfg(feature = "auth")]
            claims: serde_json::Map::new(),
            digest: Digest::default(),
        })
    }

    /// The OAuth client that the subject acts through.
    pub fn client_id(mut self, id: &str) -> Self {
        self.0.client_id = Some(id.into());
        self
    }

    /// The id of the credential; never the credential itself.
    pub fn credential_id(mut self, id: &str) -> Self {
        self.0.credential_id = Some(id.into());
        self
    }

    /// The tenant it belongs to.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.0.tenant = Some(tenant.into());
        self
    }

    /// Its roles.
    pub fn roles<I: IntoIterator<Item: AsRef<str>>>(mut self, roles: I) -> Self {
        self.0.roles = roles.into_iter().map(|r| r.as_ref().into()).collect();
        self
    }

    /// Its scopes.
    pub fn scopes<I: IntoIterator<Item: AsRef<str>>>(mut self, scopes: I) -> Self {
        self.0.scopes = scopes.into_iter().map(|s| s.as_ref().into()).collect();
        self
    }

    /// What the credential itself grants: for an authenticator whose credentials are as trusted as the policy is.
    pub fn capabilities<I: IntoIterator<Item: AsRef<str>>>(mut self, grants: I) -> Self {
        self.0.capabilities = grants.into_iter().map(|g| g.as_ref().into()).collect();
        self
    }

    /// Who acts for it, the current actor first; of claims it is read by itself.
    pub fn actors<I: IntoIterator<Item: AsRef<str>>>(mut self, actors: I) -> Self {
        self.0.actors = actors.into_iter().map(|a| a.as_ref().into()).collect();
        self
    }

    /// When the credential ends, since the Unix epoch.
    pub fn expires_at(mut self, at: Duration) -> Self {
        self.0.expires_at = Some(at);
        self
    }

    /// How long past its end the credential is accepted, since clocks differ; not at all by default.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.0.leeway = leeway;
        self
    }

    /// What the credential is good for, whatever its owner may do. Called several times, all of them hold: a
    /// credential made from another adds its own.
    pub fn limits(mut self, limits: CredentialLimits) -> Self {
        self.0.limits.push(limits);
        self
    }

    /// The claims the credential was read from. A claim `act` names its [actors](Self::actors) (RFC 8693 §4.1).
    #[cfg(feature = "auth")]
    pub fn claims(mut self, claims: serde_json::Map<String, serde_json::Value>) -> Self {
        let mut act = claims.get("act");
        while let Some(actor) = act
            && self.0.actors.len() < MOST_ACTORS
        {
            let subject = actor.get("sub").and_then(|sub| sub.as_str());
            self.0.actors.push(subject.unwrap_or_default().into());
            act = actor.get("act");
        }
        self.0.claims = claims;
        self
    }

    /// The principal, authenticated by `method`: the authenticator's name.
    #[must_use]
    pub fn build(mut self, method: &'static str) -> Principal {
        self.0.method = method;
        Principal(Arc::new(self.0))
    }
}

impl fmt::Debug for PrincipalBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrincipalBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_under_two_issuers_is_two_parties() {
        let a = Principal::user("https://a.example", "ann").build("jwt");
        let b = Principal::user("https://b.example", "ann").build("jwt");
        assert!(!a.is_same_party(&b));
        assert_ne!(a.account(), b.account());
    }

    #[test]
    fn a_machine_named_like_a_user_is_another_account() {
        let user = Principal::user("https://a.example", "ann").build("jwt");
        let machine = Principal::service("https://a.example", "ann").build("jwt");
        assert!(!user.is_same_party(&machine));
        assert_ne!(user.account(), machine.account());
    }

    #[test]
    fn another_client_is_another_party_on_the_same_account() {
        let one = Principal::user("i", "ann").client_id("one").build("jwt");
        let two = Principal::user("i", "ann").client_id("two").build("jwt");
        assert!(!one.is_same_party(&two));
        assert_eq!(one.account(), two.account());
    }

    #[test]
    fn other_limits_are_another_authority_and_the_same_party() {
        let with = |tools: &[&[&str]]| {
            let mut builder = Principal::user("i", "ann");
            for tools in tools {
                builder = builder.limits(CredentialLimits::new().with_tools(*tools).unwrap());
            }
            builder.build("apikey")
        };
        let one = with(&[&["a", "b"]]);
        assert!(one.has_same_authority(&with(&[&["a", "b"]])));
        for other in [
            with(&[]),
            with(&[&["a"]]),
            with(&[&["a", "b"], &["a", "b"]]),
        ] {
            assert!(!one.has_same_authority(&other) && !other.has_same_authority(&one));
            assert!(one.is_same_party(&other));
        }
    }

    #[test]
    fn other_capabilities_are_another_authority() {
        let with = |grants: &[&str]| {
            Principal::user("i", "ann")
                .capabilities(grants)
                .build("apikey")
        };
        assert!(with(&["a:b"]).has_same_authority(&with(&["a:b"])));
        assert!(!with(&["a:b"]).has_same_authority(&with(&["a:*"])));
        assert!(!with(&[]).has_same_authority(&with(&["a:b"])));
    }

    #[test]
    fn of_several_rates_the_lowest_and_of_several_bursts_the_smallest_holds() {
        let rate = |minute, burst| CallRate::new(minute, burst).unwrap();
        let limit = |minute, burst| {
            CredentialLimits::new()
                .with_rate(rate(minute, burst))
                .unwrap()
        };
        let key = Principal::user("i", "ann");
        assert_eq!(
            key.clone()
                .limits(CredentialLimits::new())
                .build("apikey")
                .rate(),
            None
        );
        let key = key.limits(limit(60, 5));
        assert_eq!(key.clone().build("apikey").rate(), Some(rate(60, 5)));
        let child = key.limits(CredentialLimits::new()).limits(limit(6, 90));
        assert_eq!(child.build("apikey").rate(), Some(rate(6, 5)));
    }

    #[cfg(feature = "call")]
    #[test]
    fn all_limits_of_a_chain_must_admit() {
        let limit = |tools: &[&str]| CredentialLimits::new().with_tools(tools).unwrap();
        let key = Principal::user("i", "ann").limits(limit(&["read_*"]));
        let child = key.clone().limits(limit(&["*_note"])).build("apikey");
        let admits =
            |name| child.limits_admit("tools/call", Some((crate::call::Subject::Tool, name)));
        assert!(admits("read_note"));
        assert!(!admits("read_log") && !admits("delete_note"));
        assert_eq!(
            (child.limits().len(), key.build("apikey").limits().len()),
            (2, 1)
        );
    }

    #[test]
    fn debug_shows_no_credential_id_and_no_line_break() {
        let shown = format!(
            "{:?}",
            Principal::user("i", "a\nb")
                .credential_id("jti-1")
                .build("jwt")
        );
        assert!(!shown.contains("jti-1"));
        assert!(!shown.contains('\n'));
    }
}
