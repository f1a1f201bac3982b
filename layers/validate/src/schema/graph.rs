//! Which parts of a schema are applied where, so that what judging costs can be told before.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::SchemaError;

/// Most parts of a schema.
const PARTS: usize = 4096;

/// Most that its patterns may be together, in units of two KiB that their programs have.
const PATTERNS: u64 = 1024;

/// The parts of a schema, each of which is a schema; the first is the whole.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) parts: Vec<Part>,
    /// Whether something may be one of several things, so that to tell what is wrong is to tell what is wrong with each.
    pub(super) has_alternatives: bool,
    patterns: u64,
}

/// What a part applies to where. Places are of the graph's parts.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// To the same value, so often at most.
    pub(super) here: Vec<(usize, u64)>,
    /// To a member: one of these,
    pub(super) member: Vec<usize>,
    /// and all of these.
    pub(super) members: Vec<usize>,
    /// To an element: one of these,
    pub(super) element: Vec<usize>,
    /// and all of these.
    pub(super) elements: Vec<usize>,
    /// What it costs itself, in steps.
    pub(super) steps: u64,
    /// What it costs for each byte of a string, in steps.
    pub(super) steps_per_byte: u64,
}

impl Graph {
    pub(super) fn of(schema: &Value) -> Result<Self, SchemaError> {
        let mut walk = Walk {
            root: schema,
            graph: Self::default(),
            known: HashMap::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
        };
        walk.find_names(schema)?;
        walk.place(schema)?;
        while let Some((place, schema)) = walk.open.pop() {
            let part = walk.part(schema)?;
            if let Some(slot) = walk.graph.parts.get_mut(place) {
                *slot = part;
            }
        }
        Ok(walk.graph)
    }
}

struct Walk<'s> {
    root: &'s Value,
    graph: Graph,
    /// Parts by where they are in memory.
    known: HashMap<usize, usize>,
    open: Vec<(usize, &'s Value)>,
    anchors: HashMap<&'s str, Vec<&'s Value>>,
}

impl<'s> Walk<'s> {
    /// The place of a part, which is looked at later if it is new.
    fn place(&mut self, schema: &'s Value) -> Result<usize, SchemaError> {
        let key = std::ptr::from_ref(schema).addr();
        if let Some(place) = self.known.get(&key) {
            return Ok(*place);
        }
        let place = self.graph.parts.len();
        if place >= PARTS {
            return Err(SchemaError::new(format!("it has more than {PARTS} parts")));
        }
        self.graph.parts.push(Part::default());
        self.known.insert(key, place);
        self.open.push((place, schema));
        Ok(place)
    }

    fn part(&mut self, schema: &'s Value) -> Result<Part, SchemaError> {
        let mut part = Part {
            steps: 1,
            ..Part::default()
        };
        let Value::Object(members) = schema else {
            return Ok(part);
        };
        let mut looks_at_others = false;
        for (keyword, value) in members {
            part.steps += items_of(keyword, value) / 8;
            match keyword.as_str() {
                "allOf" | "anyOf" | "oneOf" => {
                    self.graph.has_alternatives |= keyword != "allOf";
                    for schema in values(value) {
                        part.here.push((self.place(schema)?, 1));
                    }
                }
                "not" | "if" | "then" | "else" => part.here.push((self.place(value)?, 1)),
                "dependentSchemas" | "dependencies" => {
                    for schema in values(value).filter(|value| !value.is_array()) {
                        part.here.push((self.place(schema)?, 1));
                    }
                }
                "$ref" | "$recursiveRef" | "$dynamicRef" => {
                    for schema in self.referred(value)? {
                        part.here.push((self.place(schema)?, 1));
                    }
                }
                "properties" => {
                    for schema in values(value) {
                        part.member.push(self.place(schema)?);
                    }
                }
                "additionalProperties" => part.member.push(self.place(value)?),
                "unevaluatedProperties" => {
                    looks_at_others = true;
                    part.member.push(self.place(value)?);
                }
                "patternProperties" => {
                    for (pattern, schema) in value.as_object().into_iter().flatten() {
                        part.steps_per_byte += self.steps_of_pattern(pattern)?;
                        part.members.push(self.place(schema)?);
                    }
                }
                "propertyNames" => part.members.push(self.place(value)?),
                "prefixItems" => {
                    for schema in values(value) {
                        part.element.push(self.place(schema)?);
                    }
                }
                "items" if value.is_array() => {
                    for schema in values(value) {
                        part.element.push(self.place(schema)?);
                    }
                }
                "items" | "additionalItems" => part.element.push(self.place(value)?),
                "contains" => part.elements.push(self.place(value)?),
                "unevaluatedItems" => {
                    looks_at_others = true;
                    part.elements.push(self.place(value)?);
                }
                "pattern" => {
                    let pattern = value.as_str().unwrap_or_default();
                    part.steps_per_byte += self.steps_of_pattern(pattern)?;
                }
                _ => {}
            }
        }
        if looks_at_others {
            // To know what others looked at, these are asked again.
            for (_, often) in &mut part.here {
                *often = 4;
            }
        }
        Ok(part)
    }

