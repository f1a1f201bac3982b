use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bartizan_core::CallLimits;
use tower_layer::Layer;

use crate::{
    Approvals, Grants, Policy, PolicyHandle, Rbac, RbacConfigError, RbacRules, UnknownAnswer,
    lists::ListRules, service::Rules, told::DecisionHeader,
};

/// Lets a call pass if the policy permits it to the principal that an outer layer stamped.
///
/// The [crate's documentation](crate) has an example and the order of its decisions.
#[derive(Debug, Clone)]
#[must_use]
pub struct RbacLayer {
    rules: RbacRules,
    lists: Option<ListRules>,
}

/// Tells layers apart, as long as the process lasts.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl RbacLayer {
    /// A layer that judges by this policy. An `Arc<Policy>` can be shared with handlers.
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        Self::with_handle(PolicyHandle::new(policy))
    }

    /// A layer that judges by the policy that the handle has when a request comes.
    pub fn with_handle(policy: PolicyHandle) -> Self {
        Self {
            lists: Some(ListRules {
                hide_without_scopes: false,
                most_bytes: 4 << 20,
            }),
            rules: RbacRules(Arc::new(Rules {
                policy,
                limits: CallLimits::new(),
                shadow: None,
                told: None,
                layer: NEXT.fetch_add(1, Ordering::Relaxed),
                unknown: UnknownAnswer::default(),
            })),
        }
    }

    /// The handle by which the layer's policy can be exchanged, and that of every service it makes.
    pub fn handle(&self) -> PolicyHandle {
        self.rules.0.policy.clone()
    }

    /// Asks a second policy too, and obeys the first: where the two decide differently, a finding of kind
    /// `shadow_differs` names both decisions, versions and rules, and the layer's `noted` verdicts count one
    /// more. No answer changes by it. What is shown of lists is not compared.
    ///
    /// A [`PolicyHandle`] can be swapped meanwhile. It is asked instead of what a configuration says.
    pub fn shadow(mut self, policy: impl Into<PolicyHandle>) -> Self {
        Arc::make_mut(&mut self.rules.0).shadow = Some(policy.into());
        self
    }

    /// Tells those who have this role, on each answer to them, by what it was decided:
    /// `x-authz-decision: version="7"; rule="tool:delete_*"; id="4f…"`. By default nobody.
    ///
    /// It names what [a refusal keeps from its caller](crate#what-it-decides): which rules there are. The
    /// rules of a refusal are those that were not satisfied, none if no rule covers it. The id is the
    /// request's correlation id, under which audit records it.
    ///
    /// # Errors
    ///
    /// If it is no header name that begins with `x-`, or the policy declares no such role. A policy that
    /// is swapped in without the role tells nobody.
    pub fn decision_header(mut self, name: &str, role: &str) -> Result<Self, RbacConfigError> {
        let told = DecisionHeader::new(name, role, &self.rules.0.policy.policy())?;
        Arc::make_mut(&mut self.rules.0).told = Some(Arc::new(told));
        Ok(self)
    }

    /// Counts roles that were granted for a time, besides those of the credential; see [`Grants`].
    ///
    /// They belong to the layer's [handle](Self::handle): all layers of it judge by them, whichever policy
    /// is swapped in.
    ///
    /// # Errors
    ///
    /// If the handle has other grants.
    pub fn grants(self, grants: Grants) -> Result<Self, RbacConfigError> {
        self.rules.0.policy.exceptions().set_grants(&grants)?;
        Ok(self)
    }

    /// Lets calls pass that need approval, once they have it; see [`Approvals`]. Without, they never pass.
    ///
    /// They belong to the layer's [handle](Self::handle), as grants do. But an approval is good at the layer
    /// at which it was asked for, its clones included: another layer may stand before another server.
    ///
    /// # Errors
    ///
    /// If the handle has other approvals, or these belong to another handle.
    pub fn approvals(self, approvals: Approvals) -> Result<Self, RbacConfigError> {
        let handle = &self.rules.0.policy;
        approvals.attach(handle)?;
        handle.exceptions().set_approvals(&approvals)?;
        Ok(self)
    }

    /// What is answered in the place of an unknown name, where [rules hide](crate::Rule::hidden) what there is. By
    /// default [`UnknownAnswer::json`].
    pub fn unknown_as(mut self, answer: UnknownAnswer) -> Self {
        Arc::make_mut(&mut self.rules.0).unknown = answer;
        self
    }

    /// What a call may measure (IV-6, IV-7). By default [`CallLimits::new`].
    pub fn call_limits(mut self, limits: CallLimits) -> Self {
        Arc::make_mut(&mut self.rules.0).limits = limits;
        self
    }

    /// Shows every list whole to everybody who may ask for it, what rules hide and what the caller's credential is not good for
    /// included. No [honey tool](crate::HoneyTool) is put into one. What is called is judged all the same (TA-3).
    pub fn without_list_filtering(mut self) -> Self {
        self.lists = None;
        self
    }

    /// Hides from lists what only scopes are missing for too. By default it is shown: a client that
    /// does not know of it never asks for the scope. Where lists are not filtered this changes nothing.
    pub fn hide_without_scopes(mut self) -> Self {
        if let Some(lists) = &mut self.lists {
            lists.hide_without_scopes = true;
        }
        self
    }

    /// Most bytes of an answer with a list, or of one event of a stream with one. What is larger is
    /// refused, since nobody could filter it. By default 4 MiB.
    ///
    /// # Errors
    ///
    /// If zero or above 1 GiB.
    pub fn list_bytes(mut self, bytes: usize) -> Result<Self, RbacConfigError> {
        if !(1..=1 << 30).contains(&bytes) {
            let problem = "is not within 1 to 1073741824";
            let value = bytes.to_string();
            return Err(RbacConfigError::new("list bytes", &value, problem));
        }
        if let Some(lists) = &mut self.lists {
            lists.most_bytes = bytes;
        }
        Ok(self)
    }
}

impl<S> Layer<S> for RbacLayer {
    type Service = Rbac<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.rules.0.policy.check_approvals();
        Rbac::new(inner, self.rules.clone(), self.lists)
    }
}
