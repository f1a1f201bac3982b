use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use crate::Violation;

/// Most bytes of a schema's own values that are shown.
const SHOWN: usize = 120;

/// What is wrong, in words that have nothing of the value in them.
pub(super) fn violation(error: &ValidationError<'_>) -> Violation {
    let pointer = error.instance_path().as_str().to_owned();
    let rule = error.schema_path().as_str();
    let rule = if rule.is_empty() { "schema" } else { rule };
    Violation::new(pointer, rule.to_owned(), problem(error.kind()))
}

fn problem(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind } => format!("it must be of type {}", types(kind)),
        Kind::Required { property } => match property.as_str() {
            Some(name) => format!("the member `{}` is missing", cut(name)),
            None => "a member is missing".to_owned(),
        },
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            match unexpected.first() {
                Some(name) => format!("there must be no member `{}`", cut(name)),
                None => "there are members too many".to_owned(),
            }
        }
        Kind::AdditionalItems { limit } => format!("no more than {limit} elements"),
        Kind::UnevaluatedItems { .. } => "there are elements too many".to_owned(),
        Kind::Maximum { limit } => format!("it must be at most {limit}"),
        Kind::Minimum { limit } => format!("it must be at least {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("it must be less than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("it must be more than {limit}"),
        Kind::MaxLength { limit } => format!("no more than {limit} characters"),
        Kind::MinLength { limit } => format!("no fewer than {limit} characters"),
        Kind::MaxItems { limit } => format!("no more than {limit} elements"),
        Kind::MinItems { limit } => format!("no fewer than {limit} elements"),
        Kind::MaxProperties { limit } => format!("no more than {limit} members"),
        Kind::MinProperties { limit } => format!("no fewer than {limit} members"),
        Kind::MultipleOf { multiple_of } => format!("it must be a multiple of {multiple_of}"),
        Kind::Pattern { pattern } => format!("it must match the pattern `{}`", cut(pattern)),
        Kind::Enum { options } => format!("it must be one of {}", json(options)),
        Kind::Constant { expected_value } => format!("it must be {}", json(expected_value)),
        Kind::Format { format } => format!("it must have the format {}", cut(format)),
        Kind::UniqueItems => "its elements must differ from each other".to_owned(),
        Kind::Contains => "an element is missing that it must contain".to_owned(),
        Kind::FalseSchema => "it must not be there".to_owned(),
        Kind::Not { .. } => "it is what it must not be".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            "it is none of what it may be".to_owned()
        }
        Kind::OneOfMultipleValid { .. } => "it is more than one of what it may be".to_owned(),
        Kind::PropertyNames { error } => match error.kind() {
            Kind::PropertyNames { .. } => "a name of a member is not permitted".to_owned(),
            kind => format!("a name of a member is not permitted: {}", problem(kind)),
        },
        other => format!("it breaks the rule `{}`", cut(other.keyword())),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(kinds) => {
            let kinds = kinds.iter().map(|kind| kind.to_string());
            kinds.collect::<Vec<_>>().join(" or ")
        }
    }
}

fn json(value: &Value) -> String {
    let text = match value {
        Value::Array(options) => {
            let options = options.iter().map(Value::to_string);
            options.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    };
    cut(&text).to_owned()
}

/// The beginning of a text.
fn cut(text: &str) -> &str {
    let mut ends = (0..=SHOWN.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