    fn steps_of_pattern(&mut self, pattern: &str) -> Result<u64, SchemaError> {
        let steps = steps_of_pattern(pattern);
        self.graph.patterns += steps;
        match self.graph.patterns > PATTERNS {
            false => Ok(steps),
            true => Err(SchemaError::new("its patterns are too large together")),
        }
    }

    /// What a reference refers to: one part, or of a dynamic one, all that it may.
    fn referred(&self, reference: &'s Value) -> Result<Vec<&'s Value>, SchemaError> {
        let reference = reference.as_str().unwrap_or_default();
        let outside = || {
            let problem = format!("`{reference}` refers to something that is not in it");
            SchemaError::new(problem)
        };
        let own = self.root.get("$id").and_then(Value::as_str);
        let own = own.map(|id| id.trim_end_matches('#'));
        let fragment = reference.strip_prefix('#').or_else(|| {
            let rest = reference.strip_prefix(own.filter(|id| !id.is_empty())?)?;
            rest.strip_prefix('#').or(rest.is_empty().then_some(""))
        });
        let fragment = fragment.ok_or_else(outside)?;
        if fragment.is_empty() {
            return Ok(vec![self.root]);
        }
        if fragment.starts_with('/') {
            let pointer = percent_decoded(fragment).ok_or_else(outside)?;
            let found = self.root.pointer(&pointer).ok_or_else(outside)?;
            return Ok(vec![found]);
        }
        self.anchors.get(fragment).cloned().ok_or_else(outside)
    }

    /// What is referred to by name, wherever it is, also in what is no schema: a reference may lead there.
    ///
    /// References would mean something else inside of what has an identity of its own, or another dialect, and be counted for what
    /// they are not; also where nothing but a reference leads into the middle of it.
    fn find_names(&mut self, value: &'s Value) -> Result<(), SchemaError> {
        if let Value::Object(members) = value {
            for keyword in ["$anchor", "$dynamicAnchor"] {
                if let Some(name) = members.get(keyword).and_then(Value::as_str) {
                    self.anchors.entry(name).or_default().push(value);
                }
            }
            let is_root = std::ptr::eq(value, self.root);
            for keyword in ["$id", "$schema"] {
                if !is_root && members.get(keyword).is_some_and(Value::is_string) {
                    let problem = format!("a part of it has an `{keyword}` of its own");
                    return Err(SchemaError::new(problem));
                }
            }
        }
        values(value).try_for_each(|value| self.find_names(value))
    }
}

fn values(value: &Value) -> impl Iterator<Item = &Value> {
    let elements = value.as_array().into_iter().flatten();
    elements.chain(value.as_object().into_iter().flat_map(Map::values))
}

/// How many things a keyword lists: names, options. What is a schema is counted where it is applied.
fn items_of(keyword: &str, value: &Value) -> u64 {
    match (keyword, value) {
        ("enum" | "required" | "type", value) => values_of(value),
        ("dependentRequired" | "dependencies", Value::Object(members)) => {
            let lists = members.values().filter(|value| value.is_array());
            members.len() as u64 + lists.map(values_of).sum::<u64>()
        }
        (_, Value::Array(values)) => values.len() as u64,
        (_, Value::Object(members)) => members.len() as u64,
        _ => 0,
    }
}

/// How many values there are in one.
fn values_of(value: &Value) -> u64 {
    1 + values(value).map(values_of).sum::<u64>()
}

/// What a pattern costs for each byte that it looks at: one for each two KiB that its program has.
fn steps_of_pattern(pattern: &str) -> u64 {
    let fits = |kib: &u64| {
        let bytes = usize::try_from(kib << 10).unwrap_or(usize::MAX);
        let mut builder = regex::RegexBuilder::new(pattern);
        builder.size_limit(bytes).build().is_ok()
    };
    let kib = [2, 4, 8, 16, 32].into_iter().find(fits);
    kib.unwrap_or(64) / 2
}

/// The text of a fragment (RFC 6901 §6).
fn percent_decoded(fragment: &str) -> Option<String> {
    let mut bytes = fragment.bytes();
    let mut decoded = Vec::with_capacity(fragment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}
