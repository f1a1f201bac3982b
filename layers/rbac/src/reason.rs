//! What records say of a decision. None of it reaches the caller.

use std::{borrow::Cow, sync::Arc};

use bartizan_core::{Decided, SecurityContext, call::Subject, printable, uri_without_secrets};

use crate::{
    Decision, Operation, Policy,
    asker::Asker,
    built_rule::BuiltRule,
    engine::{Outcome, Said},
    needs::Access,
    policy::Ground,
    reasons::{Reasons, lack},
};

/// A decision, and what records say of it.
pub(crate) struct Explained {
    pub(crate) decision: Decision,
    /// What was satisfied, or what the engine said that refused.
    pub(crate) text: String,
    /// Of an engine that refused.
    pub(crate) engine: Option<Outcome>,
}

impl Explained {
    fn without_words(decision: Decision) -> Self {
        Self {
            decision,
            text: String::new(),
            engine: None,
        }
    }
}

/// How operators are told of what no rule refused.
const LIMITS: &str = "limits of the credential";

impl Policy {
    /// All scopes of all rules that cover the operation, each once (SC-2).
    pub(crate) fn scopes_of(&self, operation: &Operation<'_>) -> Vec<&str> {
        self.scopes_of_those(operation, |_| true)
    }

    /// Those of them that the principal may know of: what is hidden from it would be told by its scopes.
    pub(crate) fn scopes_to_tell(&self, asker: &Asker<'_>, operation: &Operation<'_>) -> Vec<&str> {
        let mut is_hidden = false;
        self.each_with_watched(operation, |operation, rule| {
            let rule = rule.filter(|rule| rule.hidden);
            is_hidden |= rule.is_some_and(|rule| rule.needs.gaps(asker, operation).refuse());
        });
        self.scopes_of_those(operation, |rule| !is_hidden || !rule.hidden)
    }

    fn scopes_of_those(
        &self,
        operation: &Operation<'_>,
        counts: impl Fn(&BuiltRule) -> bool,
    ) -> Vec<&str> {
        let mut scopes = Vec::new();
        self.each_with_watched(operation, |_, rule| {
            let rule = rule.filter(|rule| counts(rule));
            for scope in rule.iter().flat_map(|rule| &rule.needs.scopes) {
                if !scopes.contains(&&*scope.name) {
                    scopes.push(&*scope.name);
                }
            }
        });
        scopes
    }

    /// Decides, says what was satisfied or what an engine said that refused, and tells what it decides by.
    pub(crate) fn decide_and_explain<'a>(
        &'a self,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
        mut by: impl FnMut(&Ground<'a>),
    ) -> Explained {
        let mut reasons = Reasons::after(&self.shown, ", ");
        let mut refused = None;
        let decision = self.decide_by(asker, operation, |ground| {
            by(&ground);
            match ground {
                Ground::Baseline(name) => reasons.add(|| format!("baseline `{name}`")),
                Ground::Rule(rule) => reasons.add(|| &*rule.shown),
                Ground::Engine(said) if said.refuses() => refused = Some(said),
                Ground::Engine(said) => reasons.add(|| said.to_string()),
            }
        });
        if let Some(said) = refused {
            return self.refused_by(&said, decision, asker);
        }
        Explained {
            decision,
            text: self.with_unknown_roles(reasons.text(), asker),
            engine: None,
        }
    }

    fn refused_by(&self, said: &Said, decision: Decision, asker: Option<&Asker<'_>>) -> Explained {
        let text = format!("{}{said}", self.shown);
        Explained {
            decision,
            text: self.with_unknown_roles(text, asker),
            engine: Some(said.outcome()),
        }
    }

    /// Why it was refused, by the rules or by the engine.
    pub(crate) fn why_not(
        &self,
        explained: Explained,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
        scopes: &[&str],
    ) -> String {
        match explained.engine {
            Some(_) => explained.text,
            None => self.why_refused(asker, operation, scopes),
        }
    }

    /// The same for a request, whose record gets what was decided; an empty text if nobody keeps one, unless
    /// an engine refused.
    pub(crate) fn decide_and_record(
        &self,
        context: &SecurityContext,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
    ) -> Explained {
        if context.trail().is_none() {
            let mut refused = None;
            let decision = self.decide_by(asker, operation, |ground| match ground {
                Ground::Engine(said) if said.refuses() => refused = Some(said),
                _ => {}
            });
            return match refused {
                Some(said) => self.refused_by(&said, decision, asker),
                None => Explained::without_words(decision),
            };
        }
        let mut decided = Decided::by(Arc::clone(&self.version));
        let explained = self.decide_and_explain(asker, operation, |ground| match ground {
            Ground::Baseline(name) => decided.baseline(name),
            Ground::Rule(rule) => decided.rule(&rule.name),
            Ground::Engine(_) => {
                if let Some(engine) = &self.engine {
                    decided.rule(engine.name());
                }
            }
        });
        let decision = explained.decision;
        decided.outcome(decision.name());
        decided.operations(operation.count());
        // Every policy refuses what could be read in two ways.
        if decision == Decision::Forbidden && operation.is_unclear() {
            decided.unclear();
        }
        let beside_roles =
            |asker: &Asker<'_>| asker.has_grants || asker.principal.capabilities().len() > 0;
        if asker.is_some_and(beside_roles) {
            decided.granted();
        }
        if asker.is_some_and(|asker| !operation.is_all_within_limits(asker.principal)) {
            decided.limited();
        }
        context.set_decided(decided);
        explained
    }

