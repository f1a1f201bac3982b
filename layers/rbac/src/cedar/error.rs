use std::{error::Error, fmt};

use bartizan_core::printable;
use miette::Diagnostic;

/// Most characters of what Cedar says.
const MOST: usize = 600;

/// Why there is no [`CedarEngine`](crate::CedarEngine): what is wrong, in which policy and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CedarError(Box<str>);

impl CedarError {
    pub(super) fn new(what: impl fmt::Display, problem: impl fmt::Display) -> Self {
        let problem = problem.to_string();
        Self(format!("{what}: {}", printable(&problem, MOST)).into())
    }

    /// With the place in the text that Cedar points to.
    pub(super) fn at(what: &str, text: &str, problem: &dyn Diagnostic) -> Self {
        let mut labels = problem.labels().into_iter().flatten();
        let offset = labels.next().map(|label| label.offset());
        let what = match offset.and_then(|offset| text.get(..offset)) {
            Some(before) => {
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default();
                let column = column.chars().count() + 1;
                format!("{what}, line {line}, column {column}")
            }
            None => what.to_owned(),
        };
        Self::new(what, problem)
    }
}

impl fmt::Display for CedarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for CedarError {}
