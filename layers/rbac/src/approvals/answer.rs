use std::time::Duration;

use bartizan_core::{Call, CallKind, Denial, DenialKind, Principal};

use super::{
    ApprovalId, Approved,
    table::{Entry, State},
};
use crate::{Operation, in_force::InForce};

/// What becomes of a call that needs approval, and is admitted but for that.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was approved, and passes this once.
    Approved(Approved),
    /// It waits to be decided, so long at most.
    Pending(ApprovalId, Duration),
    /// It was denied, which holds for so long.
    Denied(ApprovalId, Duration),
    /// Too many wait; one ends in so long.
    Crowded(Duration),
    /// It is larger than what is kept.
    TooLarge,
    /// Its parameters can't be read, though they were before.
    Unreadable,
    /// It has no answer, so nobody could be told to wait.
    NoRequest,
    /// The layer has no approvals.
    NoApprovals,
    /// There is no id for it.
    NoRandomness,
}

impl Answer {
    pub(crate) fn of(
        layer: u64,
        in_force: &InForce,
        principal: &Principal,
        call: &Call,
        operation: &Operation<'_>,
    ) -> Self {
        if let Some(approved) = &in_force.approved {
            // Of this request, by a layer outside.
            return Self::Approved(approved.clone());
        }
        if call.kind() != CallKind::Request {
            return Self::NoRequest;
        }
        match in_force.approvals() {
            Some(approvals) => approvals.ask(layer, in_force, principal, call, operation),
            None => Self::NoApprovals,
        }
    }

    pub(super) fn waiting(entry: &Entry, now: &crate::moment::Now) -> Self {
        let left = entry.ends.left(now);
        match entry.state {
            State::Denied => Self::Denied(entry.id, left),
            State::Pending | State::Approved { .. } => Self::Pending(entry.id, left),
        }
    }

    /// # Errors
    ///
    /// The refusal of what was not approved; `reason` is what else there is to say of it.
    pub(crate) fn approved(self, mut reason: String) -> Result<Approved, Denial> {
        let mut because = |text: &str| {
            reason.push_str("; ");
            reason.push_str(text);
        };
        let kind = match self {
            Self::Approved(approved) => return Ok(approved),
            Self::Pending(id, left) => {
                because(&format!("approval `{id}` is pending"));
                let denial = Denial::new(DenialKind::ApprovalNeeded, reason);
                return Err(denial.with_approval(id.bits(), left));
            }
            Self::Denied(id, left) => {
                because(&format!("approval `{id}` was denied"));
                let denial = Denial::new(DenialKind::Forbidden, reason);
                let denial = denial.with_message("approval denied");
                return Err(denial.with_approval(id.bits(), left));
            }
            Self::Crowded(wait) => {
                because("too many calls wait for approval");
                let denial = Denial::new(DenialKind::RateLimited, reason).with_retry_after(wait);
                return Err(denial.with_message("too many calls wait for approval"));
            }
            Self::TooLarge => {
                because("the call is too large to be kept for approval");
                let denial = Denial::new(DenialKind::Forbidden, reason);
                return Err(denial.with_message("the call is too large to be approved"));
            }
            Self::Unreadable => {
                because("the parameters can't be read");
                DenialKind::Internal
            }
            Self::NoRequest => {
                because("what is no request can't wait for approval");
                DenialKind::Forbidden
            }
            Self::NoApprovals => {
                because("the layer has no approvals");
                DenialKind::Forbidden
            }
            Self::NoRandomness => {
                because("there is no randomness for an id");
                DenialKind::Unavailable
            }
        };
        Err(Denial::new(kind, reason))
    }
}
