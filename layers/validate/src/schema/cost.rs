//! What judging costs at most (IV-5).

use super::{
    SchemaError,
    graph::{Graph, Part},
};

/// What a schema costs, by how deep the values lie that it judges.
///
/// It is a bound that holds for every document: alternatives are all counted, and what is found once more by
/// another way is counted once more.
#[derive(Debug)]
pub(super) struct Cost {
    /// Most steps for one value that lies no deeper than this.
    steps: Vec<u64>,
    /// Most steps for each byte of it.
    steps_per_byte: Vec<u64>,
    /// Most parts that are within each other.
    heights: Vec<u64>,
    has_alternatives: bool,
}

/// Deepest document that is counted for.
const DEEPEST: usize = 128;

/// Most parts that may be within each other, as calls of the library are: a thread's stack is not endless.
pub(super) const HIGHEST: u64 = 256;

impl Cost {
    pub(super) fn of(graph: &Graph) -> Result<Self, SchemaError> {
        let order = order(graph)?;
        let heights = by_height(graph, &order);
        if heights.first().is_some_and(|height| *height > HIGHEST) {
            return Err(SchemaError::new("too many parts refer to each other"));
        }
        Ok(Self {
            steps: by_depth(graph, &order, |part| part.steps),
            steps_per_byte: by_depth(graph, &order, |part| part.steps_per_byte),
            heights,
            has_alternatives: graph.has_alternatives,
        })
    }

    /// Most steps for a document of so many values, so long and so deep.
    pub(super) fn steps(&self, values: usize, bytes: usize, depth: usize) -> u64 {
        let at = |costs: &[u64]| costs.get(depth).copied().unwrap_or(u64::MAX);
        let of_values = at(&self.steps).saturating_mul(values as u64);
        let of_bytes = at(&self.steps_per_byte).saturating_mul(bytes as u64);
        of_values.saturating_add(of_bytes)
    }

    /// Whether what is wrong may be as much as there are steps.
    pub(super) fn has_alternatives(&self) -> bool {
        self.has_alternatives
    }

    /// Whether calls nest no deeper than a stack holds, for a document so deep.
    pub(super) fn is_flat(&self, depth: usize) -> bool {
        self.heights
            .get(depth)
            .is_some_and(|height| *height <= HIGHEST)
    }
}

/// The parts, each behind those that it applies to the same value.
fn order(graph: &Graph) -> Result<Vec<usize>, SchemaError> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; graph.parts.len()];
    let mut order = Vec::with_capacity(graph.parts.len());
    for start in 0..graph.parts.len() {
        let mut path = vec![(start, 0)];
        while let Some((place, next)) = path.pop() {
            let Some((part, state)) = graph.parts.get(place).zip(states.get_mut(place)) else {
                continue;
            };
            if next == 0 {
                match *state {
                    State::Done => continue,
                    State::Open => {
                        let problem = "a part of it refers to itself without going deeper";
                        return Err(SchemaError::new(problem));
                    }
                    State::New => *state = State::Open,
                }
            }
            match part.here.get(next) {
                Some((inner, _)) => {
                    path.push((place, next + 1));
                    path.push((*inner, 0));
                }
                None => {
                    *state = State::Done;
                    order.push(place);
                }
            }
        }
    }
    Ok(order)
}

/// For each depth, the most that a value costs which lies no deeper, where each part that is applied to it costs
/// this.
fn by_depth(graph: &Graph, order: &[usize], own: fn(&Part) -> u64) -> Vec<u64> {
    let mut most = Vec::with_capacity(DEEPEST + 1);
    let mut before = vec![0_u64; graph.parts.len()];
    for depth in 0..=DEEPEST {
        let mut now = vec![0_u64; graph.parts.len()];
        for place in order {
            let Some(part) = graph.parts.get(*place) else {
                continue;
            };
            let first = match depth {
                0 => own(part),
                _ => below(part, &before),
            };
            let here = part.here.iter().map(|(place, often)| {
                let cost = now.get(*place).copied().unwrap_or(0);
                cost.saturating_mul(*often)
            });
            let cost = here.fold(first, u64::saturating_add);
            if let Some(slot) = now.get_mut(*place) {
                *slot = cost;
            }
        }
        let last = most.last().copied().unwrap_or(0);
        most.push(now.first().copied().unwrap_or(0).max(last));
        before = now;
    }
    most
}

