//! Schemas of arguments: what is taken for one, and what it says of a document.

mod error;
mod told;

use std::fmt;

use jsonschema::{Draft, PatternOptions, Validator};

pub use error::SchemaError;

use crate::{
    ArgumentLimits, Violation,
    answer::TOLD,
    document::{Arguments, Document, Refused},
};

/// A JSON Schema (2020-12 unless it says otherwise, IV-3), compiled.
///
/// ```
/// use bartizan_validate::{ArgumentLimits, Schema};
/// let schema = Schema::compile(r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}"#)?;
/// let limits = ArgumentLimits::new();
/// assert!(schema.check(r#"{"id":7}"#, &limits).is_ok());
/// let violations = schema.check(r#"{"id":"s3cret"}"#, &limits).unwrap_err();
/// assert_eq!(violations[0].to_string(), "`/id`: it must be of type integer");
/// # Ok::<(), bartizan_validate::SchemaError>(())
/// ```
pub struct Schema {
    validator: Validator<Arguments>,
}

/// Largest program of one pattern, in bytes as the engine counts them.
const PATTERN_BYTES: usize = 64 << 10;

/// Largest cache of one pattern's automaton, in bytes.
const AUTOMATON_BYTES: usize = 256 << 10;

/// What a schema is read within: more than arguments, and no matter which characters.
const SCHEMA_LIMITS: ArgumentLimits = ArgumentLimits {
    depth: 64,
    members: 4096,
    values: 50_000,
    name_bytes: 1024,
    characters: crate::Characters::any(),
    ..ArgumentLimits::new()
};

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// If it is no JSON, no schema, of a dialect that is not known, or refers to anything outside of itself,
    /// which is never fetched (IV-4).
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        let document = Document::read(text, &SCHEMA_LIMITS).map_err(SchemaError::unread)?;
        let value = jsonschema::json::Node::to_value(&document.root()).into_owned();
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(AUTOMATON_BYTES);
        let validator = jsonschema::options_for::<Arguments>()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns)
            .offline()
            .build(&value)
            .map_err(|error| SchemaError::uncompiled(&error))?;
        Ok(Self { validator })
    }

    /// Whether JSON text is what the schema and the limits permit.
    ///
    /// # Errors
    ///
    /// What is wrong with it: the first few things. Text that is no JSON is one.
    pub fn check(&self, text: &str, limits: &ArgumentLimits) -> Result<(), Vec<Violation>> {
        let document = Document::read(text, limits).map_err(|refused| {
            vec![match refused {
                Refused::Broken => Violation::new(String::new(), "json", "it must be JSON"),
                Refused::Limit(violation) => *violation,
            }]
        })?;
        self.judge(&document)
    }

    pub(crate) fn judge(&self, document: &Document<'_>) -> Result<(), Vec<Violation>> {
        if self.validator.is_valid(document.root()) {
            return Ok(());
        }
        let errors = self.validator.iter_errors(document.root());
        Err(errors
            .take(TOLD + 1)
            .map(|error| told::violation(&error))
            .collect())
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}
