//! `tests/vectors/sessions.json`: attacks on the session id, on every method.

use bartizan_core::{Denial, Principal};
use bartizan_kit::{McpRequest, Revision, delete_session, get_stream};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::{
    INNER, ISSUER, SessionKeys, SessionLayer, arrived, by, keys, legacy, secret, sent, user,
};

const VECTORS: &str = include_str!("../../../../tests/vectors/sessions.json");

fn principal(name: &str) -> Principal {
    let ann = Principal::user(ISSUER, "ann");
    match name {
        "ann" => user("ann"),
        "ann-later" => ann
            .client_id("agent-7")
            .credential_id("another")
            .scopes(["less"])
            .roles(["other"])
            .build("another method"),
        "bob" => user("bob"),
        "ann-elsewhere" => Principal::user("https://other.example.com", "ann")
            .client_id("agent-7")
            .build("test"),
        "ann-through-other-client" => ann.client_id("agent-8").build("test"),
        "ann-without-client" => ann.build("test"),
        "ann-with-nameless-client" => ann.client_id("").build("test"),
        "ann-the-program" => Principal::service(ISSUER, "ann")
            .client_id("agent-7")
            .build("test"),
        "shifted" => Principal::user(&format!("{ISSUER}a"), "nn")
            .client_id("agent-7")
            .build("test"),
        "anonymous" => Principal::anonymous(),
        other => panic!("no principal `{other}`"),
    }
}

fn keys_named(name: &str) -> SessionKeys {
    let seed = match name {
        "current" => 1,
        "retired" => 2,
        "foreign" => 3,
        other => panic!("no key `{other}`"),
    };
    SessionKeys::new(secret(seed)).unwrap()
}

/// The id that an entry describes.
async fn id(entry: &Value) -> Vec<u8> {
    if let Some(text) = entry.as_str() {
        return text.as_bytes().to_vec();
    }
    let mut id = match (entry["of"].as_str(), entry["event"].as_str()) {
        (Some(of), None) => {
            let key = entry["key"].as_str().unwrap_or("current");
            let wrapped = keys_named(key).wrap(&principal(of), INNER.as_bytes());
            wrapped.unwrap().into_bytes()
        }
        (None, Some(of)) => crate::events::wrapped_event(&principal(of), INNER, INNER)
            .await
            .into(),
        _ => panic!("{entry}"),
    };
    if let Some(bit) = entry["flip"].as_u64() {
        let mut bytes = URL_SAFE_NO_PAD.decode(&id).unwrap();
        bytes[bit as usize / 8] ^= 1 << (bit % 8);
        id = URL_SAFE_NO_PAD.encode(bytes).into_bytes();
    }
    if let Some(keep) = entry["keep"].as_u64() {
        id.truncate(keep as usize);
    }
    id.truncate(id.len() - entry["cut"].as_u64().unwrap_or(0) as usize);
    if entry["upper"] == true {
        id.make_ascii_uppercase();
    }
    id.extend_from_slice(entry["add"].as_str().unwrap_or_default().as_bytes());
    id
}

async fn ids(vector: &Value) -> Vec<Vec<u8>> {
    if let Some(repeat) = vector["repeat"].as_array() {
        let count = repeat[1].as_u64().unwrap() as usize;
        return vec![repeat[0].as_str().unwrap().repeat(count).into_bytes()];
    }
    if let Some(lines) = vector["bytes"].as_array() {
        return lines
            .iter()
            .map(|line| serde_json::from_value(line.clone()).unwrap())
            .collect();
    }
    let mut ids = Vec::new();
    for entry in vector["id"].as_array().unwrap() {
        ids.push(id(entry).await);
    }
    ids
}

#[tokio::test]
async fn every_attack_on_an_id_is_answered_as_an_unknown_session_on_every_method() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() >= 40);
    let layer = SessionLayer::new(keys().accept(secret(2)).unwrap()).danger_allow_anonymous();
    let mut unknown = None;
    for vector in &vectors {
        let owner = principal(vector["as"].as_str().unwrap_or("ann"));
        for begun in [
            legacy as fn() -> McpRequest,
            || get_stream(Revision::V2025_06_18),
            || delete_session(Revision::V2025_11_25, "x").no_header("mcp-session-id"),
            || legacy().no_header("mcp-protocol-version"),
        ] {
            let mut request = begun();
            for id in ids(vector).await {
                request = request.header_again("mcp-session-id", id);
            }
            let (answer, echo) = sent(&layer, by(&owner, request)).await;
            if vector["opens"] == true {
                assert_eq!(answer.status(), 200, "{vector}");
                assert_eq!(arrived(&echo, "mcp-session-id"), [INNER], "{vector}");
                continue;
            }
            assert!(echo.is_untouched(), "{vector}");
            assert_eq!(answer.status(), 404, "{vector}");
            assert!(answer.extensions().get::<Denial>().is_some());
            let headers = answer.headers().clone();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let same = unknown.get_or_insert((headers.clone(), body.clone()));
            assert_eq!(*same, (headers, body), "{vector}");
        }
    }
    assert!(unknown.is_some());
}
