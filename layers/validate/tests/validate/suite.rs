//! The mandatory tests of the JSON Schema Test Suite for 2020-12, through this crate and through the library alone.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use bartizan_validate::{ArgumentLimits, Characters, Schema};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    description: String,
    schema: Value,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    description: String,
    data: Value,
    valid: bool,
}

/// Tests of a keyword: how many, judged right, and not judged since the schema is not taken.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    all: usize,
    right: usize,
    refused: usize,
}

fn cases() -> BTreeMap<String, Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json-schema-test-suite");
    let text = fs::read_to_string(folder.join("draft2020-12.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

type Judge = Box<dyn Fn(&Value) -> bool>;

/// What is not judged right, keyword by keyword, and the sum.
fn table(mut judge: impl FnMut(&Value) -> Option<Judge>) -> String {
    let (mut table, mut sum) = (String::new(), Tally::default());
    for (keyword, cases) in cases() {
        let mut tally = Tally::default();
        for case in cases {
            let judge = judge(&case.schema);
            for test in case.tests {
                tally.all += 1;
                match &judge {
                    None => tally.refused += 1,
                    Some(judge) if judge(&test.data) == test.valid => tally.right += 1,
                    Some(_) => {
                        let (case, test) = (&case.description, &test.description);
                        writeln!(table, "wrong: {keyword}: {case}: {test}").unwrap();
                    }
                }
            }
        }
        if tally.right < tally.all {
            let Tally {
                all,
                right,
                refused,
            } = tally;
            writeln!(
                table,
                "{keyword}: {right} of {all} right, {refused} not taken"
            )
            .unwrap();
        }
        sum.all += tally.all;
        sum.right += tally.right;
        sum.refused += tally.refused;
    }
    let Tally {
        all,
        right,
        refused,
    } = sum;
    writeln!(table, "{right} of {all} right, {refused} not taken").unwrap();
    table
}

/// What is not taken refers to other documents, or has a `$id` inside, which is not taken by design.
const OURS: &str = "\
anchor: 2 of 8 right, 6 not taken
defs: 0 of 2 right, 2 not taken
dynamicRef: 8 of 44 right, 36 not taken
ref: 51 of 79 right, 28 not taken
refRemote: 0 of 31 right, 31 not taken
unevaluatedItems: 69 of 71 right, 2 not taken
unevaluatedProperties: 127 of 129 right, 2 not taken
vocabulary: 0 of 5 right, 5 not taken
1187 of 1299 right, 112 not taken
";

/// Remote documents are not fetched here either; the metaschema without vocabulary would be one.
const LIBRARY: &str = "\
dynamicRef: 31 of 44 right, 13 not taken
refRemote: 0 of 31 right, 31 not taken
wrong: vocabulary: schema that uses custom metaschema with with no validation vocabulary: no validation: invalid number, but it still validates
vocabulary: 4 of 5 right, 0 not taken
1254 of 1299 right, 44 not taken
";

#[test]
fn iv_3_nothing_of_the_suite_is_judged_wrong() {
    let limits = ArgumentLimits::new().with_characters(Characters::any());
    let table = table(|schema| {
        let schema = Schema::compile(&schema.to_string()).ok()?;
        Some(Box::new(move |data| {
            schema.check(&data.to_string(), &limits).is_ok()
        }))
    });
    assert_eq!(table, OURS);
}

#[test]
fn iv_3_the_library_alone_judges_so() {
    let table = table(|schema| {
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
        let options = options.with_pattern_options(jsonschema::PatternOptions::regex());
        let validator = options.offline().build(schema).ok()?;
        Some(Box::new(move |data| validator.is_valid(data)))
    });
    assert_eq!(table, LIBRARY);
}