    /// The names of the rules that decided: of a refusal those that were not satisfied, else all that
    /// cover the operation.
    pub(crate) fn deciding(
        &self,
        asker: &Asker<'_>,
        operation: &Operation<'_>,
        is_approved: bool,
    ) -> Vec<Cow<'_, str>> {
        let (mut all, mut lacking) = (Vec::new(), Vec::new());
        // Who is told by what was decided is told nothing of decoys.
        let mut is_honey = false;
        let decision = self.decide_by(Some(asker), operation, |ground| match ground {
            Ground::Baseline(name) => all.push(Cow::Borrowed(name)),
            Ground::Rule(rule) if rule.honey => is_honey = true,
            Ground::Rule(rule) => {
                all.push(Cow::Borrowed(&*rule.name));
                if rule.needs.gaps(asker, operation).any() {
                    lacking.push(Cow::Borrowed(&*rule.name));
                }
            }
            Ground::Engine(said) => {
                let named = if said.refuses() {
                    &mut lacking
                } else {
                    &mut all
                };
                named.extend(said.names().into_iter().map(Cow::Owned));
            }
        });
        if !operation.is_all_within_limits(asker.principal) {
            lacking.push(Cow::Borrowed(LIMITS));
        }
        let is_approved = is_approved && decision == Decision::ApprovalNeeded;
        if decision.is_admitted() || is_approved || is_honey && lacking.is_empty() {
            all
        } else {
            lacking
        }
    }

    /// What was missing, and which rule asked for it.
    pub(crate) fn why_refused(
        &self,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
        scopes: &[&str],
    ) -> String {
        let Some(asker) = asker else {
            let reason = "no principal: is there an authentication layer outside this one?";
            return format!("{}{reason}", self.shown);
        };
        let principal = asker.principal;
        let mut reasons = Reasons::after(&self.shown, "; ");
        if let Some((Access::Identified, name)) = self.baseline(operation)
            && principal.is_anonymous()
        {
            reasons.add(|| format!("baseline `{name}` needs somebody"));
        }
        self.each_with_watched(operation, |operation, rule| match rule {
            Some(rule) => {
                if let Some(lack) = lack(&rule.needs, asker, operation) {
                    reasons.add(|| format!("{} {lack}", rule.shown));
                }
            }
            None => {
                match operation.unclear() {
                    Some(problem) => reasons.add(|| format!("{} {problem}", shown(operation))),
                    None if self.covers(operation) => {}
                    None => reasons.add(|| format!("no rule covers {}", shown(operation))),
                }
                if !operation.is_within_limits(principal) {
                    reasons.add(|| format!("{} is beyond the {LIMITS}", shown(operation)));
                }
            }
        });
        let mut reason = reasons.text();
        if !scopes.is_empty() && !principal.is_anonymous() {
            let held: Vec<_> = principal.scopes().take(32).collect();
            let (needed, held) = (scopes.join(" "), held.join(" "));
            let (needed, held) = (printable(&needed, 400), printable(&held, 200));
            reason.push_str(&format!("; scopes `{needed}` needed, `{held}` held"));
        }
        self.with_unknown_roles(reason, Some(asker))
    }

    /// For the operation and for each that it stands for besides: once without a rule, then each
    /// rule that covers it.
    pub(crate) fn each_with_watched<'a>(
        &'a self,
        operation: &Operation<'_>,
        mut found: impl FnMut(&Operation<'_>, Option<&'a BuiltRule>),
    ) {
        let mut each = |operation: &Operation<'_>| {
            found(operation, None);
            if operation.unclear().is_none() {
                self.rules
                    .each(operation, |rule| found(operation, Some(rule)));
            }
        };
        each(operation);
        operation.watched().for_each(|watched| each(&watched));
    }

    pub(crate) fn covers(&self, operation: &Operation<'_>) -> bool {
        let mut covered = self.baseline(operation).is_some();
        self.rules.each(operation, |_| covered = true);
        covered
    }

    fn with_unknown_roles(&self, mut reason: String, asker: Option<&Asker<'_>>) -> String {
        let asker = asker.filter(|asker| asker.has_unknown);
        if let Some(unknown) = asker.and_then(|asker| self.roles.unknown_of(asker.principal)) {
            reason.push_str(&format!("; unknown roles {unknown}"));
        }
        reason
    }
}

fn shown(operation: &Operation<'_>) -> String {
    let method = match operation.method_name() {
        "" => format!("{:?}", operation.kind()),
        method => format!("`{}`", printable(method, 80)),
    };
    match operation.subject() {
        Some((subject, name)) => {
            // A reason is written into records and logs (AL-2).
            let shown = match subject {
                Subject::Resource => uri_without_secrets(name),
                _ => name,
            };
            let cut = if shown.len() < name.len() { "…" } else { "" };
            format!("{method} of `{}{cut}`", printable(shown, 200))
        }
        None => method,
    }
}
