use std::{borrow::Cow, error::Error, fmt};

use bartizan_core::printable;

/// A policy that is misspelt, contradictory or incomplete; the message names the offending value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RbacConfigError {
    setting: &'static str,
    value: String,
    problem: Cow<'static, str>,
    /// The place of the rule that it is about, among the policy's.
    rule: Option<usize>,
    /// Whether it is about the policy in shadow.
    in_shadow: bool,
}

impl RbacConfigError {
    pub(crate) fn new(
        setting: &'static str,
        value: &str,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            setting,
            value: value.to_owned(),
            problem: problem.into(),
            rule: None,
            in_shadow: false,
        }
    }

    pub(crate) fn at_rule(mut self, place: usize) -> Self {
        self.rule = Some(place);
        self
    }

    #[cfg(feature = "serde")]
    pub(crate) fn in_shadow(mut self) -> Self {
        self.in_shadow = true;
        self
    }

    #[cfg(feature = "files")]
    pub(crate) fn is_in_shadow(&self) -> bool {
        self.in_shadow
    }

    #[cfg(feature = "files")]
    pub(crate) fn rule(&self) -> Option<usize> {
        self.rule
    }

    #[cfg(feature = "files")]
    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    /// Says in which rule the offending value stands.
    pub(crate) fn in_rule(mut self, rule: &str) -> Self {
        let rule = printable(rule, 120);
        self.problem = format!("{}, in rule `{rule}`", self.problem).into();
        self
    }
}

impl fmt::Display for RbacConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 260);
        let place = if self.in_shadow { ", in shadow" } else { "" };
        write!(f, "{} `{value}` {}{place}", self.setting, self.problem)
    }
}

impl Error for RbacConfigError {}
