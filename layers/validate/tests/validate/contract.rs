use bartizan_kit::{Revision, call_tool, layer_contract};
use bartizan_validate::{Answers, ValidateLayer};
use serde_json::json;

fn layer() -> ValidateLayer {
    let schema = json!({"type": "object", "additionalProperties": false});
    let layer = ValidateLayer::new().without_learning();
    layer.schema("whoami", &schema.to_string()).unwrap()
}

layer_contract!(
    validate,
    || layer(),
    || call_tool(Revision::V2026_07_28, "whoami", json!({})).build(),
    || call_tool(Revision::V2026_07_28, "whoami", json!({}))
        .body("{broken")
        .build()
);

layer_contract!(
    validate_with_answers,
    || {
        let layer = layer().answers(Answers::report());
        layer.output_schema("whoami", "{}").unwrap()
    },
    || call_tool(Revision::V2026_07_28, "whoami", json!({})).build(),
    || call_tool(Revision::V2026_07_28, "whoami", json!({}))
        .body("{broken")
        .build()
);
