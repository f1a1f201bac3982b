use std::{collections::BTreeMap, sync::Arc};

use bartizan_core::{Events, call::CallConfig};
use serde::{Deserialize, Serialize};

use crate::unique::unique;
use crate::{
    Annotation, Catalog, ConditionConfig, Policy, PolicyBuilder, PolicyHandle, Preset,
    RbacConfigError, RbacLayer, Rule, ToolAnnotations, UnknownAnswer, engine::Engine,
    handle::Policies,
};

/// A policy as a file holds it; unknown fields are refused.
///
/// ```
/// use bartizan_rbac::{RbacConfig, RbacLayer};
/// let config: RbacConfig = serde_json::from_str(
///     r#"{
///         "preset": "enterprise",
///         "roles": { "auditor": { "includes": ["viewer"], "grants": ["logs:read"] } },
///         "rules": [
///             { "tool": "read_*", "any_role": ["viewer"] },
///             { "tool": "read_log", "capabilities": ["logs:read"] }
///         ]
///     }"#,
/// )?;
/// let layer = RbacLayer::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RbacConfig {
    /// See [`PolicyBuilder::version`].
    pub version: Option<String>,
    /// See [`PolicyBuilder::preset`].
    pub preset: Option<Preset>,
    /// See [`PolicyBuilder::role`] and [`PolicyBuilder::grant`].
    #[serde(deserialize_with = "unique")]
    pub roles: BTreeMap<String, RoleConfig>,
    /// See [`PolicyBuilder::grant`]: more for roles that are declared, by a preset too.
    #[serde(deserialize_with = "unique")]
    pub grants: BTreeMap<String, Vec<String>>,
    /// See [`PolicyBuilder::capability`].
    pub capabilities: Vec<String>,
    /// See [`PolicyBuilder::scope_includes`].
    #[serde(deserialize_with = "unique")]
    pub scope_includes: BTreeMap<String, Vec<String>>,
    /// See [`PolicyBuilder::annotated_tools`]: tools by their names.
    #[serde(deserialize_with = "unique")]
    pub annotated_tools: BTreeMap<String, ToolAnnotations>,
    /// See [`PolicyBuilder::rule`].
    pub rules: Vec<RuleConfig>,
    /// See [`PolicyBuilder::without_baseline`].
    pub without_baseline: bool,
    /// See [`RbacLayer::call_limits`].
    pub call_limits: CallConfig,
    /// What is shown of lists.
    pub lists: ListConfig,
    /// See [`RbacLayer::unknown_as`].
    pub unknown: UnknownConfig,
    /// A second policy, which is asked and not obeyed; see [`RbacLayer::shadow`]. What only a layer has it may
    /// not say, and it must say something.
    pub shadow: Option<Box<Self>>,
    /// See [`RbacLayer::decision_header`].
    pub decision_header: Option<DecisionHeaderConfig>,
}

/// Who is told by what an answer was decided, in a [`RbacConfig`]; see [`RbacLayer::decision_header`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionHeaderConfig {
    /// The header, which begins with `x-`.
    pub name: String,
    /// Whoever has this role is told.
    pub role: String,
}

/// An [`UnknownAnswer`], in a [`RbacConfig`]; what is not said is as by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct UnknownConfig {
    /// Whether it is [an event stream](UnknownAnswer::events).
    pub events: bool,
    /// See [`UnknownAnswer::tool`].
    pub tool: Option<String>,
    /// See [`UnknownAnswer::prompt`].
    pub prompt: Option<String>,
    /// See [`UnknownAnswer::resource`].
    pub resource: Option<String>,
    /// The `data` of [`UnknownAnswer::resource`]. Needs `resource`.
    pub resource_data: Option<String>,
}

impl TryFrom<&UnknownConfig> for UnknownAnswer {
    type Error = RbacConfigError;

    fn try_from(config: &UnknownConfig) -> Result<Self, RbacConfigError> {
        let mut answer = match config.events {
            true => Self::events(),
            false => Self::json(),
        };
        if let Some(text) = &config.tool {
            answer = answer.tool(text)?;
        }
        if let Some(text) = &config.prompt {
            answer = answer.prompt(text)?;
        }
        match (&config.resource, config.resource_data.as_deref()) {
            (Some(text), data) => answer.resource(text, data),
            (None, None) => Ok(answer),
            (None, Some(data)) => {
                let problem = "needs `resource` beside it";
                Err(RbacConfigError::new("resource_data", data, problem))
            }
        }
    }
}

