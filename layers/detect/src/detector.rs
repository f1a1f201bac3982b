use std::fmt;

use bartizan_audit::Severity;

/// One detector: what it looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Detector {
    /// One network presents many credentials that are refused, and few accounts are at home there.
    CredentialStuffing,
    /// One credential, or one API key's id, is refused in many networks.
    CredentialSpray,
    /// Many more credentials are refused than used to be, wherever they come from.
    RefusalSurge,
    /// One network names many ids of API keys that are refused.
    KeyEnumeration,
    /// One account is denied again and again.
    RepeatedDenials,
    /// One account asks for what is destructive, or beyond its credential's limits, and may not.
    Escalation,
    /// An account calls a destructive tool for the first time.
    FirstDestructiveUse,
    /// An account asks much more than it used to.
    Rate,
    /// One credential is used in two networks at a time.
    TwoNetworks,
    /// One account, or one network of strangers, asks for many tools that it is denied or that do not exist.
    UnknownTools,
    /// Somebody touched a decoy.
    Honey,
}

impl Detector {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::CredentialStuffing,
        Self::CredentialSpray,
        Self::RefusalSurge,
        Self::KeyEnumeration,
        Self::RepeatedDenials,
        Self::Escalation,
        Self::FirstDestructiveUse,
        Self::Rate,
        Self::TwoNetworks,
        Self::UnknownTools,
        Self::Honey,
    ];

    /// The word that records and settings call it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::CredentialStuffing => "credential_stuffing",
            Self::CredentialSpray => "credential_spray",
            Self::RefusalSurge => "refusal_surge",
            Self::KeyEnumeration => "key_enumeration",
            Self::RepeatedDenials => "repeated_denials",
            Self::Escalation => "escalation",
            Self::FirstDestructiveUse => "first_destructive_use",
            Self::Rate => "rate",
            Self::TwoNetworks => "two_networks",
            Self::UnknownTools => "unknown_tools",
            Self::Honey => "honey",
        }
    }

    /// What it looks at.
    pub fn feature(self) -> &'static str {
        match self {
            Self::CredentialStuffing => "refused_credentials",
            Self::CredentialSpray | Self::TwoNetworks => "networks",
            Self::RefusalSurge => "refusals",
            Self::KeyEnumeration => "refused_key_ids",
            Self::RepeatedDenials => "denials",
            Self::Escalation => "attempts",
            Self::FirstDestructiveUse => "tool",
            Self::Rate => "requests",
            Self::UnknownTools => "tool_names",
            Self::Honey => "decoy",
        }
    }

    /// How much its findings matter.
    pub fn severity(self) -> Severity {
        match self {
            Self::FirstDestructiveUse => Severity::Notice,
            Self::RefusalSurge | Self::RepeatedDenials | Self::Rate | Self::UnknownTools => {
                Severity::Warning
            }
            Self::CredentialStuffing
            | Self::CredentialSpray
            | Self::KeyEnumeration
            | Self::Escalation
            | Self::TwoNetworks => Severity::Error,
            Self::Honey => Severity::Critical,
        }
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
