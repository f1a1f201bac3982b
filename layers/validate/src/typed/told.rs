use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;
use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::{Violation, answer::TOLD, violation::prepend};

/// What is wrong with a text that is not read. What serde says may have the value in it.
pub(super) fn unread(error: &serde_json::Error) -> Violation {
    let text = error.to_string();
    let missing = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    let problem = match missing {
        Some(field) => format!("the member `{field}` is missing"),
        None if text.starts_with("unknown field") => "there is a member too many".to_owned(),
        None => "something in them is of another type than it must be".to_owned(),
    };
    Violation::new(String::new(), "type", problem)
}

pub(super) fn violations(errors: &ValidationErrors) -> Vec<Violation> {
    let mut found = Vec::new();
    gather(errors, &mut found);
    found
}

fn gather(errors: &ValidationErrors, found: &mut Vec<Violation>) {
    let mut kinds: Vec<_> = errors.errors().iter().collect();
    kinds.sort_by_key(|(field, _)| field.to_string());
    for (field, kind) in kinds {
        let mut inner = Vec::new();
        match kind {
            ValidationErrorsKind::Field(errors) => {
                inner.extend(errors.iter().map(|error| violation(field, error)));
            }
            ValidationErrorsKind::Struct(errors) => gather(errors, &mut inner),
            ValidationErrorsKind::List(errors) => list(errors, &mut inner),
        }
        for violation in inner {
            if found.len() > TOLD {
                return;
            }
            let mut pointer = violation.pointer().to_owned();
            // What is wrong with the whole has no place of its own.
            if field != "__all__" {
                prepend(&mut pointer, field);
            }
            found.push(violation.at(pointer));
        }
    }
}

fn list(errors: &BTreeMap<usize, Box<ValidationErrors>>, found: &mut Vec<Violation>) {
    for (place, errors) in errors {
        let mut inner = Vec::new();
        gather(errors, &mut inner);
        for violation in inner {
            let mut pointer = violation.pointer().to_owned();
            prepend(&mut pointer, &place.to_string());
            found.push(violation.at(pointer));
        }
    }
}

fn violation(field: &str, error: &ValidationError) -> Violation {
    let rule = format!("{field}: {}", error.code);
    Violation::new(String::new(), rule, problem(error))
}

/// Never the parameter `value`, which is what was sent.
fn problem(error: &ValidationError) -> Cow<'static, str> {
    if let Some(message) = &error.message {
        return message.clone();
    }
    let param = |name: &str| error.params.get(name).map(shown);
    let range = |what: &str| match (param("min"), param("max"), param("equal")) {
        (_, _, Some(equal)) => format!("it must have {equal}{what}"),
        (Some(min), Some(max), _) => format!("it must be from {min} to {max}{what}"),
        (Some(min), None, _) => format!("it must be at least {min}{what}"),
        (None, Some(max), _) => format!("it must be at most {max}{what}"),
        (None, None, _) => "it is not within its range".to_owned(),
    };
    match &*error.code {
        "length" => range(" long").into(),
        "range" => range("").into(),
        "regex" => "it must match its pattern".into(),
        "email" => "it must be an e-mail address".into(),
        "url" => "it must be a URL".into(),
        "required" => "it must be there".into(),
        code => format!("it breaks the rule `{code}`").into(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // Whole numbers come as floating point too.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