/// What is shown of lists, in a [`RbacConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ListConfig {
    /// Whether lists are filtered; see [`RbacLayer::without_list_filtering`].
    pub filter: bool,
    /// See [`RbacLayer::hide_without_scopes`].
    pub hide_without_scopes: bool,
    /// See [`RbacLayer::list_bytes`].
    pub most_bytes: usize,
}

impl Default for ListConfig {
    fn default() -> Self {
        Self {
            filter: true,
            hide_without_scopes: false,
            most_bytes: 4 << 20,
        }
    }
}

/// One role of a [`RbacConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RoleConfig {
    /// The roles that it includes.
    pub includes: Vec<String>,
    /// The capabilities that it grants.
    pub grants: Vec<String>,
}

/// One [`Rule`] of a [`RbacConfig`]: exactly one of the first eight fields says what it speaks of.
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

impl TryFrom<RbacConfig> for Policy {
    type Error = RbacConfigError;

    /// Builds the policy alone. `call_limits`, `lists`, `unknown`, `shadow` and `decision_header` are a layer's: a
    /// configuration that sets one is an error here, and no error for [`RbacLayer::from_config`].
    fn try_from(config: RbacConfig) -> Result<Self, RbacConfigError> {
        config.check_is_plain()?;
        config.policy()?.build()
    }
}

/// The policy and the one in its shadow, and an engine, which no file says.
pub(crate) fn policies_of(
    config: &RbacConfig,
    engine: Option<&Engine>,
) -> Result<Policies, RbacConfigError> {
    let build = |config: &RbacConfig| {
        let mut policy = config.policy()?;
        policy.engines.extend(engine.cloned());
        policy.build().map(Arc::new)
    };
    let policy = build(config)?;
    let shadow = config.shadow.as_ref().map(|shadow| {
        if shadow.says_nothing() {
            let problem = "says nothing: no preset, no roles and no rules";
            return Err(RbacConfigError::new("setting", "shadow", problem));
        }
        let built = shadow.check_is_plain().and_then(|()| build(shadow));
        built.map_err(RbacConfigError::in_shadow)
    });
    Ok((policy, shadow.transpose()?))
}

impl TryFrom<RbacConfig> for RbacLayer {
    type Error = RbacConfigError;

    /// Builds the policy and the layer. Its events go to `tracing` only.
    fn try_from(config: RbacConfig) -> Result<Self, RbacConfigError> {
        Self::from_config(config, Events::default())
    }
}

impl RbacLayer {
    /// Builds the policy and the layer. What is [swapped or read again](Self::handle) is reported to
    /// `events`.
    ///
    /// # Errors
    ///
    /// Names the offending value: whatever [`PolicyBuilder::build`] refuses, or a setting out of its range.
    pub fn from_config(config: RbacConfig, events: Events) -> Result<Self, RbacConfigError> {
        let limits = config.call_limits.try_into();
        let limits = limits.map_err(|error: bartizan_core::call::CallLimitsError| {
            RbacConfigError::new("setting", "call_limits", error.to_string())
        })?;
        let policy = PolicyHandle::of_config(&config, events)?;
        if !config.lists.filter
            && let Some(rule) = config.rules.iter().position(|rule| rule.hidden)
        {
            let problem = "shows in lists what a rule hides";
            let error = RbacConfigError::new("setting", "lists.filter", problem);
            return Err(error.at_rule(rule));
        }
        let (lists, told) = (config.lists, config.decision_header);
        let mut layer = Self::with_handle(policy)
            .call_limits(limits)
            .unknown_as((&config.unknown).try_into()?)
            .list_bytes(lists.most_bytes)?;
        if let Some(told) = told {
            layer = layer.decision_header(&told.name, &told.role)?;
        }
        if lists.hide_without_scopes {
            layer = layer.hide_without_scopes();
        }
        match (lists.filter, lists.hide_without_scopes) {
            (true, _) => Ok(layer),
            (false, false) => Ok(layer.without_list_filtering()),
            (false, true) => Err(RbacConfigError::new(
                "setting",
                "hide_without_scopes",
                "hides nothing where lists are not filtered",
            )),
        }
    }
}

impl RbacConfig {
    /// Starts the policy that it says, whatever it says of the layer and its shadow, so that more can be added to it: a
    /// [`PolicyEngine`](crate::PolicyEngine) that no file can name.
    ///
    /// ```
    /// use bartizan_core::Events;
    /// use bartizan_rbac::{Answer, EngineError, PolicyEngine, Question, RbacConfig, RbacLayer};
    /// # struct Mine;
    /// # impl PolicyEngine for Mine {
    /// #     fn decide(&self, _: &Question<'_>) -> Result<Answer, EngineError> { Ok(Answer::permit()) }
    /// #     fn version(&self) -> &str { "mine" }
    /// # }
    /// let config = RbacConfig::default();
    /// let policy = config.policy()?.engine(Mine).build()?;
    /// let layer = RbacLayer::from_config(config, Events::default())?;
    /// layer.handle().swap(policy);
    /// # Ok::<(), bartizan_rbac::RbacConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a rule speaks of nothing or of several things. All else is found by [`PolicyBuilder::build`].
    pub fn policy(&self) -> Result<PolicyBuilder, RbacConfigError> {
        builder(self)
    }

