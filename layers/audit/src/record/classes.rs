use std::{fmt, ops::BitOr};

use bartizan_core::{DenialKind, Finding, SecurityContext, Verdict};

use super::event_type::refusal;
use crate::gaps::is_strangers;

/// The sorts of event that a record is of: all that apply, where `event_type` is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Classes(u16);

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $word:literal;)*) => {
        impl Classes {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            const ALL: &[(Self, &'static str)] = &[$((Self::$name, $word)),*];
        }
    };
}

classes! {
    /// Somebody was identified.
    AUTHENTICATION_SUCCESS = 0, "authentication_success";
    /// Credentials are missing or not valid.
    AUTHENTICATION_FAILURE = 1, "authentication_failure";
    /// An authorization layer admitted it.
    AUTHORIZATION_ALLOWED = 2, "authorization_allowed";
    /// Forbidden, a scope is missing, or a session or task is not the caller's.
    AUTHORIZATION_DENIED = 3, "authorization_denied";
    /// Of a tool that the layer was told is destructive, whatever became of it.
    DESTRUCTIVE_OPERATION = 4, "destructive_operation";
    /// Keys, policies or settings changed while the server runs.
    CONFIGURATION_CHANGE = 5, "configuration_change";
    /// Too many requests, or too much under way.
    LIMIT_VIOLATION = 6, "limit_violation";
    /// An Origin, Host, address or transport that is not allowed.
    POLICY_VIOLATION = 7, "policy_violation";
    /// A message, or its HTTP form, that is not what it may be.
    PROTOCOL_VIOLATION = 8, "protocol_violation";
    /// Somebody who is known asked for a destructive operation, or beyond what the credential is limited to,
    /// and lacks a role, a capability or a scope for it. What waits for an approval is none.
    PRIVILEGE_ESCALATION_ATTEMPT = 9, "privilege_escalation_attempt";
    /// A detector found it unusual.
    ANOMALY = 10, "anomaly";
    /// A decoy was touched: a honey tool or a honey key. Nobody does so by mistake.
    HONEY_TOUCHED = 11, "honey_touched";
}

impl Classes {
    /// None of them.
    pub const NONE: Self = Self(0);

    pub(super) fn of(
        context: &SecurityContext,
        denial: Option<DenialKind>,
        is_destructive: bool,
        findings: &[Finding],
    ) -> Self {
        let mut classes = match denial.map(refusal) {
            None => Self::NONE,
            Some("authentication_failure") => Self::AUTHENTICATION_FAILURE,
            Some("authorization_denied") => Self::AUTHORIZATION_DENIED,
            Some("rate_limited") => Self::LIMIT_VIOLATION,
            Some("policy_violation") => Self::POLICY_VIOLATION,
            Some("protocol_violation") => Self::PROTOCOL_VIOLATION,
            Some(_) => Self::NONE,
        };
        let is_known = !is_strangers(context);
        if is_known {
            classes = classes | Self::AUTHENTICATION_SUCCESS;
        }
        let decided = context.decided();
        if decided.is_some_and(|decided| decided.outcome_name() == "admitted") {
            classes = classes | Self::AUTHORIZATION_ALLOWED;
        }
        if is_destructive {
            classes = classes | Self::DESTRUCTIVE_OPERATION;
        }
        let is_beyond = is_destructive || decided.is_some_and(|decided| decided.is_limited());
        // Who waits for an approval, or whose session is over, does not reach for what others may.
        let is_short = matches!(
            denial,
            Some(DenialKind::Forbidden | DenialKind::ScopeInsufficient)
        );
        if is_known && is_beyond && is_short {
            classes = classes | Self::PRIVILEGE_ESCALATION_ATTEMPT;
        }
        if findings.iter().any(|f| f.verdict == Verdict::Honey) {
            classes = classes | Self::HONEY_TOUCHED;
        }
        classes
    }

    /// Whether all of these are among them.
    pub fn has(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }

    /// The class of this word.
    pub fn named(word: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find_map(|(class, known)| (*known == word).then_some(*class))
    }

    /// Their words.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = Self::ALL.iter();
        all.filter_map(move |(class, word)| self.has(*class).then_some(*word))
    }

    pub(crate) fn write_json(self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, word) in self.words().enumerate() {
            out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
            out.extend_from_slice(word.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
}

impl BitOr for Classes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}
