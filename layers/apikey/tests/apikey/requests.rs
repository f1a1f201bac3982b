use std::time::Duration;

use bartizan_core::{
    AuthLayer, Authenticator, CallRate, Denial, DenialKind, SecurityContext,
    auth::{CredentialPlace, Credentials, Verification},
};
use http::{HeaderValue, StatusCode};

use super::support::{clock, grant, issue, keys, reason, send, with};

#[tokio::test]
async fn seed_a11_a_key_is_taken_from_its_header_or_from_authorization_and_goes_no_further() {
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let text = key.text();
    for request in [
        with("x-api-key", text),
        with("authorization", format!("ApiKey {text}")),
        with("authorization", format!("apikey {text}")),
        with("authorization", format!("Bearer {text}")),
    ] {
        let response = send(&keys, request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), "ci 0", "no field is left (TV-15)");
    }
}

#[tokio::test]
async fn ac_15_wrong_absent_expired_and_revoked_keys_are_told_the_same() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let (others, _) = super::support::keys(&clock);
    let (revoked, unknown) = (issue(&keys).await, issue(&others).await);
    keys.revoke(revoked.record().id, "left").await.unwrap();
    let expired = keys
        .issue_for(grant(), Duration::from_secs(1))
        .await
        .unwrap();
    clock.advance(Duration::from_secs(1));
    let wrong = format!("{}aaaaaaa", &unknown.text()[..unknown.text().len() - 7]);
    let mut answers = Vec::new();
    for text in [
        revoked.text(),
        unknown.text(),
        expired.text(),
        &wrong,
        "x",
        "",
    ] {
        let response = send(&keys, with("x-api-key", text)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenges = response.headers().get_all("www-authenticate");
        assert!(
            challenges
                .iter()
                .eq(["Bearer realm=\"acme\"", "ApiKey realm=\"acme\""])
        );
        answers.push((response.headers().clone(), response.into_body()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn seed_a15_unknown_wrong_and_revoked_keys_cost_one_read_each() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let (good, revoked) = (issue(&keys).await, issue(&keys).await);
    let (others, _) = super::support::keys(&clock);
    let unknown = issue(&others).await;
    keys.revoke(revoked.record().id, "left").await.unwrap();
    for text in [good.text(), revoked.text(), unknown.text()] {
        let before = store.reads();
        for _ in 0..3 {
            send(&keys, with("x-api-key", text)).await;
        }
        assert_eq!(store.reads() - before, 1);
    }
}

#[tokio::test]
async fn seed_a13_a_key_is_found_by_its_id_among_many_at_the_cost_of_one_read() {
    let (keys, store) = keys(&clock());
    let mut last = None;
    for _ in 0..1000 {
        last = Some(issue(&keys).await);
    }
    let before = store.reads();
    let response = send(&keys, with("x-api-key", last.unwrap().text())).await;
    assert_eq!(response.status(), 200);
    assert_eq!(store.reads() - before, 1);
}

#[tokio::test]
async fn ac_6_two_keys_are_none() {
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let mut twice = with("x-api-key", key.text());
    let field = twice.headers()["x-api-key"].clone();
    twice.headers_mut().append("x-api-key", field.clone());
    let mut both = with("authorization", format!("ApiKey {}", key.text()));
    both.headers_mut().append("x-api-key", field);
    for request in [twice, both] {
        assert_eq!(send(&keys, request).await.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_field_that_is_not_ascii_is_a_key_and_none_that_is_good() {
    let (keys, store) = keys(&clock());
    let key = issue(&keys).await;
    for bytes in [
        &b"\xff\xfe"[..],
        "schl\u{fc}ssel".as_bytes(),
        &[key.text().as_bytes(), b"\xe9"].concat(),
    ] {
        let mut request = with("accept", "*/*");
        let value = HeaderValue::from_bytes(bytes).unwrap();
        request.headers_mut().insert("x-api-key", value);
        let response = send(&keys, request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_ne!(reason(&response), "no credential");
        let first = response.headers().get("www-authenticate").unwrap();
        assert_eq!(first, "Bearer realm=\"acme\"", "AC-12, AC-15");
    }
    assert_eq!(store.reads(), 0);
    let none = send(&keys, with("accept", "*/*")).await;
    let lines = none.headers().get_all("www-authenticate");
    assert!(
        lines
            .iter()
            .eq(["Bearer realm=\"acme\"", "ApiKey realm=\"acme\""])
    );
}

#[tokio::test]
async fn ac_8_a_key_in_the_query_is_none() {
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let mut request = with("accept", "*/*");
    *request.uri_mut() = format!("/mcp?api_key={}", key.text()).parse().unwrap();
    let response = send(&keys, request).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(reason(&response), "no credential");
}

#[tokio::test]
async fn a_bearer_token_without_the_brand_is_somebody_elses() {
    let (keys, store) = keys(&clock());
    let response = send(&keys, with("authorization", "Bearer acne_live_x")).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(reason(&response).contains("scheme that is not accepted"));
    assert_eq!(store.reads(), 0);
}

#[tokio::test]
async fn a_key_is_good_from_its_networks_only() {
    let (keys, _) = keys(&clock());
    let grant = grant().networks(["192.0.2.0/24".parse().unwrap()]);
    let key = keys.issue(grant).await.unwrap();
    let verify = async |from: Option<&str>| {
        let from = from.map(|address| address.parse().unwrap());
        keys.verifier().verify(key.text(), from).await.is_ok()
    };
    assert!(verify(Some("192.0.2.9")).await);
    assert!(verify(Some("::ffff:192.0.2.9")).await);
    assert!(!verify(Some("198.51.100.1")).await);
    assert!(!verify(None).await);
}

#[tokio::test]
async fn a_key_carries_what_it_was_granted() {
    let (keys, _) = keys(&clock());
    let grant = grant()
        .scopes(["notes.read"])
        .tenant("acme-eu")
        .capabilities(["notes:*"])
        .only_tools(["read_*"])
        .rate(60, 5);
    let key = keys.issue(grant).await.unwrap();
    let principal = keys.verifier().verify(key.text(), None).await.unwrap();
    assert_eq!(principal.issuer(), "apikey:acme");
    assert_eq!(principal.method(), "apikey");
    assert_eq!(
        principal.credential_id(),
        Some(&*key.record().id.to_string())
    );
    assert_eq!(principal.tenant(), Some("acme-eu"));
    assert!(principal.roles().eq(["developer"]));
    assert!(principal.scopes().eq(["notes.read"]));
    assert!(principal.capabilities().eq(["notes:*"]));
    assert_eq!(principal.limits().len(), 1);
    assert_eq!(principal.rate(), CallRate::new(60, 5).ok());
    let ends = principal.expires_at().unwrap();
    assert_eq!(ends.as_secs(), key.record().expires_at);
}

#[tokio::test]
async fn a_key_that_ends_soon_says_so_on_each_answer() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let key = issue(&keys).await;
    let send = async || send(&keys, with("x-api-key", key.text())).await;
    assert!(!send().await.headers().contains_key("x-api-key-expires"));
    clock.advance(Duration::from_secs(77 * 86_400));
    let response = send().await;
    assert_eq!(
        response.headers()["x-api-key-expires"],
        "2027-04-15T08:00:00Z"
    );
}

#[tokio::test]
async fn ac_12_beside_tokens_bearer_stays_first() {
    let (keys, _) = keys(&clock());
    let (others, _) = super::support::keys(&clock());
    let layer = AuthLayer::new(keys.verifier())
        .or(Tokens([HeaderValue::from_static("Bearer realm=\"mcp\"")]));
    let inner = tower::service_fn(
        |_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<
                bytes::Bytes,
            >::default()))
        },
    );
    let service = tower::Layer::layer(&layer, inner);
    let bad = issue(&others).await;
    for request in [with("accept", "*/*"), with("x-api-key", bad.text())] {
        let answer = tower::ServiceExt::oneshot(service.clone(), request)
            .await
            .unwrap();
        let lines: Vec<_> = answer
            .headers()
            .get_all("www-authenticate")
            .iter()
            .collect();
        assert_eq!(lines[0], "Bearer realm=\"mcp\"");
        assert!(lines.contains(&&HeaderValue::from_static("ApiKey realm=\"acme\"")));
    }
}

/// Recognizes nothing.
struct Tokens([HeaderValue; 1]);

impl Authenticator for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn recognizes(&self, _: &Credentials<'_>) -> Option<CredentialPlace> {
        None
    }

    fn authenticate(&self, _: &Credentials<'_>, _: &SecurityContext) -> Verification {
        Verification::Refused(Denial::new(DenialKind::Internal, "never asked"))
    }

    fn challenges(&self) -> &[HeaderValue] {
        &self.0
    }
}
