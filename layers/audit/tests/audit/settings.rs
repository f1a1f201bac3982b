//! An audit log as a file of settings describes it, from TOML to lines that verify.

use std::{convert::Infallible, fs, os::unix::fs::PermissionsExt as _, path::Path};

use bartizan_audit::{AuditConfig, AuditLayer, FileConfig, Head, SinkChoice, verify};
use bartizan_core::{CallLayer, RequestBody};
use http::Request;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::common::*;

const SETTINGS: &str = r#"
level = "arguments"
level_rules = [{ level = "shape", tools = ["pay"] }]
sensitive_names = ["kennitala"]
destructive = ["delete_*"]
overflow = { spill = "@/audit.spill" }
pseudonyms = { key = { number = 3, path = "@/key" }, kinds = ["email"] }

[sink.file]
path = "@/audit.log"
rotate_at_bytes = 8192
rotate_every_seconds = 86400
sync = "always"

[sink.file.chain]
mac_key = { number = 1, path = "@/key" }
signing_key = "@/seed"
checkpoint_lines = 100
checkpoint_seconds = 10
heads = "@/heads"
"#;

fn settings(folder: &Path) -> AuditConfig {
    let config = toml::from_str(&SETTINGS.replace('@', folder.to_str().unwrap()));
    config.unwrap()
}

fn put(path: &Path, mode: u32) {
    fs::write(path, [7; 32]).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_log_by_its_settings_is_redacted_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    put(&path("key"), 0o600);
    put(&path("seed"), 0o644);
    let config = settings(folder.path());
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<AuditConfig>(&again).unwrap(), config);

    let refused = AuditLayer::try_from(config.clone())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("/seed` has mode 644"), "{refused}");
    put(&path("seed"), 0o400);
    let layer = AuditLayer::try_from(config.clone()).unwrap();
    let inner = service_fn(|_: Request<RequestBody<Body>>| async { Ok::<_, Infallible>(ok()) });
    let service = layer.layer(CallLayer::new().layer(inner));
    for number in 0..20 {
        let arguments =
            json!({ "kennitala": "1203894569", "to": "ann.miller@example.com", "number": number });
        let params = json!({ "name": "delete_note", "arguments": arguments });
        let body =
            json!({ "jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params });
        let request = as_ann(rpc(&body.to_string()));
        service.clone().oneshot(request).await.unwrap();
    }
    drop(service);
    // What is left is written, and signed, when the last handle goes.
    drop(layer);

    let files = files(folder.path());
    assert!(files.len() > 1, "it rotates");
    let head = fs::read_to_string(path("heads")).unwrap();
    let head: Head = head.lines().last().unwrap().parse().unwrap();
    let SinkChoice::File(FileConfig {
        chain: Some(chain), ..
    }) = config.sink
    else {
        panic!("{config:?}");
    };
    let keys = chain.keys().unwrap().verifying();
    let report = verify(files.iter().map(|file| &**file), &keys, Some(&head)).unwrap();
    assert!(report.is_good(), "{report:?}");
    let text = String::from_utf8(files.concat()).unwrap();
    assert!(
        !text.contains("1203894569") && !text.contains("miller"),
        "{text}"
    );
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let calls: Vec<_> = lines
        .filter(|line| line["event_type"] == "tool_call")
        .collect();
    assert_eq!(calls.len(), 20);
    for call in calls {
        let classes = call["classes"].as_array().unwrap();
        assert!(classes.contains(&json!("destructive_operation")), "{call}");
        let to = call["metadata"]["arguments"]["to"].as_str().unwrap();
        assert!(to.starts_with("email:3:"), "{to}");
    }
}

/// What the files hold, oldest first.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut kept: Vec<_> = names
        .filter(|name| name.to_str().unwrap().contains("audit.log."))
        .collect();
    kept.sort();
    kept.push(folder.join("audit.log"));
    kept.iter().map(|name| fs::read(name).unwrap()).collect()
}
