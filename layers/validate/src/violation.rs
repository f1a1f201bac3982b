use std::{borrow::Cow, fmt};

use bartizan_core::printable;

/// What is wrong with one value, without the value: where it is, and what would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pointer: String,
    rule: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl Violation {
    pub(crate) fn new(
        pointer: String,
        rule: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            pointer,
            rule: rule.into(),
            problem: problem.into(),
        }
    }

    /// The same of a value elsewhere.
    pub(crate) fn at(self, pointer: String) -> Self {
        Self { pointer, ..self }
    }

    /// Where the value is, as JSON Pointer (RFC 6901); empty for the arguments themselves. Names in it are the
    /// caller's.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Which rule it breaks: a path into the schema, or the name of a limit. It has nothing of the caller's.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What would do, for the caller.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = printable(&self.problem, 400);
        match self.pointer.is_empty() {
            true => write!(f, "the arguments: {problem}"),
            false => write!(f, "`{}`: {problem}", printable(&self.pointer, 200)),
        }
    }
}

/// Puts a step before a pointer.
pub(crate) fn prepend(pointer: &mut String, step: &str) {
    let step = step.replace('~', "~0").replace('/', "~1");
    *pointer = format!("/{step}{pointer}");
}
