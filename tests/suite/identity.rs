//! Who somebody is, at the real server: two issuers, and credentials that are taken back.

use std::time::Duration;

use bartizan_kit::{McpRequest, Revision, call_tool};
use http::StatusCode;
use serde_json::json;

use crate::{
    answers::send,
    server::{Mode, Server},
};

fn whoami(token: &str) -> McpRequest {
    call_tool(Revision::V2026_07_28, "whoami", json!({})).bearer(token)
}

async fn status(server: &Server, token: &str) -> StatusCode {
    send(server, whoami(token)).await.status()
}

#[tokio::test]
async fn tv_4_both_issuers_are_discovered_and_neither_speaks_for_the_other() {
    let server = Server::start(Mode::Json).await;
    let ours = server.token("ann");
    let theirs = server.token_of(&server.partner, "ann");
    for good in [&ours, &theirs] {
        assert_eq!(status(&server, &good.encode()).await, StatusCode::OK);
    }
    server.partner.rotate_keys();
    let stranger = server.token_of(&server.partner, "ann");
    let forged = stranger.iss(server.issuer.url()).encode();
    assert_eq!(status(&server, &forged).await, StatusCode::UNAUTHORIZED);
    let records = server.records.all();
    let issuers: Vec<_> = records[..2]
        .iter()
        .map(|r| &r["metadata"]["issuer"])
        .collect();
    assert_eq!(issuers, [server.issuer.url(), server.partner.url()]);
    assert_ne!(issuers[0], issuers[1]);
}

#[tokio::test]
async fn ac_5_a_revoked_token_is_refused_at_once_and_the_record_says_why() {
    let server = Server::start(Mode::Json).await;
    let list = &server.revocations;
    let until = list.now() + Duration::from_secs(3600);
    let token = server.token("ann").claim("jti", "stolen").encode();
    let other = server.token("ann").claim("jti", "kept").encode();
    assert_eq!(status(&server, &token).await, StatusCode::OK);
    list.revoke_credential(server.issuer.url(), "stolen", until)
        .unwrap();
    let answer = send(&server, whoami(&token)).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
    assert_eq!(status(&server, &other).await, StatusCode::OK);
    let record = &server.records.all()[1];
    assert_eq!(record["event_type"], "authentication_failure");
    assert!(
        record["findings"]
            .to_string()
            .contains("the credential is revoked")
    );
    assert!(!challenge.contains("revoked"), "AL-3");
}
