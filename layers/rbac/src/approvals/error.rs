use std::{error::Error, fmt};

/// Why an approval was neither given nor denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is none of this id: there never was, it has expired or was used.
    Unknown,
    /// It was given or denied already.
    Decided,
    /// Nobody in particular decides nothing.
    Anonymous,
    /// It is the caller's own call, through whatever client.
    Own,
    /// The policy in force does not let this principal approve it, or it belongs to another tenant.
    NotEntitled,
}

impl fmt::Display for ApprovalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is no such approval",
            Self::Decided => "the approval was decided already",
            Self::Anonymous => "nobody in particular approves nothing",
            Self::Own => "nobody approves a call of their own",
            Self::NotEntitled => "the policy does not let this principal approve it",
        })
    }
}

impl Error for ApprovalError {}
