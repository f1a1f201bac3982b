use bartizan_core::Principal;

use crate::{
    Decision, Operation,
    asker::Asker,
    built_rule::BuiltRule,
    needs::{Access, Gaps},
};

/// What of an operation the policy hides, where it is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    Nothing,
    /// Whether there is what it acts on.
    Named,
    /// Whether there is what it listens to.
    Watched,
}

/// Whether rules cover an operation, and what is missing of what they need.
#[derive(Clone, Copy, Default)]
pub(crate) struct Judged {
    covered: bool,
    /// Whether it is beyond the limits of the credential.
    pub(crate) limited: bool,
    gaps: Gaps,
    /// Whether others than hidden rules cover it.
    seen: bool,
    /// Whether a hidden rule covers it.
    pub(crate) hides: bool,
    /// What is missing of what hidden rules need.
    pub(crate) hidden: Gaps,
}

impl Judged {
    pub(crate) fn by_baseline(&mut self, access: Access, principal: &Principal) {
        self.covered = true;
        self.seen = true;
        self.gaps.somebody |= access != Access::Anyone && principal.is_anonymous();
    }

    pub(crate) fn by_rule(
        &mut self,
        rule: &BuiltRule,
        asker: &Asker<'_>,
        operation: &Operation<'_>,
    ) {
        self.covered = true;
        let gaps = rule.needs.gaps(asker, operation);
        if rule.hidden {
            self.hides = true;
            self.hidden.union(gaps);
        } else {
            self.seen = true;
            self.gaps.union(gaps);
        }
    }

    pub(crate) fn and(&mut self, other: Self) {
        self.covered &= other.covered;
        self.limited |= other.limited;
        self.gaps.union(other.gaps);
        self.seen &= other.seen;
        self.hides |= other.hides;
        self.hidden.union(other.hidden);
    }

    /// What is refused because of a hidden rule is answered as a name that does not exist, and which the other
    /// rules cover as they cover this one.
    pub(crate) fn decision(&self, hidden: Hidden) -> Decision {
        let mut gaps = self.gaps;
        gaps.union(self.hidden);
        let decision = self.decided(self.covered, gaps);
        let is_told = self.covered && !self.limited && !self.hidden.refuse();
        if hidden == Hidden::Nothing || decision.is_admitted() || is_told {
            return decision;
        }
        match self.decided(self.seen, self.gaps) {
            Decision::Forbidden if hidden == Hidden::Named && !self.seen => Decision::Unknown,
            // An approval would let it pass, so that none is asked for.
            Decision::Admitted | Decision::ApprovalNeeded => match hidden {
                Hidden::Watched => Decision::Forbidden,
                _ => Decision::Unknown,
            },
            of_others => of_others,
        }
    }

    fn decided(&self, covered: bool, gaps: Gaps) -> Decision {
        if !covered || self.limited || gaps.closed || gaps.authority || gaps.condition {
            Decision::Forbidden
        } else if gaps.somebody {
            Decision::CredentialsMissing
        } else if gaps.scope {
            Decision::ScopeInsufficient
        } else if gaps.approval {
            Decision::ApprovalNeeded
        } else {
            Decision::Admitted
        }
    }
}
