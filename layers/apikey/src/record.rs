use std::error::Error;

use bartizan_core::{CallRate, CredentialLimits, PrincipalKind};
use ipnet::IpNet;

use crate::{KeyId, SecretHash, VerifyingKey};

/// What a store keeps of one key: everything but its secret.
///
/// Times are whole seconds since the Unix epoch. Read through serde, each field must be there, if need be as null: one
/// that was lost would otherwise read as a key that is not revoked, or not limited.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct KeyRecord {
    /// What the key is found by.
    pub id: KeyId,
    /// What is kept of its secret.
    pub hash: SecretHash,
    /// What its children are verified with; without it there are none. No secret.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub verifying_key: Option<VerifyingKey>,
    /// Grows by one with each change, so that two changes at a time don't undo one another; begins at one.
    pub version: u64,
    /// What it is good for.
    pub grant: KeyGrant,
    /// When it was issued.
    pub created_at: u64,
    /// From when on it is good.
    pub not_before: u64,
    /// Until when it is good: at that second it is not.
    pub expires_at: u64,
    /// Never goes once it is there.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub revoked: Option<Revoked>,
    /// The key that took its place; it is good until [`expires_at`](Self::expires_at) all the same.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub successor: Option<KeyId>,
    /// The key whose place it took.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub predecessor: Option<KeyId>,
    /// When it was last used, give or take the time between two writes.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub last_used: Option<u64>,
}

/// Who calls with a key, and with what authority. A key that takes another's place has the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct KeyGrant {
    /// What people call it.
    pub name: String,
    /// Whose key it is: the principal's subject.
    pub owner: String,
    /// Whether the owner is a person or a program.
    pub owner_kind: OwnerKind,
    /// The tenant it belongs to.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub tenant: Option<String>,
    /// One of the form's.
    pub environment: String,
    /// The principal's roles.
    pub roles: Vec<String>,
    /// The principal's scopes.
    pub scopes: Vec<String>,
    /// What it grants besides the roles: `notes:read`, `notes:*`, `*`, of the capabilities that the policy knows.
    pub capabilities: Vec<String>,
    /// What the key is good for, whatever the owner may do.
    pub limits: KeyLimits,
    /// From where it is good: networks as `192.0.2.0/24`, single addresses as `192.0.2.7/32`. From anywhere if
    /// there are none.
    pub networks: Vec<IpNet>,
}

/// What a key is good for: patterns, as [`CredentialLimits`] takes them, and how often. `None` limits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct KeyLimits {
    /// See [`CredentialLimits::with_tools`].
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub tools: Option<Vec<String>>,
    /// See [`CredentialLimits::with_prompts`].
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub prompts: Option<Vec<String>>,
    /// See [`CredentialLimits::with_resources`].
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub resources: Option<Vec<String>>,
    /// See [`CredentialLimits::with_methods`].
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub methods: Option<Vec<String>>,
    /// How often; see [`CredentialLimits::with_rate`].
    #[cfg_attr(feature = "serde", serde(deserialize_with = "told"))]
    pub rate: Option<KeyRate>,
}

/// How often a key may be used: calls that a minute earns, and calls at once. Each is 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[expect(clippy::exhaustive_structs, reason = "a rate is these two")]
pub struct KeyRate {
    /// Calls that a minute earns.
    pub per_minute: u32,
    /// Calls at once, when none was made for long enough.
    pub burst: u32,
}

/// Whose keys there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OwnerKind {
    /// A program's.
    Service,
    /// A person's.
    User,
}

/// That a key was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Revoked {
    /// When.
    pub at: u64,
    /// Why, for the operator.
    pub reason: String,
}

/// What becomes of a key that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It is good.
    Good,
    /// Its time has not come.
    Early,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// It is a honey key, and was never good.
    Honey,
}

impl KeyRecord {
    /// Whether it is a honey key, which grants nothing to whoever shows it; see
    /// [`issue_honey`](crate::ApiKeys::issue_honey).
    pub fn is_honey(&self) -> bool {
        matches!(self.hash, SecretHash::Honey { .. })
    }

    /// What becomes of the key at a time. Revoked wins, and then that it is a honey key, whatever the time.
    pub fn standing(&self, now: u64) -> Standing {
        if self.revoked.is_some() {
            Standing::Revoked
        } else if self.is_honey() {
            Standing::Honey
        } else if now >= self.expires_at {
            Standing::Expired
        } else if now < self.not_before {
            Standing::Early
        } else {
            Standing::Good
        }
    }

    /// When its key ends, or has ended: when it expires, or was revoked if that is earlier.
    pub fn ends_at(&self) -> u64 {
        let revoked = self.revoked.as_ref().map(|revoked| revoked.at);
        revoked.map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}

impl KeyLimits {
    /// The limits that a principal carries; `None` if there are none.
    pub(crate) fn compile(&self) -> Result<Option<CredentialLimits>, Box<dyn Error>> {
        if *self == Self::default() {
            return Ok(None);
        }
        let Self {
            tools,
            prompts,
            resources,
            methods,
            rate,
        } = self;
        let mut limits = CredentialLimits::new();
        if let Some(tools) = tools {
            limits = limits.with_tools(tools)?;
        }
        if let Some(prompts) = prompts {
            limits = limits.with_prompts(prompts)?;
        }
        if let Some(resources) = resources {
            limits = limits.with_resources(resources)?;
        }
        if let Some(methods) = methods {
            limits = limits.with_methods(methods)?;
        }
        if let Some(KeyRate { per_minute, burst }) = *rate {
            limits = limits.with_rate(CallRate::new(per_minute, burst)?)?;
        }
        Ok(Some(limits))
    }
}

/// A field that may be null and not absent.
#[cfg(feature = "serde")]
fn told<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    serde::Deserialize::deserialize(deserializer)
}

impl From<OwnerKind> for PrincipalKind {
    fn from(kind: OwnerKind) -> Self {
        match kind {
            OwnerKind::Service => Self::Service,
            OwnerKind::User => Self::User,
        }
    }
}
