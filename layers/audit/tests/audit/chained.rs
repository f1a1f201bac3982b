//! The lines of a chained log, as whoever reads it sees them.

use std::fs;

use bartizan_audit::{AuditLayer, Chain, ChainKeys, JSON_SCHEMA, Queue, RotatingFile};
use bartizan_core::Secret;
use serde_json::Value;

use super::{common::*, json_lines::PATIENCE, queue::ask};

#[tokio::test]
async fn each_line_of_a_chained_log_is_what_the_schema_says_and_none_that_lacks_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let (mac, seed) = (Secret::from(vec![7; 32]), Secret::from(vec![9; 32]));
    let keys = ChainKeys::new(1, &mac, &seed).unwrap();
    let chain = Chain::over(RotatingFile::open(&path).unwrap(), keys).unwrap();
    let layer = AuditLayer::new(Queue::to(chain));
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["event_type"], "audit_checkpoint");
    assert_eq!(lines[1]["event_type"], "http_request");
    let schema = serde_json::from_str(JSON_SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for line in &lines {
        assert_valid(line);
        for of in ["/chain/hash", "/checkpoint/signature", "/metadata"] {
            let mut broken = line.clone();
            if let Some(value) = broken.pointer_mut(of) {
                *value = "no".into();
                assert!(!schema.is_valid(&broken), "{broken}");
            }
        }
    }
    // Neither passes for the other.
    let mut checkpoint = lines[0].clone();
    checkpoint.as_object_mut().unwrap().remove("checkpoint");
    let mut record = lines[1].clone();
    record.as_object_mut().unwrap().remove("user_id");
    assert!(!schema.is_valid(&checkpoint) && !schema.is_valid(&record));
}
