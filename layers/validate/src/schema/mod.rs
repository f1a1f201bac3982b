//! Schemas of arguments: what is taken for one, and what it says of a document.

mod cost;
mod error;
mod graph;
mod told;

use std::fmt;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

pub use error::SchemaError;

use self::{cost::Cost, graph::Graph};
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
    cost: Cost,
}

/// Most steps of judging one document; a part of a schema that is applied to a value is one.
const STEPS: u64 = 4 << 20;

/// Up to so many steps all that is wrong is looked for, and beyond, the first thing.
const STEPS_FOR_ALL: u64 = 1 << 16;

/// Up to so many steps it is told at all where a schema has alternatives: what is wrong with each is gathered, and holds memory.
const STEPS_FOR_ALTERNATIVES: u64 = 1 << 15;

/// Largest program of one pattern, in bytes as the engine counts them.
const PATTERN_BYTES: usize = 64 << 10;

/// Largest cache of one pattern's automaton, in bytes.
const AUTOMATON_BYTES: usize = 256 << 10;

/// What a schema is read within: more than arguments, and no matter which characters.
const SCHEMA_LIMITS: ArgumentLimits = ArgumentLimits {
    depth: 64,
    members: 4096,
    elements: 50_000,
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
        if document.repeats_a_member() {
            return Err(SchemaError::new("it has a member twice"));
        }
        let value = jsonschema::json::Node::to_value(&document.root());
        Self::compile_value(&value)
    }

    /// The same of a value that was read.
    pub(crate) fn compile_value(value: &Value) -> Result<Self, SchemaError> {
        let draft = dialect(value)?;
        let cost = Cost::of(&Graph::of(value)?)?;
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(AUTOMATON_BYTES);
        let validator = jsonschema::options_for::<Arguments>()
            .with_draft(draft)
            .with_pattern_options(patterns)
            .offline()
            .build(value)
            .map_err(|error| SchemaError::uncompiled(&error))?;
        Ok(Self { validator, cost })
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
        let (values, bytes, depth) = document.measures();
        let steps = self.cost.steps(values, bytes, depth);
        if steps > STEPS || !self.cost.is_flat(depth) {
            let problem = "they are too many or too deep to be judged by the tool's schema";
            return Err(vec![Violation::new(String::new(), "work", problem)]);
        }
        let root = document.root();
        if self.validator.is_valid(root) {
            return Ok(());
        }
        if steps > STEPS_FOR_ALTERNATIVES && self.cost.has_alternatives() {
            let problem = "they are not what the tool's schema permits, and too many to tell where";
            return Err(vec![Violation::new(String::new(), "schema", problem)]);
        }
        if steps > STEPS_FOR_ALL {
            let first = self.validator.validate(root).err();
            return Err(first.iter().map(told::violation).collect());
        }
        let errors = self.validator.iter_errors(root);
        Err(errors
            .take(TOLD + 1)
            .map(|error| told::violation(&error))
            .collect())
    }
}

/// The dialect that a schema is written in; of several years, since generators lag behind.
fn dialect(schema: &Value) -> Result<Draft, SchemaError> {
    let named = match schema.get("$schema") {
        None => return Ok(Draft::Draft202012),
        Some(named) => named.as_str().unwrap_or_default(),
    };
    match named.strip_suffix('#').unwrap_or(named) {
        "https://json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
        "https://json-schema.org/draft/2019-09/schema" => Ok(Draft::Draft201909),
        "http://json-schema.org/draft-07/schema" => Ok(Draft::Draft7),
        _ => Err(SchemaError::new(format!(
            "the dialect `{named}` is not known"
        ))),
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}
