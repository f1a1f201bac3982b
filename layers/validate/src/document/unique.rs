use std::{
    collections::HashSet,
    hash::{BuildHasher, Hash, Hasher},
    sync::LazyLock,
};

use foldhash::quality::RandomState;
use jsonschema::json::{JsonNumber, Node, Object};

use super::json::{Elements, Part};

/// Seeded by chance, so that nobody can choose values that collide.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Whether no two elements are equal, in one walk over them, however many and large they are.
///
/// Two that have the same hash are taken for equal: a collision refuses its sender's call, and never lets one
/// pass.
pub(super) fn are_unique(elements: Elements<'_>) -> bool {
    let mut seen = HashSet::with_capacity_and_hasher(elements.size(), RandomState::default());
    let mut elements = elements;
    elements.all(|element| seen.insert(hash(element)))
}

/// Equal for what JSON Schema takes for equal: members in any order, `1` and `1.0`.
fn hash(part: Part<'_>) -> u64 {
    let mut hasher = HASHES.build_hasher();
    if let Some(text) = part.as_string() {
        (0_u8, &*text).hash(&mut hasher);
    } else if let Some(number) = part.as_number() {
        hash_number(
            number.as_u64(),
            number.as_i64(),
            number.as_f64(),
            &mut hasher,
        );
    } else if let Some(elements) = part.as_array() {
        2_u8.hash(&mut hasher);
        for element in elements {
            hash(element).hash(&mut hasher);
        }
    } else if let Some(members) = part.as_object() {
        let mut sum = 0_u64;
        for (name, value) in members.members() {
            sum = sum.wrapping_add(HASHES.hash_one((name, hash(value))));
        }
        (3_u8, sum).hash(&mut hasher);
    } else {
        (4_u8, part.as_boolean()).hash(&mut hasher);
    }
    hasher.finish()
}

fn hash_number(u: Option<u64>, i: Option<i64>, f: Option<f64>, hasher: &mut impl Hasher) {
    let integer = u.map(i128::from).or(i.map(i128::from));
    let float = f.unwrap_or_default();
    match integer.or_else(|| integer_of(float)) {
        Some(integer) => (1_u8, integer).hash(hasher),
        None => (5_u8, float.to_bits()).hash(hasher),
    }
}

/// The integer that a number with a fraction or exponent is.
fn integer_of(value: f64) -> Option<i128> {
    const BEYOND: f64 = 1e30;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an integer within 128 bits"
    )]
    (value.fract() == 0.0 && value.abs() < BEYOND).then_some(value as i128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArgumentLimits, document::Document};

    #[test]
    fn what_json_schema_takes_for_equal_is_equal() {
        for (text, is_unique) in [
            ("[]", true),
            ("[1,2,true,null,\"1\",[1],{\"a\":1}]", true),
            ("[1,1.0]", false),
            ("[0,-0]", false),
            ("[1e2,100]", false),
            ("[0.5,5e-1]", false),
            ("[null,false]", true),
            ("[0,false]", true),
            ("[[1,2],[2,1]]", true),
            (r#"[{"a":1,"b":[2]},{"b":[2.0],"a":1}]"#, false),
            (r#"[{"a":1,"b":2},{"a":2,"b":1}]"#, true),
            (r#"["a","\u0061"]"#, false),
            ("[9007199254740993,9007199254740992]", true),
            ("[18446744073709551615,-1]", true),
        ] {
            let document = Document::read(text, &ArgumentLimits::new()).unwrap();
            let elements = document.root().as_array().unwrap();
            assert_eq!(are_unique(elements), is_unique, "{text}");
        }
    }
}
