/// What a policy says of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It may be.
    Admitted,
    /// Somebody has to identify: nobody in particular is calling.
    CredentialsMissing,
    /// All is there but scopes.
    ScopeInsufficient,
    /// All is there but the approval of another principal.
    ApprovalNeeded,
    /// It may not be, and no scope would help.
    Forbidden,
    /// It may not be, and is answered as what does not exist: a [hidden](crate::Rule::hidden) rule refuses, or
    /// nothing covers a name of a kind that has hidden rules.
    Unknown,
}

impl Decision {
    /// A stable word for records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::CredentialsMissing => "credentials_missing",
            Self::ScopeInsufficient => "scope_insufficient",
            Self::ApprovalNeeded => "approval_needed",
            Self::Forbidden => "forbidden",
            Self::Unknown => "unknown",
        }
    }

    /// The decision of this name.
    #[cfg(feature = "files")]
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Admitted,
            Self::CredentialsMissing,
            Self::ScopeInsufficient,
            Self::ApprovalNeeded,
            Self::Forbidden,
            Self::Unknown,
        ];
        all.into_iter().find(|decision| decision.name() == name)
    }

    /// Whether it may be.
    pub fn is_admitted(self) -> bool {
        self == Self::Admitted
    }
}
