use serde::{Deserialize, Serialize};

use super::texts;
use crate::{Annotation, ConditionConfig, RbacConfigError, Rule};

/// One [`Rule`] of a [`RbacConfig`](crate::RbacConfig): exactly one of the first eight fields says what it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RuleConfig {
    /// See [`Rule::tool`].
    pub tool: Option<String>,
    /// See [`Rule::resource`].
    pub resource: Option<String>,
    /// See [`Rule::prompt`].
    pub prompt: Option<String>,
    /// See [`Rule::method`].
    pub method: Option<String>,
    /// See [`Rule::annotated`].
    pub annotated: Option<Annotation>,
    /// See [`Rule::stream`].
    pub stream: bool,
    /// See [`Rule::end_session`].
    pub end_session: bool,
    /// See [`Rule::response`].
    pub response: bool,
    /// See [`Rule::except`].
    pub except: Vec<String>,
    /// See [`Rule::named`].
    pub named: Option<String>,
    /// See [`Rule::any_role`].
    pub any_role: Option<Vec<String>>,
    /// See [`Rule::capability`].
    pub capabilities: Vec<String>,
    /// See [`Rule::scope`].
    pub scopes: Vec<String>,
    /// See [`Rule::requires`].
    pub requires: Vec<ConditionConfig>,
    /// See [`Rule::identified`].
    pub identified: bool,
    /// See [`Rule::anyone`].
    pub anyone: bool,
    /// See [`Rule::deny`].
    pub deny: bool,
    /// See [`Rule::approval`].
    pub approval: bool,
    /// See [`Rule::approver_role`]; needs `approval`.
    pub approver_role: Option<String>,
    /// See [`Rule::approver_capability`]; needs `approval`.
    pub approver_capability: Option<String>,
    /// See [`Rule::hidden`].
    pub hidden: bool,
}

impl RuleConfig {
    pub(super) fn rule(&self) -> Result<Rule, RbacConfigError> {
        let mut rule = self.target()?;
        for pattern in &self.except {
            rule = rule.except(pattern);
        }
        if let Some(name) = &self.named {
            rule = rule.named(name);
        }
        if let Some(roles) = &self.any_role {
            rule = rule.any_role(texts(roles));
        }
        for capability in &self.capabilities {
            rule = rule.capability(capability);
        }
        for scope in &self.scopes {
            rule = rule.scope(scope);
        }
        for condition in &self.requires {
            let condition = condition.condition();
            let condition = condition.map_err(|error| error.in_rule(&rule.name()))?;
            rule = rule.requires(condition);
        }
        if self.identified {
            rule = rule.identified();
        }
        if self.anyone {
            rule = rule.anyone();
        }
        if self.deny {
            rule = rule.deny();
        }
        if self.approval {
            rule = rule.approval();
        }
        let (role, capability) = (&self.approver_role, &self.approver_capability);
        if let Some(name) = role
            .as_ref()
            .or(capability.as_ref())
            .filter(|_| !self.approval)
        {
            let problem = format!(
                "approves nothing, without `approval`, in rule `{}`",
                rule.name()
            );
            return Err(RbacConfigError::new("approver", name, problem));
        }
        if let Some(role) = role {
            rule = rule.approver_role(role);
        }
        if let Some(capability) = capability {
            rule = rule.approver_capability(capability);
        }
        if self.hidden {
            rule = rule.hidden();
        }
        Ok(rule)
    }

    fn target(&self) -> Result<Rule, RbacConfigError> {
        let named = [
            self.tool.as_deref().map(Rule::tool),
            self.resource.as_deref().map(Rule::resource),
            self.prompt.as_deref().map(Rule::prompt),
            self.method.as_deref().map(Rule::method),
            self.annotated.map(Rule::annotated),
            self.stream.then(Rule::stream),
            self.end_session.then(Rule::end_session),
            self.response.then(Rule::response),
        ];
        let mut targets = named.into_iter().flatten();
        match (targets.next(), targets.next()) {
            (Some(rule), None) => Ok(rule),
            (Some(rule), Some(_)) => {
                let problem = "speaks of two things: make it two rules";
                Err(RbacConfigError::new("rule", &rule.name(), problem))
            }
            (None, _) => {
                let name = self.named.as_deref().unwrap_or_default();
                let problem = "speaks of nothing: say a tool, resource, prompt or method";
                Err(RbacConfigError::new("rule", name, problem))
            }
        }
    }
}
