use std::{cell::Cell, fmt, sync::Arc};

use bartizan_core::{Permissions, Principal, call::Subject};

use crate::{
    Decision, Operation, PolicyBuilder, Preset,
    asker::Asker,
    baseline::baseline,
    built_rule::BuiltRule,
    capabilities::Capabilities,
    engine::{Engine, Outcome, Question, Said},
    honey::Honey,
    judged::{Hidden, Judged},
    needs::Access,
    roles::Roles,
    rules::Rules,
};

/// Who may do what: roles, what they grant, and rules over every MCP method.
///
/// Made by [`Policy::builder`], and checked as it is built. What no rule and no baseline covers is
/// denied.
pub struct Policy {
    pub(crate) roles: Roles,
    pub(crate) capabilities: Capabilities,
    pub(crate) rules: Rules,
    pub(crate) has_baseline: bool,
    pub(crate) version: Arc<str>,
    pub(crate) engine: Option<Engine>,
    pub(crate) honey: Honey,
    /// How reasons begin.
    pub(crate) shown: Box<str>,
}

impl Policy {
    /// Starts a policy without roles and rules.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Starts a policy with the roles of [`Preset::Enterprise`].
    pub fn enterprise() -> PolicyBuilder {
        Self::builder().preset(Preset::Enterprise)
    }

    /// How records call it; see [`PolicyBuilder::version`].
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Decides about an operation as the layer does. `None` is a request that no authentication
    /// layer saw; nothing is open to it.
    pub fn decide(&self, principal: Option<&Principal>, operation: &Operation<'_>) -> Decision {
        let asker = principal.map(|principal| Asker::new(principal, &self.roles));
        self.decide_by(asker.as_ref(), operation, |_| {})
    }

    /// The same without asking the engine.
    #[cfg(feature = "files")]
    pub(crate) fn decide_by_rules(
        &self,
        principal: Option<&Principal>,
        operation: &Operation<'_>,
    ) -> Decision {
        let Some(principal) = principal else {
            return Decision::Forbidden;
        };
        let asker = Asker::new(principal, &self.roles);
        let (judged, hidden) = self.judge_all(&asker, operation, &mut |_| {});
        judged.decision(hidden)
    }

    /// Decides, and tells what it decides by.
    pub(crate) fn decide_by<'a>(
        &'a self,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
        mut by: impl FnMut(Ground<'a>),
    ) -> Decision {
        let Some(asker) = asker else {
            return Decision::Forbidden;
        };
        let (judged, hidden) = self.judge_all(asker, operation, &mut by);
        let mut decision = judged.decision(hidden);
        let hides = hidden == Hidden::Named && judged.hides;
        decision = self.with_engine(decision, hides, asker, operation, &mut by);
        for watched in operation.watched() {
            decision = self.with_engine(decision, false, asker, &watched, &mut by);
        }
        decision
    }

