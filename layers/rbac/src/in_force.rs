use std::{any::Any, sync::Arc};

use bartizan_core::{Denial, DenialKind, Permissions, Principal, SecurityContext};

use crate::{
    Approvals, Decision, Operation, Policy, approvals::Approved, asker::Asker,
    exceptions::Exceptions,
};

/// A policy in a handle; what requests are stamped with.
pub(crate) struct InForce {
    pub(crate) policy: Arc<Policy>,
    /// Asked and not obeyed, where the layer names no other.
    pub(crate) shadow: Option<Arc<Policy>>,
    /// Which handle's: layers of one handle judge a request alike.
    pub(crate) of: Arc<Exceptions>,
    /// By what approval the one request passes that is stamped with this.
    pub(crate) approved: Option<Approved>,
}

impl InForce {
    /// What a request is stamped with that passes by this approval.
    pub(crate) fn with_approved(&self, approved: Approved) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            shadow: self.shadow.clone(),
            of: Arc::clone(&self.of),
            approved: Some(approved),
        }
    }

    /// Leaves it for handlers and layers inside; the first that judged has done so.
    ///
    /// # Errors
    ///
    /// If something else judged meanwhile.
    pub(crate) fn stamp(self: Arc<Self>, context: &SecurityContext) -> Result<(), Denial> {
        if context.permissions().is_some() {
            return Ok(());
        }
        let stamped = context.set_permissions(self);
        stamped.map_err(|conflict| Denial::new(DenialKind::Internal, conflict.to_string()))
    }

    pub(crate) fn approvals(&self) -> Option<&Approvals> {
        self.of.approvals()
    }

    /// Whether this principal may approve the operation of another, with the grants of now.
    pub(crate) fn approves(&self, approver: &Principal, operation: &Operation<'_>) -> bool {
        self.policy.approves(&self.asker(approver), operation)
    }

    /// The policy that judged the request, if a layer did.
    pub(crate) fn stamped_on(context: &SecurityContext) -> Option<&Self> {
        let stamped: &dyn Any = &**context.permissions()?;
        stamped.downcast_ref()
    }

    /// Who asks, with the grants of now.
    pub(crate) fn asker<'a>(&self, principal: &'a Principal) -> Asker<'a> {
        self.asker_of(&self.policy, principal)
    }

    /// The same for another policy.
    pub(crate) fn asker_of<'a>(&self, policy: &Policy, principal: &'a Principal) -> Asker<'a> {
        Asker::with_grants(principal, &policy.roles, self.of.grants())
    }

    /// What grants have to do with a decision, for its record; empty if nothing.
    pub(crate) fn explain_grants(
        &self,
        asker: &Asker<'_>,
        decision: Decision,
        operation: &Operation<'_>,
    ) -> String {
        match self.of.grants() {
            Some(grants) if asker.has_grants => {
                grants.explain(&self.policy, asker, decision, operation)
            }
            _ => String::new(),
        }
    }
}

impl Permissions for InForce {
    fn has_role(&self, principal: &Principal, role: &str) -> bool {
        self.policy.is_role_of(&self.asker(principal), role)
    }

    fn has_capability(&self, principal: &Principal, capability: &str) -> bool {
        self.policy
            .is_capability_of(&self.asker(principal), capability)
    }
}
