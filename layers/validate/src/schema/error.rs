use std::{error::Error, fmt};

use bartizan_core::printable;
use jsonschema::ValidationError;

use crate::document::Refused;

/// A schema that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    problem: String,
}

impl SchemaError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
        }
    }

    pub(super) fn unread(refused: Refused) -> Self {
        match refused {
            Refused::Broken => Self::new("it is no JSON"),
            Refused::Limit(violation) => Self::new(violation.to_string()),
        }
    }

    pub(super) fn uncompiled(error: &ValidationError<'_>) -> Self {
        Self::new(format!("at `{}`: {error}", error.instance_path()))
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the schema is not taken: {}",
            printable(&self.problem, 400)
        )
    }
}

impl Error for SchemaError {}