/// What is applied to one value a level further in: a member or an element.
fn below(part: &Part, before: &[u64]) -> u64 {
    let of = |place: &usize| before.get(*place).copied().unwrap_or(0);
    let most = |places: &[usize]| places.iter().map(of).max().unwrap_or(0);
    let all = |places: &[usize]| places.iter().map(of).fold(0, u64::saturating_add);
    let members = most(&part.member).saturating_add(all(&part.members));
    let elements = most(&part.element).saturating_add(all(&part.elements));
    members.max(elements)
}

/// For each depth, how many parts are within each other at most.
fn by_height(graph: &Graph, order: &[usize]) -> Vec<u64> {
    let mut heights = Vec::with_capacity(DEEPEST + 1);
    let mut before = vec![0_u64; graph.parts.len()];
    for _ in 0..=DEEPEST {
        let mut now = vec![0_u64; graph.parts.len()];
        for place in order {
            let Some(part) = graph.parts.get(*place) else {
                continue;
            };
            let here = part.here.iter().filter_map(|(t, _)| now.get(*t));
            let lists = [&part.member, &part.members, &part.element, &part.elements];
            let below = lists.into_iter().flatten().filter_map(|c| before.get(*c));
            let height = 1 + here.chain(below).copied().max().unwrap_or(0);
            if let Some(slot) = now.get_mut(*place) {
                *slot = height;
            }
        }
        heights.push(now.first().copied().unwrap_or(0));
        before = now;
    }
    heights
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cost(schema: &Value) -> Cost {
        Cost::of(&Graph::of(schema).unwrap()).unwrap()
    }

    #[test]
    fn iv_5_what_is_applied_to_one_value_is_counted_and_not_what_is_applied_to_others() {
        let flat = cost(&json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}));
        assert_eq!(flat.steps(10, 0, 1), 10);
        let nested = cost(&json!({"items": {"anyOf": [true, true, {"allOf": [true, true]}]}}));
        assert_eq!(nested.steps(1, 0, 0), 1);
        assert_eq!(nested.steps(1, 0, 1), 6);
        assert_eq!(nested.steps(1, 0, 2), 6);
        let both =
            json!({"patternProperties": {"a": true, "b": true}, "additionalProperties": true});
        assert_eq!(cost(&both).steps(1, 0, 1), 3);
        assert!(
            cost(&both).steps(1, 100, 1) > 100,
            "patterns cost by the byte"
        );
    }

    #[test]
    fn iv_5_what_doubles_with_each_level_is_counted_so() {
        let twice = json!({"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
        let cost = cost(&twice);
        let at = |depth| cost.steps(1, 0, depth);
        assert!(at(10) >= 1 << 10 && at(20) >= 1 << 20 && at(100) == u64::MAX);
        let list = json!({"properties": {"next": {"$ref": "#"}}});
        assert!(
            Cost::of(&Graph::of(&list).unwrap())
                .unwrap()
                .steps(1, 0, 128)
                < 4
        );
    }

    #[test]
    fn iv_5_references_that_go_nowhere_are_refused() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}),
            json!({"$dynamicRef": "#a", "$dynamicAnchor": "a"}),
        ] {
            assert!(Cost::of(&Graph::of(&schema).unwrap()).is_err(), "{schema}");
        }
    }

    #[test]
    fn iv_4_what_is_not_in_the_schema_is_not_referred_to() {
        for reference in [
            "http://127.0.0.1:9/x",
            "other.json",
            "file:///etc/passwd",
            "#/nowhere",
            "#nowhere",
            "https://example.com/own#/nowhere",
        ] {
            let schema = json!({"$id": "https://example.com/own", "$ref": reference});
            assert!(Graph::of(&schema).is_err(), "{reference}");
        }
        for reference in [
            "#/$defs/a%20b",
            "#b",
            "https://example.com/own#/$defs/a%20b",
        ] {
            let defs = json!({"a b": {"$anchor": "b"}});
            let schema = json!({"$id": "https://example.com/own", "items": {"$ref": reference}, "$defs": defs});
            assert!(Graph::of(&schema).is_ok(), "{reference}");
        }
        let inner = json!({"items": {"$id": "x", "$ref": "#"}});
        assert!(Graph::of(&inner).is_err());
        let named = json!({"properties": {"$id": {"type": "string"}, "id": {"type": "string"}}});
        assert!(Graph::of(&named).is_ok());
    }
}
