use bartizan_sensitive::{Finder, Kinds};
use serde_json::Value;

fn vectors(of: &str) -> Vec<Value> {
    let file = include_str!("../../../../tests/vectors/sensitive.json");
    let all: Value = serde_json::from_str(file).unwrap();
    all[of].as_array().unwrap().clone()
}

#[test]
fn what_is_sensitive_is_found_and_masked() {
    let finder = Finder::new(&Kinds::all());
    let mut wrong = Vec::new();
    for vector in vectors("found") {
        let text = vector[0].as_str().unwrap();
        let kinds: Vec<_> = finder.find(text).map(|found| found.kind.name()).collect();
        let masked = finder.mask(text);
        let is_masked_so = vector[2].as_str().is_none_or(|expected| masked == expected);
        if serde_json::to_value(&kinds).unwrap() != vector[1] || !is_masked_so {
            wrong.push(format!("{text}\n  {kinds:?}\n  {masked}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_sensitive_stays_as_it_is() {
    let finder = Finder::new(&Kinds::all());
    let mut wrong = Vec::new();
    for vector in vectors("not") {
        let text = vector.as_str().unwrap();
        let masked = finder.mask(text);
        if masked != text {
            wrong.push(format!("{text}\n  {masked}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_kind_that_is_not_wanted_is_not_found() {
    for kind in bartizan_sensitive::Kind::ALL {
        let finder = Finder::new(&Kinds::all().without(kind));
        for vector in vectors("found") {
            let text = vector[0].as_str().unwrap();
            assert!(finder.find(text).all(|found| found.kind != kind), "{text}");
        }
    }
}

#[test]
fn where_nothing_is_found_nothing_is_allocated() {
    let finder = Finder::new(&Kinds::all());
    for vector in vectors("not") {
        let text = vector.as_str().unwrap();
        if text.contains(['\\', '%']) {
            continue;
        }
        let none = allocation_counter::measure(|| {
            assert_eq!(finder.find(text).len(), 0);
        });
        assert_eq!(none.count_total, 0, "{text}");
    }
}
