use std::sync::Arc;

use bartizan_core::{
    Call, CallLimits, Denial, DenialKind, Permissions, ResponseBody, SecurityContext, admit,
    call::{CallGuard, CallGuardFuture, JudgeCall},
    refuse,
};
use http::{HeaderMap, Response};

use crate::{Decision, Operation, Policy, challenges};

/// The service of [`RbacLayer`](crate::RbacLayer).
pub type Rbac<S> = CallGuard<S, RbacRules>;

/// The future of [`Rbac`].
pub type ResponseFuture<S, ReqB, ResB> = CallGuardFuture<S, RbacRules, ReqB, ResB>;

/// What [`Rbac`] judges by.
#[derive(Debug, Clone)]
pub struct RbacRules {
    pub(crate) policy: Arc<Policy>,
    pub(crate) limits: CallLimits,
}

impl JudgeCall for RbacRules {
    type Pass = ();

    fn limits(&self) -> CallLimits {
        self.limits
    }

    /// Headers decide nothing: what they mirror was compared with the body, and no more (N-12).
    fn judge(&self, call: &Call, _: &HeaderMap, context: &SecurityContext) -> Result<(), Denial> {
        let policy = Arc::clone(&self.policy) as Arc<dyn Permissions>;
        context
            .set_permissions(policy)
            .map_err(|conflict| Denial::new(DenialKind::Internal, conflict.to_string()))?;
        let operation = Operation::from(call);
        let is_heard = context.trail().is_some();
        let (decision, explained) =
            self.policy
                .decide_and_explain(context.principal(), &operation, is_heard);
        if decision.is_admitted() {
            admit!("rbac", context, "permitted", explained);
            return Ok(());
        }
        Err(self.denial(decision, context, &operation))
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("rbac", context, denial)
    }
}

impl RbacRules {
    fn denial(&self, decision: Decision, context: &SecurityContext, op: &Operation<'_>) -> Denial {
        let offered = context.challenges();
        let scopes = self.policy.scopes_of(op);
        let (kind, challenges) = match decision {
            // Without a challenge, a client could do nothing with a 401 (AC-1).
            Decision::CredentialsMissing if !offered.is_empty() => (
                DenialKind::CredentialsMissing,
                challenges::to_identify(offered, &scopes),
            ),
            Decision::ScopeInsufficient => (
                DenialKind::ScopeInsufficient,
                challenges::to_step_up(offered, &scopes),
            ),
            _ => (DenialKind::Forbidden, Vec::new()),
        };
        let reason = self.policy.why_refused(context.principal(), op, &scopes);
        Denial::new(kind, reason).with_challenges(challenges)
    }
}
