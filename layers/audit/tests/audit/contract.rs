use bartizan_audit::{AuditLayer, Records};
use bartizan_kit::{Revision, layer_contract, post};
use serde_json::json;

layer_contract!(
    audit,
    || AuditLayer::new(Records::with_capacity(100_000)),
    || post(Revision::V2026_07_28, "server/discover", json!({})).build()
);

layer_contract!(
    without_room,
    || AuditLayer::new(Records::with_capacity(0)).danger_continue_without_record(),
    || post(Revision::V2026_07_28, "server/discover", json!({})).build()
);
