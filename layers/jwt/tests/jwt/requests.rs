use super::*;

fn layer() -> (JwtLayer, String) {
    let clock = clock();
    let verifier = builder(&clock)
        .realm("mcp")
        .challenge_scopes(["tools:list", "tools:call"])
        .build()
        .unwrap();
    (JwtLayer::new(verifier), mint(&clock).token().encode())
}

const METADATA: &str =
    r#"resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp""#;

#[tokio::test]
async fn a_good_token_passes_and_ac_7_scheme_case_and_spaces_do_not_matter() {
    let (layer, token) = layer();
    for authorization in [
        format!("Bearer {token}"),
        format!("bEaReR {token}"),
        format!("bearer   {token}"),
    ] {
        let answer = send(&layer, request(&authorization)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(text(answer).await, "ann");
    }
}

#[tokio::test]
async fn ac_1_to_4_no_credential_is_401_with_metadata_and_scope_and_without_error() {
    let (layer, token) = layer();
    let bare = || Request::post("/mcp").body(Full::default()).unwrap();
    let mut query = bare();
    *query.uri_mut() = format!("/mcp?access_token={token}").parse().unwrap();
    let mut cookie = bare();
    let value = format!("access_token={token}").parse().unwrap();
    cookie.headers_mut().insert("cookie", value);
    for unauthenticated in [
        bare(),
        query,
        cookie,
        request("Basic eDp5"),
        request(&format!("Bearer\t{token}")),
    ] {
        let answer = send(&layer, unauthenticated).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let expected = format!(r#"Bearer realm="mcp", scope="tools:list tools:call", {METADATA}"#);
        assert_eq!(challenge(&answer), expected);
        assert!(!text(answer).await.contains(&token));
    }
}

#[tokio::test]
async fn ac_5_a_bad_token_is_401_invalid_token_with_metadata() {
    let (layer, token) = layer();
    let answer = send(&layer, request(&format!("Bearer {token}A"))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let line = challenge(&answer);
    assert!(line.starts_with("Bearer ") && line.contains(r#"error="invalid_token""#));
    assert!(line.contains(METADATA));
    let denial = answer.extensions().get::<Denial>().unwrap();
    assert_eq!(denial.kind(), DenialKind::CredentialsInvalid);
    assert!(!format!("{denial:?}").contains(&token[..20]), "TV-21");
}

#[tokio::test]
async fn ac_6_two_authorization_fields_and_an_empty_token_are_400() {
    let (layer, token) = layer();
    let mut doubled = request(&format!("Bearer {token}"));
    let second = doubled.headers()[AUTHORIZATION].clone();
    doubled.headers_mut().append(AUTHORIZATION, second);
    for malformed in [doubled, request("Bearer"), request("Bearer ")] {
        let answer = send(&layer, malformed).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(challenge(&answer).contains(r#"error="invalid_request""#));
    }
}

#[tokio::test]
async fn ac_10_every_request_is_judged_on_its_own() {
    let (layer, token) = layer();
    assert_eq!(
        send(&layer, request(&format!("Bearer {token}")))
            .await
            .status(),
        StatusCode::OK
    );
    for method in ["POST", "GET", "DELETE"] {
        let request = Request::builder().method(method).uri("/mcp");
        let request = request
            .header("mcp-session-id", "s")
            .body(Full::default())
            .unwrap();
        assert_eq!(
            send(&layer, request).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn the_principal_carries_what_the_token_says() {
    let clock = clock();
    let verifier = builder(&clock).tenant_claim("org.id").build().unwrap();
    let token = mint(&clock)
        .token()
        .scope("a b")
        .claim("roles", "developer")
        .claim("org", serde_json::json!({"id": "acme"}))
        .claim("jti", "j-1")
        .encode();
    let ann = verifier.verify(&token).await.unwrap();
    assert_eq!((ann.issuer(), ann.subject()), (I, "ann"));
    assert_eq!(ann.client_id(), Some("client-1"));
    assert_eq!(ann.credential_id(), Some("j-1"));
    assert_eq!(ann.tenant(), Some("acme"));
    assert_eq!(ann.method(), "jwt");
    assert!(ann.roles().eq(["developer"]) && ann.scopes().eq(["a", "b"]));
    assert_eq!(ann.expires_at(), Some(Duration::from_secs(NOW + 300)));
    assert_eq!(ann.claims()["aud"], U);
}

#[tokio::test]
async fn anonymous_callers_pass_only_where_that_is_allowed() {
    let (layer, _) = layer();
    let bare = Request::post("/mcp").body(Full::default()).unwrap();
    let answer = send(&layer.clone().allow_anonymous(), bare).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let wrong = send(&layer.allow_anonymous(), request("Bearer abc")).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
}
