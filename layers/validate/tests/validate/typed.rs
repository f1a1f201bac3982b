use std::sync::LazyLock;

use bartizan_validate::{
    ValidateLayer,
    typed::{Valid, normalize},
};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};
use validator::{Validate, ValidationError};

use crate::common::call;

static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[a-zA-Z0-9_-]+$").unwrap());

/// What the first design had in Python, without its mistakes.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct CreateResourceInput {
    #[validate(length(min = 3, max = 100), regex(path = *NAME))]
    name: String,
    /// Kept as it is. Where it is shown it is escaped, and once.
    #[validate(length(max = 1000))]
    #[serde(deserialize_with = "normalize::line_feeds")]
    description: String,
    /// In lower case before their length is judged, which may be another one then.
    #[serde(default, deserialize_with = "normalize::lowercase")]
    #[validate(length(max = 10), custom(function = "each_tag"))]
    tags: Vec<String>,
    #[serde(default = "three")]
    #[validate(range(min = 1, max = 5))]
    priority: u8,
}

fn three() -> u8 {
    3
}

/// Each of them, not only how many there are.
fn each_tag(tags: &[String]) -> Result<(), ValidationError> {
    let fits = |tag: &String| tag.len() <= 50 && NAME.is_match(tag);
    match tags.iter().all(fits) {
        true => Ok(()),
        false => Err(ValidationError::new("tags")
            .with_message("each must have 1 to 50 of a-z, 0-9, _ and -".into())),
    }
}

async fn told(arguments: &Value) -> Option<String> {
    let layer = ValidateLayer::new().without_learning();
    let layer = layer.typed::<CreateResourceInput>("create_resource");
    let answer = call(&layer, "create_resource", &arguments.to_string()).await;
    (!answer.ran()).then(|| answer.told().to_owned())
}

fn good() -> Value {
    json!({"name": "pier-7", "description": "lights", "tags": ["harbour"], "priority": 2})
}

fn with(field: &str, value: Value) -> Value {
    let mut arguments = good();
    arguments[field] = value;
    arguments
}

#[tokio::test]
async fn what_fits_the_type_passes_and_what_does_not_is_told_without_its_value() {
    assert_eq!(told(&good()).await, None);
    assert_eq!(told(&json!({"name": "abc", "description": ""})).await, None);
    for (arguments, expected) in [
        (
            with("name", json!("s3")),
            "`/name`: it must be from 3 to 100 long",
        ),
        (
            with("name", json!("s3cret value")),
            "`/name`: it must match its pattern",
        ),
        (
            with("priority", json!(77)),
            "`/priority`: it must be from 1 to 5",
        ),
        (with("priority", json!("s3cret")), "another type"),
        (with("s3cret", json!(1)), "a member too many"),
        (
            json!({"name": "abc"}),
            "the member `description` is missing",
        ),
        (
            with("tags", json!(vec!["a"; 11])),
            "`/tags`: it must be at most 10 long",
        ),
    ] {
        let told = told(&arguments).await.unwrap();
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("s3cret") && !told.contains("77"), "{told}");
    }
}

#[tokio::test]
async fn seed_v1_a_name_that_ends_with_a_line_break_is_refused() {
    let told = told(&with("name", json!("abc\n"))).await.unwrap();
    assert!(told.contains("`/name`: it must match its pattern"));
}

#[tokio::test]
async fn seed_v2_each_item_of_a_list_is_bounded() {
    let told = told(&with("tags", json!(["x".repeat(1 << 20)])))
        .await
        .unwrap();
    assert!(told.contains("`/tags`: each must have 1 to 50"), "{told}");
}

#[tokio::test]
async fn seed_v3_the_length_that_counts_is_that_after_the_change() {
    // It has one letter more in lower case, and two bytes.
    let tag = "İ".repeat(20);
    assert!(tag.len() <= 50 && tag.to_lowercase().len() > 50);
    assert!(told(&with("tags", json!([tag]))).await.is_some());
    let read = |text: &str| serde_json::from_str::<Valid<CreateResourceInput>>(text);
    let input = read(&with("tags", json!(["NEW"])).to_string()).unwrap();
    assert_eq!(input.tags, ["new"]);
    let breaks = with("description", json!("\r\n".repeat(1000)));
    assert_eq!(read(&breaks.to_string()).unwrap().description.len(), 1000);
}

#[test]
fn seed_v4_text_that_looks_like_markup_is_kept_as_it_is() {
    let text = "if a < b and c > d & \"x\"";
    let arguments = with("description", json!(text)).to_string();
    let input: Valid<CreateResourceInput> = serde_json::from_str(&arguments).unwrap();
    assert_eq!(input.into_inner().description, text);
}

#[test]
fn seed_v5_a_type_that_was_read_was_judged() {
    let refused =
        serde_json::from_str::<Valid<CreateResourceInput>>(&with("priority", json!(9)).to_string());
    let refused = refused.unwrap_err().to_string();
    assert_eq!(refused, "`/priority`: it must be from 1 to 5");
    assert!(
        serde_json::from_str::<Vec<Valid<CreateResourceInput>>>(&format!("[{}]", good())).is_ok()
    );
}

#[tokio::test]
async fn nested_errors_have_their_place() {
    #[derive(Deserialize, serde::Serialize, Validate)]
    struct Inner {
        #[validate(range(min = 1))]
        n: u8,
    }
    #[derive(Deserialize, Validate)]
    struct Outer {
        #[validate(nested)]
        items: Vec<Inner>,
        #[validate(nested)]
        one: Inner,
    }
    let layer = ValidateLayer::new().without_learning().typed::<Outer>("t");
    let answer = call(&layer, "t", r#"{"items":[{"n":1},{"n":0}],"one":{"n":0}}"#).await;
    let told = answer.told();
    assert!(
        told.contains("`/items/1/n`: it must be at least 1"),
        "{told}"
    );
    assert!(told.contains("`/one/n`: it must be at least 1"), "{told}");
}

#[tokio::test]
async fn a_type_and_a_schema_both_count() {
    let layer = ValidateLayer::new()
        .without_learning()
        .typed::<CreateResourceInput>("t")
        .schema("t", r#"{"properties":{"priority":{"maximum":2}}}"#)
        .unwrap();
    assert!(call(&layer, "t", &good().to_string()).await.ran());
    for field in [json!(3), json!(0)] {
        assert!(
            !call(&layer, "t", &with("priority", field).to_string())
                .await
                .ran()
        );
    }
}

#[test]
fn a_field_in_normal_form_is_judged_by_the_length_that_is_kept() {
    #[derive(serde::Deserialize, Validate)]
    struct Named {
        #[serde(deserialize_with = "normalize::nfc")]
        #[validate(length(max = 4))]
        name: String,
    }
    // Four letters, one of which comes as two characters.
    let named: Valid<Named> = serde_json::from_str(r#"{"name":"cafe\u0301"}"#).unwrap();
    assert_eq!(named.name, "caf\u{e9}");
    assert!(serde_json::from_str::<Valid<Named>>(r#"{"name":"cafes"}"#).is_err());
}
