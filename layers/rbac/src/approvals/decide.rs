use bartizan_core::Principal;

use super::{
    ApprovalError, ApprovalId, Approvals, PendingApproval,
    store::{is_same_person, name_of, shown},
    table::{Entry, State},
};
use crate::{
    Operation,
    moment::{Moment, Now},
};

/// The approvers' side. None of it checks a credential: hand in the principal that an authentication layer
/// established.
impl Approvals {
    /// All that waits to be decided, what waits longest first.
    pub fn pending(&self) -> Vec<PendingApproval> {
        let now = self.now();
        let entries = self.pending_entries(&now);
        let shown = entries.into_iter().map(|entry| entry.shown_at(&now));
        shown.collect()
    }

    /// What of it this principal may decide.
    pub fn pending_for(&self, approver: &Principal) -> Vec<PendingApproval> {
        let now = self.now();
        let mut entries = self.pending_entries(&now);
        entries.retain(|entry| self.check(entry, approver).is_ok());
        let shown = entries.into_iter().map(|entry| entry.shown_at(&now));
        shown.collect()
    }

    /// Approves the call, once: when the same party sends the same call again, while the approval is good, it
    /// passes if everything else still lets it pass.
    ///
    /// # Errors
    ///
    /// [`ApprovalError`] says why it did not.
    pub fn approve(&self, id: ApprovalId, approver: &Principal) -> Result<(), ApprovalError> {
        self.decide(id, approver, true)
    }

    /// Denies the call. Who asked is told so until the denial ends, and can't ask for the same meanwhile.
    ///
    /// # Errors
    ///
    /// [`ApprovalError`] says why it did not.
    pub fn deny(&self, id: ApprovalId, approver: &Principal) -> Result<(), ApprovalError> {
        self.decide(id, approver, false)
    }

    fn decide(
        &self,
        id: ApprovalId,
        approver: &Principal,
        approves: bool,
    ) -> Result<(), ApprovalError> {
        let now = self.now();
        let found = self.table(&now).find(id).cloned();
        let found = found.ok_or(ApprovalError::Unknown)?;
        self.check(&found, approver)?;
        let (state, kept, kind, word) = if approves {
            let by = approver.clone();
            let good_for = self.settings().good_for;
            (
                State::Approved { by },
                good_for,
                "approval_given",
                "approved",
            )
        } else {
            (
                State::Denied,
                self.settings().wait,
                "approval_denied",
                "denied",
            )
        };
        let decided = self
            .table(&now)
            .decide(id, state, Moment::after(kept, &now));
        let decided = decided.ok_or(ApprovalError::Decided)?;
        let told = format!("{}, {word} by `{}`", shown(&decided), name_of(approver));
        self.tell(vec![(kind, told)]);
        Ok(())
    }

    /// Whether this principal may decide it now. No lock is held: the policy may be asked, and tell others.
    pub(super) fn check(&self, entry: &Entry, approver: &Principal) -> Result<(), ApprovalError> {
        if approver.is_anonymous() {
            return Err(ApprovalError::Anonymous);
        }
        if is_same_person(approver, &entry.principal) {
            return Err(ApprovalError::Own);
        }
        let in_force = self.in_force().ok_or(ApprovalError::Unknown)?;
        let operation = Operation::from(&entry.call);
        if !self.may_decide(&in_force, approver, &entry.principal, &operation) {
            return Err(ApprovalError::NotEntitled);
        }
        match entry.state {
            State::Pending => Ok(()),
            _ => Err(ApprovalError::Decided),
        }
    }

    fn pending_entries(&self, now: &Now) -> Vec<Entry> {
        let mut entries: Vec<_> = self.table(now).pending().cloned().collect();
        entries.sort_by_key(|entry| (entry.asked_at, entry.id.bits()));
        entries
    }
}

impl Entry {
    fn shown_at(self, now: &Now) -> PendingApproval {
        PendingApproval {
            id: self.id,
            principal: self.principal,
            call: self.call,
            asked_at: self.asked_at,
            expires_in: self.ends.left(now),
        }
    }
}
