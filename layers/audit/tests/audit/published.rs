//! What others published of their forms, as tables, and whether a record is as they say.

use std::{net::IpAddr, sync::LazyLock};

use serde_json::{Map, Value};

/// OCSF 1.8.0, of its classes and objects those that are used.
static OCSF: LazyLock<Value> = LazyLock::new(|| read(include_str!("ocsf-1.8.0.json")));

/// ECS 9.4.0, of its fields those that are used; `labels` holds what one likes.
static ECS: LazyLock<Value> = LazyLock::new(|| read(include_str!("ecs-9.4.0.json")));

fn read(table: &str) -> Value {
    serde_json::from_str(table).unwrap()
}

pub(crate) fn assert_ocsf(event: &Value) {
    let class = &OCSF["classes"][event["class_uid"].to_string()];
    assert!(class.is_object(), "no class of theirs: {event:#}");
    assert_eq!(event["category_uid"], class["category_uid"]);
    assert_eq!(event["metadata"]["version"], OCSF["version"]);
    let number = |name: &str| event[name].as_u64().unwrap();
    assert_eq!(
        number("type_uid"),
        number("class_uid") * 100 + number("activity_id")
    );
    for (name, values) in class["enums"].as_object().unwrap() {
        let caption = &values[event[name].to_string()];
        assert!(caption.is_string(), "`{name}`: {event:#}");
        // The caption belongs to the id; only another one is in words of ours.
        if name == "status_id" && event[name] != 99 && event.get("status").is_some() {
            assert_eq!(event["status"], *caption);
        }
    }
    assert_object(event, class, class["name"].as_str().unwrap());
}

fn assert_object(object: &Value, table: &Value, path: &str) {
    let members = object
        .as_object()
        .unwrap_or_else(|| panic!("`{path}` is no object"));
    let names = |which: &str| {
        let names = table[which].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap()).collect::<Vec<_>>()
    };
    for name in names("required") {
        assert!(
            members.contains_key(name),
            "`{path}` lacks `{name}`: {object:#}"
        );
    }
    let some = names("at_least_one");
    let has_some = some.is_empty() || some.iter().any(|name| members.contains_key(*name));
    assert!(has_some, "`{path}` has none of {some:?}: {object:#}");
    for (name, value) in members {
        let path = format!("{path}.{name}");
        let sort = table["attributes"][name].as_str();
        let sort = sort.unwrap_or_else(|| panic!("`{path}` is no name of theirs"));
        match (sort.strip_suffix("[]"), value) {
            (Some(sort), Value::Array(items)) => {
                items.iter().for_each(|item| assert_sort(item, sort, &path));
            }
            (Some(_), _) => panic!("`{path}` is no list"),
            (None, _) => assert_sort(value, sort, &path),
        }
    }
}

fn assert_sort(value: &Value, sort: &str, path: &str) {
    let is_of_it = match sort {
        "object" => value.is_object(),
        "string_t" => value.is_string(),
        "integer_t" => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        "long_t" | "timestamp_t" => value.is_i64() || value.is_u64(),
        "boolean_t" => value.is_boolean(),
        "ip_t" => value
            .as_str()
            .is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
        object => {
            let table = &OCSF["objects"][object];
            assert!(
                table.is_object(),
                "`{path}` is of a sort that the table lacks: {object}"
            );
            return assert_object(value, table, path);
        }
    };
    assert!(is_of_it, "`{path}` is no {sort}: {value}");
}

pub(crate) fn assert_ecs(event: &Value) {
    assert_eq!(event["ecs"]["version"], ECS["version"]);
    assert_fields(event.as_object().unwrap(), "");
    let words = |name: &str| {
        let words = event["event"][name].as_array().unwrap().iter();
        words.map(|word| word.as_str().unwrap()).collect::<Vec<_>>()
    };
    let (categories, types) = (words("category"), words("type"));
    let expects = |category: &str, kind: &str| {
        let expected = ECS["expected"][category].as_array().unwrap();
        expected.iter().any(|word| word == kind)
    };
    for category in &categories {
        assert!(
            types.iter().any(|kind| expects(category, kind)),
            "`{category}`: {types:?}"
        );
    }
    for kind in &types {
        assert!(
            categories.iter().any(|category| expects(category, kind)),
            "`{kind}`: {categories:?}"
        );
    }
}

fn assert_fields(members: &Map<String, Value>, above: &str) {
    for (name, value) in members {
        let path = format!("{above}{name}");
        if let ("labels", Value::Object(labels)) = (&*path, value) {
            assert!(
                labels
                    .values()
                    .all(|label| !label.is_object() && !label.is_array()),
                "{labels:?}"
            );
            continue;
        }
        if let Value::Object(members) = value {
            assert_fields(members, &format!("{path}."));
            continue;
        }
        let sort = ECS["fields"][&path].as_str();
        let sort = sort.unwrap_or_else(|| panic!("`{path}` is no name of theirs"));
        let items = match (sort.strip_suffix("[]"), value) {
            (Some(_), Value::Array(items)) => items.iter().collect(),
            (Some(_), _) => panic!("`{path}` is no list"),
            (None, _) => vec![value],
        };
        for item in items {
            let is_of_it = match sort.trim_end_matches("[]") {
                "long" => item.is_i64() || item.is_u64(),
                "ip" => item.as_str().is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
                _ => item.is_string(),
            };
            assert!(is_of_it, "`{path}` is no {sort}: {item}");
            if let Some(allowed) = ECS["allowed"][&path].as_array() {
                assert!(allowed.contains(item), "`{path}` may not be {item}");
            }
        }
    }
}
