use serde::{Deserialize, Serialize};

use super::texts;
use crate::{HoneyTool, RbacConfigError, UnknownAnswer};

/// Who is told by what an answer was decided, in a [`RbacConfig`](crate::RbacConfig); see [`RbacLayer::decision_header`](crate::RbacLayer::decision_header).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionHeaderConfig {
    /// The header, which begins with `x-`.
    pub name: String,
    /// Whoever has this role is told.
    pub role: String,
}

/// An [`UnknownAnswer`], in a [`RbacConfig`](crate::RbacConfig); what is not said is as by default.
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

/// What is shown of lists, in a [`RbacConfig`](crate::RbacConfig).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ListConfig {
    /// Whether lists are filtered; see [`RbacLayer::without_list_filtering`](crate::RbacLayer::without_list_filtering).
    pub filter: bool,
    /// See [`RbacLayer::hide_without_scopes`](crate::RbacLayer::hide_without_scopes).
    pub hide_without_scopes: bool,
    /// See [`RbacLayer::list_bytes`](crate::RbacLayer::list_bytes).
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

/// One role of a [`RbacConfig`](crate::RbacConfig).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RoleConfig {
    /// The roles that it includes.
    pub includes: Vec<String>,
    /// The capabilities that it grants.
    pub grants: Vec<String>,
}

/// One [`HoneyTool`] of a [`RbacConfig`](crate::RbacConfig).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HoneyToolConfig {
    /// See [`HoneyTool::new`].
    pub name: String,
    /// See [`HoneyTool::shown_to`].
    #[serde(default)]
    pub shown_to: Vec<String>,
    /// See [`HoneyTool::definition`]: JSON, as text.
    #[serde(default)]
    pub definition: Option<String>,
}

impl HoneyToolConfig {
    pub(super) fn tool(&self) -> HoneyTool {
        let tool = HoneyTool::new(&self.name).shown_to(texts(&self.shown_to));
        match &self.definition {
            Some(json) => tool.definition(json),
            None => tool,
        }
    }
}
