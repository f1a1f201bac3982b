use bartizan_core::{
    Call,
    call::Subject,
    names::{Pattern, Shape},
};

use crate::AuditConfigError;

/// Tools by name or pattern.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools(Vec<Pattern>);

impl Tools {
    pub(crate) fn parse<I: IntoIterator<Item: AsRef<str>>>(
        setting: &'static str,
        tools: I,
    ) -> Result<Self, AuditConfigError> {
        let parse = |tool: I::Item| {
            let tool = tool.as_ref();
            let pattern = Pattern::parse(tool, Shape::Flat);
            pattern.map_err(|problem| AuditConfigError::new(setting, tool, problem))
        };
        let tools: Result<Vec<_>, _> = tools.into_iter().map(parse).collect();
        Ok(Self(tools?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the call is of one of them.
    pub(crate) fn have(&self, call: &Call) -> bool {
        if self.is_empty() {
            return false;
        }
        let tool = call
            .name()
            .filter(|_| call.subject() == Some(Subject::Tool));
        tool.is_some_and(|tool| self.0.iter().any(|pattern| pattern.matches(tool)))
    }
}
