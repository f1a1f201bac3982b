use std::time::Duration;

use bartizan_core::{Call, Principal};

use super::{bound, json};
use crate::id::id;

id! {
    /// How one approval is called: nobody guesses it, and it alone permits nothing.
    ApprovalId
}

impl ApprovalId {
    pub(crate) fn bits(self) -> u128 {
        self.0
    }
}

/// A call that waits for approval.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PendingApproval {
    /// By which it is approved or denied.
    pub id: ApprovalId,
    /// Who asks.
    pub principal: Principal,
    /// For what.
    pub call: Call,
    /// When it was asked for, since the Unix epoch.
    pub asked_at: Duration,
    /// How long it waits from now.
    pub expires_in: Duration,
}

impl PendingApproval {
    /// The parameters of the call as JSON text: all that the approval will be for, each value byte for byte as
    /// it was sent. Left out are `progressToken`, `traceparent` and `tracestate` of `_meta`.
    pub fn params(&self) -> String {
        // It was read when the approval was asked for.
        bound::params(&self.call).unwrap_or_else(|_| "null".to_owned())
    }

    /// All of it as a JSON object, of visible ASCII only: what else a string holds is escaped.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json::pending(self, &mut out);
        out
    }
}