    /// Decides about many operations of one principal that differ in what they act on, as `sample` does.
    pub(crate) fn many<'a>(&'a self, asker: Asker<'a>, sample: &Operation<'_>) -> Many<'a> {
        let mut common = Judged::default();
        if let Some((access, _)) = self.baseline(sample) {
            common.by_baseline(access, asker.principal);
        }
        self.rules
            .each_of_method(sample, |rule| common.by_rule(rule, &asker, sample));
        Many {
            policy: self,
            asker,
            common,
            hides: sample
                .subject()
                .is_some_and(|(subject, _)| self.rules.hide(subject)),
            failures: Cell::new(0),
        }
    }

    /// The decision, once the engine was asked too, if the rules leave something to decide.
    fn with_engine<'a>(
        &'a self,
        decision: Decision,
        hides: bool,
        asker: &Asker<'_>,
        operation: &Operation<'_>,
        by: &mut impl FnMut(Ground<'a>),
    ) -> Decision {
        let asked = self.may_ask_engine(decision);
        let Some(engine) = self.engine.as_ref().filter(|_| asked) else {
            return decision;
        };
        let said = engine.ask(&Question::new(asker, &self.roles, operation));
        let outcome = said.outcome();
        by(Ground::Engine(said));
        match outcome {
            Outcome::Permits => decision,
            _ if hides => Decision::Unknown,
            // Somebody in particular might.
            _ if asker.principal.is_anonymous() => Decision::CredentialsMissing,
            _ => Decision::Forbidden,
        }
    }

    /// Whether there is an engine, and the rules leave something to decide.
    pub(crate) fn may_ask_engine(&self, by_rules: Decision) -> bool {
        let closed = matches!(
            by_rules,
            Decision::Forbidden | Decision::Unknown | Decision::CredentialsMissing
        );
        self.engine.is_some() && !closed
    }

    /// The operation, and all that it listens to; and what of it is hidden.
    fn judge_all<'a>(
        &'a self,
        asker: &Asker<'_>,
        operation: &Operation<'_>,
        by: &mut impl FnMut(Ground<'a>),
    ) -> (Judged, Hidden) {
        let mut judged = self.judge(asker, operation, by);
        for watched in operation.watched() {
            judged.and(self.judge(asker, &watched, by));
        }
        let hidden = match operation.subject() {
            // What could be read in two ways is no name, known or unknown.
            Some((subject, _)) if self.rules.hide(subject) && operation.unclear().is_none() => {
                Hidden::Named
            }
            None if operation.watches() && self.rules.hide(Subject::Resource) => Hidden::Watched,
            _ => Hidden::Nothing,
        };
        (judged, hidden)
    }

    fn judge<'a>(
        &'a self,
        asker: &Asker<'_>,
        operation: &Operation<'_>,
        by: &mut impl FnMut(Ground<'a>),
    ) -> Judged {
        let mut judged = Judged::default();
        if operation.unclear().is_some() {
            return judged;
        }
        judged.limited = !operation.is_within_limits(asker.principal);
        if let Some((access, name)) = self.baseline(operation) {
            judged.by_baseline(access, asker.principal);
            by(Ground::Baseline(name));
        }
        self.rules.each(operation, |rule| {
            judged.by_rule(rule, asker, operation);
            by(Ground::Rule(rule));
        });
        judged
    }

    pub(crate) fn baseline(&self, operation: &Operation<'_>) -> Option<(Access, &'static str)> {
        baseline(operation).filter(|_| self.has_baseline)
    }

    /// Whether some rule needs approval, which a layer without [`Approvals`](crate::Approvals) never has.
    pub fn needs_approvals(&self) -> bool {
        let mut rules = self.rules.all().iter();
        rules.any(|rule| rule.needs.approval.is_some())
    }

    /// Whether the principal has any of these roles, itself or through a role that includes it.
    /// A name that the policy does not know is nobody's.
    pub fn check_role(&self, principal: &Principal, any_of: &[&str]) -> bool {
        let asker = Asker::new(principal, &self.roles);
        any_of.iter().any(|role| self.is_role_of(&asker, role))
    }

    pub(crate) fn is_role_of(&self, asker: &Asker<'_>, role: &str) -> bool {
        self.roles.only(role).meets(&asker.roles)
    }

    /// Whether one of the principal's roles grants the capability, or its
    /// [credential](Principal::capabilities). One that the policy does not know is nobody's, not even `*` grants it: declare what only handlers ask for with
    /// [`PolicyBuilder::capability`].
    pub fn has_capability(&self, principal: &Principal, capability: &str) -> bool {
        self.is_capability_of(&Asker::new(principal, &self.roles), capability)
    }

    pub(crate) fn is_capability_of(&self, asker: &Asker<'_>, capability: &str) -> bool {
        self.capabilities.are_held(capability, asker)
    }
}

impl Permissions for Policy {
    fn has_role(&self, principal: &Principal, role: &str) -> bool {
        self.check_role(principal, &[role])
    }

    fn has_capability(&self, principal: &Principal, capability: &str) -> bool {
        self.has_capability(principal, capability)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("version", &self.version)
            .field("roles", &self.roles.len())
            .field("rules", &self.rules.len())
            .field("has_baseline", &self.has_baseline)
            .finish_non_exhaustive()
    }
}

/// What a decision rests on.
pub(crate) enum Ground<'a> {
    Baseline(&'static str),
    Rule(&'a BuiltRule),
    Engine(Said),
}

/// See [`Policy::many`]. What all of them have in common is judged once.
pub(crate) struct Many<'a> {
    policy: &'a Policy,
    asker: Asker<'a>,
    common: Judged,
    failures: Cell<usize>,
    hides: bool,
}

impl Many<'_> {
    pub(crate) fn decide(&self, operation: &Operation<'_>) -> Decision {
        if operation.unclear().is_some() {
            return Decision::Forbidden;
        }
        let mut judged = self.common;
        judged.limited = !operation.is_within_limits(self.asker.principal);
        let rules = &self.policy.rules;
        rules.each_of_subject(operation, |rule| {
            judged.by_rule(rule, &self.asker, operation);
        });
        if self.hides && judged.hidden.refuse() {
            // Also if an unknown name would lack scopes only: this one is a name.
            return Decision::Unknown;
        }
        let mut count = |ground: Ground<'_>| {
            if let Ground::Engine(said) = ground {
                let failed = usize::from(said.outcome() == Outcome::Failed);
                self.failures.set(self.failures.get() + failed);
            }
        };
        self.policy.with_engine(
            judged.decision(Hidden::Nothing),
            false,
            &self.asker,
            operation,
            &mut count,
        )
    }

    /// How often the engine failed.
    pub(crate) fn failures(&self) -> usize {
        self.failures.get()
    }
}
