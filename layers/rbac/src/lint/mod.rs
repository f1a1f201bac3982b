//! What of a policy can come to nothing, seen against what a server offers.

mod catalog;
mod finding;

pub use catalog::Catalog;
pub use finding::{LintError, LintFinding};

use bartizan_core::names::{METHODS, uri};

use crate::{
    Operation, Policy,
    built_rule::{BuiltRule, Speaks},
};

impl Policy {
    /// What comes to nothing of the policy, seen against what a server offers: rules that match none of
    /// it, and tools, prompts and resources that no rule covers, so that nobody may use them. First
    /// those of rules in the order of the rules, then those of names.
    ///
    /// ```
    /// use bartizan_rbac::{Catalog, LintFinding, Policy, Rule};
    /// let policy = Policy::enterprise().rule(Rule::tool("delete_nots").role("admin")).build()?;
    /// let found = policy.lint(&Catalog::default().tool("delete_notes"));
    /// let shown: Vec<_> = found.iter().map(LintFinding::to_string).collect();
    /// assert_eq!(shown, [
    ///     "rule `tool:delete_nots` matches nothing that the server offers",
    ///     "no rule covers tool `delete_notes`, so nobody may use it",
    /// ]);
    /// # Ok::<(), bartizan_rbac::RbacConfigError>(())
    /// ```
    pub fn lint(&self, catalog: &Catalog) -> Vec<LintFinding> {
        let mut found = Vec::new();
        for rule in self.rules.all() {
            if rule.is_empty() {
                let rule = rule.name.to_string();
                found.push(LintFinding::AllExcepted { rule });
            } else if !rule.honey && self.matches_any(rule, catalog) == Some(false) {
                let rule = rule.name.to_string();
                found.push(LintFinding::MatchesNothing { rule });
            }
            if self.rules.is_beside_hidden(rule) {
                let rule = rule.name.to_string();
                found.push(LintFinding::BesideHidden { rule });
            }
        }
        for name in catalog.tools.iter().flatten() {
            let decoy = self.honey.of(name);
            if decoy.is_some_and(|decoy| decoy.definition.is_some()) {
                let name = name.clone();
                found.push(LintFinding::HoneyIsTool { name });
            }
            self.look_at("tool", name, &Operation::tool(name), &mut found);
        }
        for name in catalog.prompts.iter().flatten() {
            self.look_at("prompt", name, &Operation::prompt(name), &mut found);
        }
        for uri in catalog.resources.iter().flatten() {
            self.look_at("resource", uri, &Operation::resource(uri), &mut found);
        }
        for template in catalog.templates.iter().flatten() {
            let operation = Operation::resource_template(template);
            self.look_at("resource template", template, &operation, &mut found);
        }
        found
    }

    fn look_at(
        &self,
        kind: &'static str,
        name: &str,
        operation: &Operation<'_>,
        found: &mut Vec<LintFinding>,
    ) {
        let name = name.to_owned();
        match operation.unclear() {
            Some(problem) => found.push(LintFinding::NeverUsable {
                kind,
                name,
                problem,
            }),
            None if self.covers(operation) => {}
            None => found.push(LintFinding::Uncovered { kind, name }),
        }
    }

    /// Whether the rule matches anything of the catalogue; `None` if that does not tell.
    fn matches_any(&self, rule: &BuiltRule, catalog: &Catalog) -> Option<bool> {
        let any = |names: &[String]| names.iter().any(|name| rule.speaks_of(name));
        match rule.speaks {
            Speaks::Tools => catalog.tools.as_deref().map(any),
            Speaks::Prompts => catalog.prompts.as_deref().map(any),
            Speaks::Methods => {
                let known = METHODS.iter().any(|method| rule.speaks_of(method));
                Some(known || any(&catalog.methods))
            }
            Speaks::Resources => {
                let (resources, templates) = (&catalog.resources, &catalog.templates);
                if resources.is_none() && templates.is_none() {
                    return None;
                }
                let mut resources = resources.iter().flatten();
                let mut templates = templates.iter().flatten();
                Some(
                    resources.any(|uri| rule.speaks_of(uri::name_of(uri)))
                        || templates.any(|template| rule.may_speak_of(template)),
                )
            }
            Speaks::Annotated(what) => {
                let speaks =
                    |name: &String| self.rules.is_annotated(name, what) && !rule.excepts(name);
                catalog.tools.as_ref().map(|names| names.iter().any(speaks))
            }
            Speaks::Other => None,
        }
    }
}
