use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{
    Call, CallLimits, Denial, DenialKind, RequestBody, ResponseBody, SecurityContext, admit,
    call::{CallGuard, CallGuardFuture, JudgeCall, Pass},
    honey, note, refuse,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    Decision, ListBody, ListFilter, Operation, PolicyHandle,
    approvals::{Answer, Approved},
    asker::Asker,
    challenges,
    engine::Outcome,
    in_force::InForce,
    lists::ListRules,
    reason::Explained,
    shadow,
    told::{DecisionHeader, Told},
    unknown::UnknownAnswer,
};

/// The service of [`RbacLayer`](crate::RbacLayer).
#[derive(Debug, Clone)]
pub struct Rbac<S> {
    guard: CallGuard<ListFilter<S>, RbacRules>,
}

/// The future of [`Rbac`].
pub type ResponseFuture<S, ReqB, ResB> =
    CallGuardFuture<ListFilter<S>, RbacRules, ReqB, ListBody<ResB>>;

impl<S> Rbac<S> {
    pub(crate) fn new(inner: S, rules: RbacRules, lists: Option<ListRules>) -> Self {
        Self {
            guard: CallGuard::new(ListFilter::new(inner, lists), rules),
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.guard.get_ref().inner
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.guard.get_mut().inner
    }

    /// Takes the layer off.
    pub fn into_inner(self) -> S {
        self.guard.into_inner().inner
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Rbac<S>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>> + Clone,
    ReqB: Body<Data = Bytes>,
    ResB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ListBody<ResB>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.guard.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        self.guard.call(request)
    }
}

/// What [`Rbac`] judges by. One `Arc`, since it is cloned for each request.
#[derive(Debug, Clone)]
pub struct RbacRules(pub(crate) Arc<Rules>);

#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) policy: PolicyHandle,
    pub(crate) limits: CallLimits,
    pub(crate) shadow: Option<PolicyHandle>,
    pub(crate) told: Option<Arc<DecisionHeader>>,
    /// Which layer's: an approval is good at one.
    pub(crate) layer: u64,
    pub(crate) unknown: UnknownAnswer,
}

impl JudgeCall for RbacRules {
    type Pass = Told;

    fn limits(&self) -> CallLimits {
        self.0.limits
    }

    /// Headers decide nothing: what they mirror was compared with the body, and no more (N-12).
    fn judge(&self, call: &Call, _: &HeaderMap, context: &SecurityContext) -> Result<Told, Denial> {
        let mut in_force = self.0.policy.of_request(context)?;
        let operation = Operation::from(call);
        if context
            .principal()
            .is_some_and(|who| !who.limits().is_empty())
        {
            context.judge_limits();
        }
        let asker = context.principal().map(|who| in_force.asker(who));
        let asker = asker.as_ref();
        let is_heard = context.trail().is_some();
        let policy = &*in_force.policy;
        let mut explained = policy.decide_and_record(context, asker, &operation);
        let decision = explained.decision;
        if explained.engine == Some(Outcome::Failed) {
            note!("rbac", context, "engine_failed", explained.text.clone());
        }
        let named = self.0.shadow.as_ref().map(PolicyHandle::policy);
        if let Some(shadow) = named.as_ref().or(in_force.shadow.as_ref()) {
            shadow::compare(shadow, &in_force, (asker, decision), &operation, context);
        }
        match (decision, asker) {
            (Decision::Admitted, _) => {}
            (Decision::ApprovalNeeded, Some(asker)) => {
                let approved = self.approval(&in_force, asker, call, &operation);
                let approved = approved.or_else(|denial| {
                    Arc::clone(&in_force).stamp(context)?;
                    Err(denial)
                })?;
                explained.text += &approved.shown();
                in_force = Arc::new(in_force.with_approved(approved));
            }
            _ => {
                Arc::clone(&in_force).stamp(context)?;
                if let Some(decoy) = policy.honey.touched_by(&operation) {
                    honey!(
                        "rbac",
                        context,
                        "honey_tool",
                        format!("tool `{}`", decoy.name)
                    );
                }
                let denial = denial(&in_force, asker, explained, context, &operation);
                return Err(match decision {
                    Decision::Unknown => denial.disguised(self.0.unknown.to(call)),
                    _ => denial,
                });
            }
        }
        if let Some(asker) = asker.filter(|_| is_heard) {
            explained.text += &in_force.explain_grants(asker, decision, &operation);
        }
        let told = self.0.told.as_ref();
        let told = told.map_or_else(Told::default, |told| told.of(&in_force, context));
        in_force.stamp(context)?;
        admit!("rbac", context, "permitted", explained.text);
        Ok(told)
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        let told = self.0.told.as_ref().filter(|_| is_of_policy(&denial));
        let mut response = refuse!("rbac", context, denial);
        if let Some((told, in_force)) = told.zip(InForce::stamped_on(context)) {
            told.of(in_force, context).amend(response.headers_mut());
        }
        response
    }
}

impl RbacRules {
    /// Uses up the approval of a call that only that is missing for.
    ///
    /// # Errors
    ///
    /// The refusal, if there is none.
    fn approval(
        &self,
        in_force: &InForce,
        asker: &Asker<'_>,
        call: &Call,
        operation: &Operation<'_>,
    ) -> Result<Approved, Denial> {
        let mut reason = in_force.policy.why_refused(Some(asker), operation, &[]);
        reason += &in_force.explain_grants(asker, Decision::ApprovalNeeded, operation);
        Answer::of(self.0.layer, in_force, asker.principal, call, operation).approved(reason)
    }
}

/// Whether the policy refused, and not the reading of the call.
fn is_of_policy(denial: &Denial) -> bool {
    matches!(
        denial.kind(),
        DenialKind::CredentialsMissing
            | DenialKind::ScopeInsufficient
            | DenialKind::ApprovalNeeded
            | DenialKind::Forbidden
    )
}

fn denial(
    in_force: &InForce,
    asker: Option<&Asker<'_>>,
    explained: Explained,
    context: &SecurityContext,
    op: &Operation<'_>,
) -> Denial {
    let policy = &in_force.policy;
    let offered = context.challenges();
    let scopes = asker.map_or_else(Vec::new, |asker| policy.scopes_to_tell(asker, op));
    let (kind, challenges) = match explained.decision {
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
    let decision = explained.decision;
    let mut reason = policy.why_not(explained, asker, op, &policy.scopes_of(op));
    if decision == Decision::Unknown {
        reason += "; answered as unknown";
    }
    if let Some(asker) = asker {
        reason += &in_force.explain_grants(asker, decision, op);
    }
    Denial::new(kind, reason).with_challenges(challenges)
}