    /// As a file does while somebody writes it.
    pub(crate) fn says_nothing(&self) -> bool {
        self.preset.is_none() && self.roles.is_empty() && self.rules.is_empty()
    }

    /// # Errors
    ///
    /// If it says something of a layer.
    fn check_is_plain(&self) -> Result<(), RbacConfigError> {
        let plain = Self::default();
        for (setting, is_plain) in [
            ("call_limits", self.call_limits == plain.call_limits),
            ("lists", self.lists == plain.lists),
            ("unknown", self.unknown == plain.unknown),
            ("shadow", self.shadow.is_none()),
            ("decision_header", self.decision_header.is_none()),
        ] {
            if !is_plain {
                let problem = "is a layer's, and a policy alone has it not";
                return Err(RbacConfigError::new("setting", setting, problem));
            }
        }
        Ok(())
    }
}

fn builder(config: &RbacConfig) -> Result<PolicyBuilder, RbacConfigError> {
    let mut builder = Policy::builder();
    if let Some(version) = &config.version {
        builder = builder.version(version);
    }
    if let Some(preset) = config.preset {
        builder = builder.preset(preset);
    }
    for (name, role) in &config.roles {
        builder = builder
            .role(name, texts(&role.includes))
            .grant(name, texts(&role.grants));
    }
    for (role, capabilities) in &config.grants {
        builder = builder.grant(role, texts(capabilities));
    }
    for capability in &config.capabilities {
        builder = builder.capability(capability);
    }
    for (scope, includes) in &config.scope_includes {
        builder = builder.scope_includes(scope, texts(includes));
    }
    if !config.annotated_tools.is_empty() {
        let tools = config.annotated_tools.iter();
        let catalog = tools.fold(Catalog::default(), |catalog, (name, annotations)| {
            catalog.annotated_tool(name, *annotations)
        });
        builder = builder.annotated_tools(catalog);
    }
    for (place, rule) in config.rules.iter().enumerate() {
        let rule = rule.rule().map_err(|error| error.at_rule(place))?;
        builder = builder.rule(rule);
    }
    if config.without_baseline {
        builder = builder.without_baseline();
    }
    Ok(builder)
}

fn texts(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(String::as_str)
}

impl RuleConfig {
    fn rule(&self) -> Result<Rule, RbacConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Condition;

