mod parts;
mod rule;

use std::{collections::BTreeMap, sync::Arc};

use bartizan_core::{Events, call::CallConfig};
use serde::{Deserialize, Serialize};

pub use parts::{DecisionHeaderConfig, HoneyToolConfig, ListConfig, RoleConfig, UnknownConfig};
pub use rule::RuleConfig;

use crate::unique::unique;
use crate::{
    Catalog, Policy, PolicyBuilder, PolicyHandle, Preset, RbacConfigError, RbacLayer,
    ToolAnnotations, engine::Engine, handle::Policies,
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
    /// See [`PolicyBuilder::honey_tool`].
    pub honey_tools: Vec<HoneyToolConfig>,
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
        let mut honey = config.honey_tools.iter();
        if !config.lists.filter
            && let Some(tool) = honey.find(|tool| !tool.shown_to.is_empty())
        {
            let problem = "is shown to some, and lists are not filtered";
            return Err(RbacConfigError::new("honey tool", &tool.name, problem));
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
    for tool in &config.honey_tools {
        builder = builder.honey_tool(tool.tool());
    }
    if config.without_baseline {
        builder = builder.without_baseline();
    }
    Ok(builder)
}

fn texts(list: &[String]) -> impl Iterator<Item = &str> {
    list.iter().map(String::as_str)
}

#[cfg(test)]
mod tests;
