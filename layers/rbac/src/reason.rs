//! What records say of a decision. None of it reaches the caller.

use std::sync::Arc;

use bartizan_core::{
    Decided, Principal, SecurityContext, call::Subject, printable, uri_without_secrets,
};

use crate::{
    Decision, Operation, Policy,
    asker::Asker,
    needs::{Access, Gaps, Needs},
    policy::Ground,
    rules::BuiltRule,
};

/// Most rules, and most of what one lacks, that a reason names.
const MOST_NAMED: usize = 8;
/// How operators are told of what no rule refused.
const LIMITS: &str = "limits of the credential";

impl Policy {
    /// All scopes of all rules that cover the operation, each once (SC-2).
    pub(crate) fn scopes_of(&self, operation: &Operation<'_>) -> Vec<&str> {
        let mut scopes = Vec::new();
        self.each_with_watched(operation, |_, rule| {
            for scope in rule.iter().flat_map(|rule| &rule.needs.scopes) {
                if !scopes.contains(&&*scope.name) {
                    scopes.push(&*scope.name);
                }
            }
        });
        scopes
    }

    /// Decides, says what was satisfied, and tells what it decides by.
    pub(crate) fn decide_and_explain<'a>(
        &'a self,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
        mut by: impl FnMut(Ground<'a>),
    ) -> (Decision, String) {
        let mut reasons = Reasons::after(&self.shown, ", ");
        let decision = self.decide_by(asker, operation, |ground| {
            match ground {
                Ground::Baseline(name) => reasons.add(|| format!("baseline `{name}`")),
                Ground::Rule(rule) => reasons.add(|| &*rule.shown),
            }
            by(ground);
        });
        let principal = asker.map(|asker| asker.principal);
        (decision, self.with_unknown_roles(reasons.text(), principal))
    }

    /// The same for a request, whose record gets what was decided; an empty text if nobody keeps one.
    pub(crate) fn decide_and_record(
        &self,
        context: &SecurityContext,
        asker: Option<&Asker<'_>>,
        operation: &Operation<'_>,
    ) -> (Decision, String) {
        if context.trail().is_none() {
            return (self.decide_by(asker, operation, |_| {}), String::new());
        }
        let mut decided = Decided::by(Arc::clone(&self.version));
        let (decision, explained) =
            self.decide_and_explain(asker, operation, |ground| match ground {
                Ground::Baseline(name) => decided.baseline(name),
                Ground::Rule(rule) => decided.rule(&rule.name),
            });
        decided.outcome(decision.name());
        decided.operations(operation.count());
        // What could be read in two ways is forbidden by every policy.
        if decision == Decision::Forbidden && operation.is_unclear() {
            decided.unclear();
        }
        if asker.is_some_and(|asker| asker.has_grants) {
            decided.granted();
        }
        context.set_decided(decided);
        (decision, explained)
    }

    /// The names of the rules that decided: of a refusal those that were not satisfied, else all that
    /// cover the operation.
    pub(crate) fn deciding(&self, asker: &Asker<'_>, operation: &Operation<'_>) -> Vec<&str> {
        let (mut all, mut lacking) = (Vec::new(), Vec::new());
        let decision = self.decide_by(Some(asker), operation, |ground| match ground {
            Ground::Baseline(name) => all.push(name),
            Ground::Rule(rule) => {
                all.push(&*rule.name);
                if rule.needs.gaps(asker, operation) != Gaps::default() {
                    lacking.push(&*rule.name);
                }
            }
        });
        let mut watched = operation.watched();
        let within = operation.is_within_limits(asker.principal)
            && watched.all(|watched| watched.is_within_limits(asker.principal));
        if !within {
            lacking.push(LIMITS);
        }
        if decision.is_admitted() { all } else { lacking }
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
        self.with_unknown_roles(reason, Some(principal))
    }

    /// For the operation and for each that it stands for besides: once without a rule, then each
    /// rule that covers it.
    fn each_with_watched<'a>(
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

    fn with_unknown_roles(&self, mut reason: String, principal: Option<&Principal>) -> String {
        if let Some(unknown) = principal.and_then(|p| self.roles.unknown_of(p)) {
            reason.push_str(&format!("; unknown roles {unknown}"));
        }
        reason
    }
}

fn lack(needs: &Needs, asker: &Asker<'_>, operation: &Operation<'_>) -> Option<String> {
    let gaps = needs.gaps(asker, operation);
    let Asker {
        principal, roles, ..
    } = asker;
    if gaps.closed {
        return Some("denies".to_owned());
    }
    if gaps.somebody {
        return Some("needs somebody".to_owned());
    }
    let mut lacks = Reasons::after("", ", ");
    let lacking_role = needs
        .any_role
        .iter()
        .filter(|n| !n.satisfied_by.meets(roles));
    for role in lacking_role {
        lacks.add(|| format!("role `{}`", printable(&role.name, 300)));
    }
    let capabilities = needs.capabilities.iter();
    for capability in capabilities.filter(|n| !n.satisfied_by.meets(roles)) {
        lacks.add(|| format!("capability `{}`", capability.name));
    }
    let scopes = needs.scopes.iter();
    for scope in scopes.filter(|scope| !scope.is_among(principal.scopes())) {
        lacks.add(|| format!("scope `{}`", printable(&scope.name, 128)));
    }
    for unmet in needs.conditions.unmet(asker, operation) {
        lacks.add(|| format!("that {}", unmet.shown));
    }
    let lacks = lacks.text();
    (!lacks.is_empty()).then(|| format!("lacks {lacks}"))
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

/// Some reasons, and how many more there were.
struct Reasons {
    separator: &'static str,
    text: String,
    count: usize,
}

impl Reasons {
    fn after(start: &str, separator: &'static str) -> Self {
        let mut text = String::new();
        if !start.is_empty() {
            // Room for a rule too: most decisions name one.
            text.reserve(start.len() + 64);
            text.push_str(start);
        }
        Self {
            separator,
            text,
            count: 0,
        }
    }

    fn add<R: AsRef<str>>(&mut self, reason: impl FnOnce() -> R) {
        if self.count < MOST_NAMED {
            if self.count > 0 {
                self.text.push_str(self.separator);
            }
            self.text.push_str(reason().as_ref());
        }
        self.count += 1;
    }

    fn text(mut self) -> String {
        let more = self.count.saturating_sub(MOST_NAMED);
        if more > 0 {
            self.text
                .push_str(&format!("{}{more} more", self.separator));
        }
        self.text
    }
}