    fn read(json: &str) -> Result<RbacConfig, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn every_setting_reaches_the_policy() {
        let config = read(
            r#"{
                "version": "7",
                "preset": "enterprise",
                "roles": { "auditor": { "includes": ["viewer"], "grants": ["logs:read"] } },
                "grants": { "viewer": ["files:read"] },
                "capabilities": ["files:write"],
                "scope_includes": { "a": ["b"] },
                "annotated_tools": { "x_y": { "read_only": true } },
                "rules": [
                    { "tool": "x_*", "except": ["x_y"], "any_role": ["admin", "viewer"],
                      "capabilities": ["files:read"], "scopes": ["a", "b"], "named": "one",
                      "requires": [{ "argument": "owner", "is": "subject" }],
                      "approval": true, "approver_role": "admin",
                      "approver_capability": "logs:read" },
                    { "resource": "file:///**", "identified": true },
                    { "prompt": "p", "anyone": true, "hidden": true },
                    { "method": "tasks/*", "deny": true },
                    { "annotated": "open_world", "deny": true },
                    { "stream": true, "deny": true },
                    { "end_session": true, "deny": true },
                    { "response": true, "deny": true }
                ],
                "without_baseline": true
            }"#,
        );
        let by_hand = Policy::enterprise()
            .version("7")
            .role("auditor", ["viewer"])
            .grant("auditor", ["logs:read"])
            .grant("viewer", ["files:read"])
            .capability("files:write")
            .scope_includes("a", ["b"])
            .rule(
                Rule::tool("x_*")
                    .except("x_y")
                    .any_role(["admin", "viewer"])
                    .capability("files:read")
                    .scope("a")
                    .scope("b")
                    .requires(Condition::argument("owner").is_subject())
                    .approver_role("admin")
                    .approver_capability("logs:read")
                    .named("one"),
            )
            .rule(Rule::resource("file:///**").identified())
            .rule(Rule::prompt("p").anyone().hidden())
            .rule(Rule::method("tasks/*").deny())
            .rule(Rule::annotated(Annotation::OpenWorld).deny())
            .annotated_tools(Catalog::default().annotated_tool(
                "x_y",
                ToolAnnotations {
                    read_only: true,
                    ..ToolAnnotations::default()
                },
            ))
            .rule(Rule::stream().deny())
            .rule(Rule::end_session().deny())
            .rule(Rule::response().deny())
            .without_baseline();
        assert_eq!(builder(&config.unwrap()).unwrap(), by_hand);
        assert!(by_hand.build().is_ok());
        assert_eq!(builder(&RbacConfig::default()).unwrap(), Policy::builder());
    }

    #[test]
    fn call_limits_reach_the_layer() {
        let config = read(r#"{ "call_limits": { "body_bytes": 77 } }"#).unwrap();
        let layer = RbacLayer::try_from(config).unwrap();
        assert!(format!("{layer:?}").contains("body_bytes: 77"), "{layer:?}");
    }

    #[test]
    fn list_settings_reach_the_layer() {
        let shown = |json| format!("{:?}", RbacLayer::try_from(read(json).unwrap()).unwrap());
        let layer = shown(r#"{ "lists": { "hide_without_scopes": true, "most_bytes": 77 } }"#);
        assert!(
            layer.contains("hide_without_scopes: true, most_bytes: 77"),
            "{layer}"
        );
        let layer = shown(r#"{ "lists": { "filter": false } }"#);
        assert!(layer.contains("lists: None"), "{layer}");
    }

    #[test]
    fn the_answer_to_unknown_names_reaches_the_layer() {
        let json = r#"{ "unknown": { "events": true, "tool": "no {name}", "prompt": "p",
                                     "resource": "r", "resource_data": "[]" } }"#;
        let layer = format!("{:?}", RbacLayer::try_from(read(json).unwrap()).unwrap());
        let answer = UnknownAnswer::events().tool("no {name}").unwrap();
        let answer = answer
            .prompt("p")
            .unwrap()
            .resource("r", Some("[]"))
            .unwrap();
        assert!(layer.contains(&format!("{answer:?}")), "{layer}");
    }

    #[test]
    fn a_contradiction_or_an_unknown_field_names_itself() {
        for (json, named) in [
            (r#"{ "rule": [] }"#, "rule"),
            (r#"{ "roles": { "a": {}, "a": {} } }"#, "`a` is there twice"),
            (r#"{ "preset": "enterprize" }"#, "enterprize"),
            (r#"{ "rules": [{ "tools": "x" }] }"#, "tools"),
            (r#"{ "roles": { "a": { "include": [] } } }"#, "include"),
            (
                r#"{ "rules": [{ "identified": true, "named": "n" }] }"#,
                "`n`",
            ),
            (
                r#"{ "rules": [{ "tool": "t", "stream": true, "deny": true }] }"#,
                "tool:t",
            ),
            (r#"{ "rules": [{ "tool": "t" }] }"#, "tool:t"),
            (
                r#"{ "rules": [{ "tool": "t", "scopes": ["s"], "any_role": [] }] }"#,
                "one of no roles",
            ),
            (
                r#"{ "rules": [{ "tool": "t", "identified": true, "approver_role": "a" }] }"#,
                "`a` approves nothing",
            ),
            (r#"{ "call_limits": { "depth": 1 } }"#, "depth"),
            (r#"{ "lists": { "most_bytes": 0 } }"#, "`0`"),
            (r#"{ "lists": { "filters": true } }"#, "filters"),
            (r#"{ "unknown": { "tools": "x" } }"#, "tools"),
            (
                r#"{ "rules": [{ "tool": "t", "deny": true, "hidden": true }], "lists": { "filter": false } }"#,
                "lists.filter",
            ),
            (
                r#"{ "unknown": { "tool": "{name}{name}{name}" } }"#,
                "twice",
            ),
            (r#"{ "unknown": { "resource_data": "1" } }"#, "beside it"),
            (
                r#"{ "rules": [{ "stream": true, "deny": true, "hidden": true }] }"#,
                "hides what is no tool",
            ),
            (
                r#"{ "lists": { "filter": false, "hide_without_scopes": true } }"#,
                "hide_without_scopes",
            ),
        ] {
            let layer = read(json)
                .and_then(|config| RbacLayer::try_from(config).map_err(|e| e.to_string()));
            let error = layer.unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
