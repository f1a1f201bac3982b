//! Tokens that only the holder of a key may use: DPoP (RFC 9449) and certificates (RFC 8705).

use bartizan_core::{AuthLayer, ClientCertificate};
use bartizan_jwt::DpopConfig;
use bartizan_kit::{Algorithm as Alg, SigningKey};
use bartizan_ratelimit::{AddressLimitLayer, AddressLimits, Quota};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;

struct Scene {
    clock: FakeClock,
    mint: TokenMint,
    key: SigningKey,
    layer: JwtLayer,
}

/// A proof on its way out.
struct Proof {
    header: Value,
    claims: Value,
    key: SigningKey,
}

impl Scene {
    fn new(config: DpopConfig) -> Self {
        let clock = clock();
        let mint = mint(&clock);
        let verifier = builder(&clock).dpop(config).build().unwrap();
        Self {
            clock,
            mint,
            key: SigningKey::shared(Alg::Es256),
            layer: JwtLayer::new(verifier),
        }
    }

    fn token(&self) -> String {
        let (_, jkt) = self.key.bare_jwk();
        self.mint
            .token()
            .claim("cnf", json!({ "jkt": jkt }))
            .encode()
    }

    fn proof(&self, token: &str) -> Proof {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let id = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Proof {
            header: json!({
                "typ": "dpop+jwt",
                "alg": self.key.algorithm().name(),
                "jwk": self.key.bare_jwk().0,
            }),
            claims: json!({
                "jti": format!("proof-{id}"),
                "htm": "POST",
                "htu": U,
                "iat": bartizan_core::Clock::wall(&self.clock).as_secs(),
                "ath": hash(token.as_bytes()),
            }),
            key: self.key.clone(),
        }
    }

    async fn send(&self, scheme: &str, token: &str, proof: &str) -> Answer {
        let mut request = request(&format!("{scheme} {token}"));
        request.headers_mut().insert("dpop", proof.parse().unwrap());
        send(&self.layer, request).await
    }
}

impl Proof {
    fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self.header.as_object_mut().unwrap().remove(name);
        self
    }

    fn encode(&self) -> String {
        let part = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn hash(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

fn reason_of(answer: &Answer) -> String {
    let denial = answer.extensions().get::<Denial>();
    denial.map_or("accepted".into(), |denial| denial.reason().to_owned())
}

#[tokio::test]
async fn dp_1_a_proof_by_the_tokens_key_is_accepted_whatever_its_algorithm() {
    for algorithm in Alg::ALL {
        let mut scene = Scene::new(DpopConfig::default());
        scene.key = SigningKey::shared(algorithm);
        let token = scene.token();
        // Also of a token that was verified before.
        for _ in 0..3 {
            let proof = scene.proof(&token).encode();
            let answer = scene.send("DPoP", &token, &proof).await;
            assert_eq!(reason_of(&answer), "accepted");
            assert_eq!(text(answer).await, "ann");
        }
        let proof = scene.proof(&token).encode();
        assert_eq!(scene.send("dpop", &token, &proof).await.status(), 200);
    }
}

#[tokio::test]
async fn dp_1_each_condition_that_is_violated_refuses_the_proof() {
    let scene = Scene::new(DpopConfig::default());
    let token = scene.token();
    let other = SigningKey::generate(Alg::Es256);
    let (private, _) = scene.key.bare_jwk();
    let mut private_jwk = private.clone();
    private_jwk["d"] = json!("AAAA");
    let proof = || scene.proof(&token);
    let by_other = Proof {
        key: other.clone(),
        ..proof()
    };
    let wholly_others = Proof {
        key: other.clone(),
        ..proof().header("jwk", other.bare_jwk().0)
    };
    let year = 365 * 86_400;
    let proofs = [
        (
            proof().header("typ", json!("JWT")),
            "the proof's type is not dpop+jwt",
        ),
        (
            proof().header("typ", json!("DPoP+JWT")),
            "the proof's type is not dpop+jwt",
        ),
        (proof().without("typ"), "the proof's type is not dpop+jwt"),
        (
            proof().header("alg", json!("none")),
            "the proof's algorithm is not allowed",
        ),
        (
            proof().header("alg", json!("HS256")),
            "the proof's algorithm is not allowed",
        ),
        (
            proof().header("alg", json!("es256")),
            "the proof's algorithm is not allowed",
        ),
        (
            proof().header("alg", json!("RS256")),
            "its algorithm is not allowed, or does not fit its type",
        ),
        (
            proof().header("crit", json!(["x"])),
            "the proof has critical extensions",
        ),
        (
            proof().header("zip", json!("DEF")),
            "the proof asks for another encoding",
        ),
        (
            proof().header("b64", json!(false)),
            "the proof asks for another encoding",
        ),
        (proof().without("jwk"), "the proof has no key"),
        (
            proof().header("jwk", private_jwk),
            "it holds private key material",
        ),
        (
            proof().header("jwk", json!({ "kty": "oct", "k": "AAAA" })),
            "it holds private key material",
        ),
        (by_other, "the proof's signature is not valid"),
        (
            wholly_others,
            "the proof is signed by another key than the token's",
        ),
        (
            proof().claim("htm", json!("GET")),
            "the proof is for another method",
        ),
        (
            proof().claim("htm", json!("post")),
            "the proof is for another method",
        ),
        (proof().without("htm"), "the proof is for another method"),
        (
            proof().claim("htu", json!("https://evil.example/mcp")),
            "the proof is for another URL",
        ),
        (
            proof().claim("htu", json!("http://mcp.example.com/mcp")),
            "the proof is for another URL",
        ),
        (proof().without("htu"), "the proof is for another URL"),
        (
            proof().claim("iat", json!(NOW - 301)),
            "the proof is too old, or of the future",
        ),
        (
            proof().claim("iat", json!(NOW + 301)),
            "the proof is too old, or of the future",
        ),
        (
            proof().claim("iat", json!(NOW + year)),
            "the proof is too old, or of the future",
        ),
        (
            proof().claim("iat", json!("now")),
            "a date is not a number of seconds",
        ),
        (proof().without("iat"), "the proof has no time"),
        (
            proof().claim("ath", json!(hash(b"another"))),
            "the proof is for another token",
        ),
        (proof().without("ath"), "the proof is for another token"),
        (
            proof().without("jti"),
            "the proof's id or nonce is no text of reasonable length",
        ),
        (
            proof().claim("jti", json!("x".repeat(257))),
            "the proof's id or nonce is no text of reasonable length",
        ),
    ];
    for (proof, reason) in proofs {
        let answer = scene.send("DPoP", &token, &proof.encode()).await;
        assert_eq!(reason_of(&answer), reason);
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let line = challenge(&answer);
        assert!(line.starts_with("DPoP "), "{line}");
        assert!(line.contains(r#"error="invalid_dpop_proof""#), "{line}");
    }
    for text in ["", "x", "a.b", "a.b.c.d", "e30.e30.AAAA"] {
        let answer = scene.send("DPoP", &token, text).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{text}");
    }
    let long = format!("{}.e30.AAAA", "A".repeat(8192));
    assert_eq!(scene.send("DPoP", &token, &long).await.status(), 401);
}

#[tokio::test]
async fn dp_1_none_or_two_proofs_are_no_proof() {
    let scene = Scene::new(DpopConfig::default());
    let token = scene.token();
    let answer = send(&scene.layer, request(&format!("DPoP {token}"))).await;
    assert_eq!(reason_of(&answer), "no proof");
    let mut twice = request(&format!("DPoP {token}"));
    for _ in 0..2 {
        let proof = scene.proof(&token).encode();
        twice.headers_mut().append("dpop", proof.parse().unwrap());
    }
    let answer = send(&scene.layer, twice).await;
    assert_eq!(reason_of(&answer), "several proofs");
    assert!(challenge(&answer).contains("invalid_dpop_proof"));
}

#[tokio::test]
async fn dp_2_a_bound_token_is_no_bearers_and_an_unbound_one_needs_no_proof() {
    let scene = Scene::new(DpopConfig::default());
    let (bound, unbound) = (scene.token(), scene.mint.token().encode());
    // Twice, for the second time the token is remembered.
    for _ in 0..2 {
        let proof = scene.proof(&bound).encode();
        let answer = scene.send("Bearer", &bound, &proof).await;
        let bearer = "the token is bound to a key, which a bearer does not prove to hold";
        assert_eq!(reason_of(&answer), bearer);
        assert!(challenge(&answer).contains(r#"error="invalid_token""#));
        let proof = scene.proof(&unbound).encode();
        let answer = scene.send("DPoP", &unbound, &proof).await;
        assert_eq!(reason_of(&answer), "the token is bound to no key");
        assert!(challenge(&answer).starts_with("DPoP "));
        let answer = send(&scene.layer, request(&format!("Bearer {unbound}"))).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn without_configuration_bound_tokens_are_refused_and_the_scheme_is_unknown() {
    let clock = clock();
    let layer = JwtLayer::new(builder(&clock).build().unwrap());
    let scene = Scene::new(DpopConfig::default());
    let token = scene.token();
    let answer = send(&layer, request(&format!("Bearer {token}"))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let mut request = request(&format!("DPoP {token}"));
    let proof = scene.proof(&token).encode();
    request.headers_mut().insert("dpop", proof.parse().unwrap());
    let answer = send(&layer, request).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(!challenge(&answer).contains("error"));
}

#[tokio::test]
async fn dp_4_a_proof_is_good_once() {
    let scene = Scene::new(DpopConfig::default());
    let token = scene.token();
    let proof = scene.proof(&token).encode();
    assert_eq!(scene.send("DPoP", &token, &proof).await.status(), 200);
    for _ in 0..2 {
        let answer = scene.send("DPoP", &token, &proof).await;
        assert_eq!(reason_of(&answer), "the proof was used before");
    }
    // At the edge of its time it still counts as used; after it the proof is too old.
    scene.clock.advance(Duration::from_secs(299));
    let answer = scene.send("DPoP", &token, &proof).await;
    assert_eq!(reason_of(&answer), "the proof was used before");
    scene.clock.advance(Duration::from_secs(2));
    let answer = scene.send("DPoP", &token, &proof).await;
    assert_eq!(reason_of(&answer), "the proof is too old, or of the future");
    // A refused token leaves no trace, so nobody spends another's proof.
    let fresh = scene.proof(&token);
    let spoiled = fresh.encode().replace('.', "..");
    assert_eq!(scene.send("DPoP", &token, &spoiled).await.status(), 401);
    assert_eq!(
        scene.send("DPoP", &token, &fresh.encode()).await.status(),
        200
    );
}

#[tokio::test]
async fn dp_3_with_nonces_a_proof_without_one_is_told_which_to_use() {
    let scene = Scene::new(DpopConfig::default().nonces());
    let token = scene.token();
    let answer = scene
        .send("DPoP", &token, &scene.proof(&token).encode())
        .await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(challenge(&answer).contains(r#"error="use_dpop_nonce""#));
    assert_eq!(answer.headers()["cache-control"], "no-store", "SH-3");
    let nonce = answer.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let with = |nonce: &str| scene.proof(&token).claim("nonce", json!(nonce)).encode();
    let answer = scene.send("DPoP", &token, &with(&nonce)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.headers().contains_key("dpop-nonce"));
    // In the second half of its time the caller gets the next one with the answer.
    scene.clock.advance(Duration::from_secs(200));
    let answer = scene.send("DPoP", &token, &with(&nonce)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let next = answer.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    assert_ne!(next, nonce);
    assert_eq!(answer.headers()["cache-control"], "no-store", "SH-3");
    scene.clock.advance(Duration::from_secs(90));
    assert_eq!(scene.send("DPoP", &token, &with(&next)).await.status(), 200);
    scene.clock.advance(Duration::from_secs(10));
    for stale in [&*nonce, "x", ""] {
        let answer = scene.send("DPoP", &token, &with(stale)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{stale}");
    }
}

#[tokio::test]
async fn dp_3_the_challenges_offer_both_schemes_bearer_first_or_dpop_alone() {
    let bare = || Request::post("/mcp").body(Full::default()).unwrap();
    let lines = async |config: DpopConfig| {
        let answer = send(&Scene::new(config).layer, bare()).await;
        let lines = answer.headers().get_all("www-authenticate").iter();
        let lines = lines.map(|line| line.to_str().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    let both = lines(DpopConfig::default()).await;
    assert_eq!(both.len(), 2);
    assert!(both[0].starts_with("Bearer ") && !both[0].contains("algs"));
    assert!(both[1].starts_with(r#"DPoP algs="RS256 PS256 ES256 ES384 EdDSA""#));
    assert!(
        both.iter()
            .all(|l| l.contains("resource_metadata") && !l.contains("error"))
    );
    let only = lines(DpopConfig::default().required()).await;
    assert_eq!(only, [both[1].clone()]);
}

#[test]
fn md_6_the_metadata_tells_what_proofs_are_taken_and_whether_they_are_required() {
    let document = |config: Option<DpopConfig>| {
        let mut verifier = builder(&clock());
        if let Some(config) = config {
            verifier = verifier.dpop(config);
        }
        let json = verifier.build().unwrap().metadata().json().clone();
        serde_json::from_slice::<Value>(&json).unwrap()
    };
    let (algorithms, required) = (
        "dpop_signing_alg_values_supported",
        "dpop_bound_access_tokens_required",
    );
    let none = document(None);
    assert!(none.get(algorithms).is_none() && none.get(required).is_none());
    let optional = document(Some(DpopConfig::default()));
    assert_eq!(
        optional[algorithms],
        json!(["RS256", "PS256", "ES256", "ES384", "EdDSA"])
    );
    assert!(optional.get(required).is_none());
    assert_eq!(
        document(Some(DpopConfig::default().required()))[required],
        true
    );
}

#[test]
fn md_6_the_metadata_tells_that_tokens_of_certificates_are_taken_where_it_is_said() {
    let bound = |verifier: JwtVerifierBuilder| {
        let json = verifier.build().unwrap().metadata().json().clone();
        let document: Value = serde_json::from_slice(&json).unwrap();
        document
            .get("tls_client_certificate_bound_access_tokens")
            .cloned()
    };
    assert_eq!(bound(builder(&clock())), None);
    let said = builder(&clock()).tls_client_certificate_bound_access_tokens();
    assert_eq!(bound(said), Some(json!(true)));
}

#[tokio::test]
async fn where_possession_is_required_a_bearer_is_refused() {
    let scene = Scene::new(DpopConfig::default().required());
    let token = scene.mint.token().encode();
    for _ in 0..2 {
        let answer = send(&scene.layer, request(&format!("Bearer {token}"))).await;
        assert_eq!(reason_of(&answer), "a token that is bound to nothing");
        assert!(challenge(&answer).starts_with("DPoP "));
    }
    let token = scene.token();
    let proof = scene.proof(&token).encode();
    assert_eq!(scene.send("DPoP", &token, &proof).await.status(), 200);
}

#[tokio::test]
async fn where_possession_is_required_no_token_verifies_outside_of_a_request() {
    let clock = clock();
    let verifier = builder(&clock).dpop(DpopConfig::default().required());
    let verifier = verifier.build().unwrap();
    let unbound = mint(&clock).token().encode();
    for _ in 0..2 {
        let result = verifier.verify(&unbound).await;
        assert_eq!(reason(result.clone()), "a token that is bound to nothing");
        let denial = result.unwrap_err();
        assert!(
            denial.challenges()[0]
                .to_str()
                .unwrap()
                .starts_with("DPoP ")
        );
    }
}

#[tokio::test]
async fn dp_5_a_certificate_bound_token_needs_its_certificate_at_every_request() {
    const DER: &[u8] = b"certificate";
    for config in [None, Some(DpopConfig::default().required())] {
        let clock = clock();
        let mut verifier = builder(&clock);
        if let Some(config) = config {
            verifier = verifier.dpop(config);
        }
        let layer = JwtLayer::new(verifier.build().unwrap());
        let cnf = json!({ "x5t#S256": hash(DER) });
        let token = mint(&clock).token().claim("cnf", cnf).encode();
        let ask = async |der: Option<&'static [u8]>| {
            let mut request = request(&format!("Bearer {token}"));
            if let Some(der) = der {
                let certificate = ClientCertificate::from_der(der);
                request.extensions_mut().insert(certificate);
            }
            reason_of(&send(&layer, request).await)
        };
        for _ in 0..2 {
            let none = "the token is bound to a certificate, and none was presented";
            assert_eq!(ask(None).await, none);
            assert_eq!(ask(Some(DER)).await, "accepted");
            let other = "the token is bound to another certificate";
            assert_eq!(ask(Some(b"another")).await, other);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_bound_twice_needs_both() {
    let scene = Scene::new(DpopConfig::default());
    let (_, jkt) = scene.key.bare_jwk();
    let cnf = json!({ "jkt": jkt, "x5t#S256": hash(b"certificate") });
    let token = scene.mint.token().claim("cnf", cnf).encode();
    let proof = scene.proof(&token).encode();
    assert_eq!(scene.send("DPoP", &token, &proof).await.status(), 401);
    let mut request = request(&format!("DPoP {token}"));
    request.headers_mut().insert("dpop", proof.parse().unwrap());
    let certificate = ClientCertificate::from_der(&b"certificate"[..]);
    request.extensions_mut().insert(certificate);
    assert_eq!(send(&scene.layer, request).await.status(), 200);
}

#[tokio::test]
async fn outside_of_a_request_a_bound_token_is_nobodys() {
    let scene = Scene::new(DpopConfig::default());
    let verifier = builder(&scene.clock).dpop(DpopConfig::default());
    let verifier = verifier.build().unwrap();
    let bearer = "the token is bound to a key, which a bearer does not prove to hold";
    assert_eq!(reason(verifier.verify(&scene.token()).await), bearer);
}

#[tokio::test]
async fn a_client_that_fills_the_memory_of_proofs_is_refused_alone() {
    let mut config = DpopConfig::default();
    config.replay_capacity = 1000;
    let mut scene = Scene::new(config);
    let token = scene.token();
    let mut taken = 0;
    let refused = loop {
        let proof = scene.proof(&token).encode();
        let answer = scene.send("DPoP", &token, &proof).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        taken += 1;
        assert!(taken <= 1000, "nothing is refused");
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(
        reason_of(&refused),
        "more proofs of one key than are remembered"
    );
    // Another client's are good, and the first one's are again when its old ones are forgotten.
    let first = std::mem::replace(&mut scene.key, SigningKey::generate(Alg::Es256));
    let others = scene.token();
    let proof = scene.proof(&others).encode();
    assert_eq!(scene.send("DPoP", &others, &proof).await.status(), 200);
    scene.key = first;
    scene.clock.advance(Duration::from_secs(340));
    let token = scene.token();
    let proof = scene.proof(&token).encode();
    assert_eq!(scene.send("DPoP", &token, &proof).await.status(), 200);
}

#[tokio::test]
async fn dp_1_a_proof_is_good_at_its_path_alone() {
    let at = async |config: DpopConfig, path: &str, htu: &str| {
        let scene = Scene::new(config);
        let token = scene.token();
        let proof = scene.proof(&token).claim("htu", json!(htu)).encode();
        let request = Request::post(path).header("dpop", proof);
        let request = request.header(AUTHORIZATION, format!("DPoP {token}"));
        reason_of(&send(&scene.layer, request.body(Full::default()).unwrap()).await)
    };
    let another = "the proof is for another path than the request's";
    let config = DpopConfig::default;
    assert_eq!(at(config(), "/mcp", U).await, "accepted");
    assert_eq!(at(config(), "/mcp?x=1", U).await, "accepted");
    assert_eq!(
        at(config(), "https://mcp.example.com/mcp", U).await,
        "accepted"
    );
    for path in ["/admin", "/", "/mcp/", "/mcp/x", "/MCP"] {
        assert_eq!(at(config(), path, U).await, another, "{path}");
    }
    let two = config().url("https://mcp.example.com/admin");
    assert_eq!(at(two.clone(), "/admin", U).await, another);
    let admin = "https://mcp.example.com/admin";
    assert_eq!(at(two, "/admin", admin).await, "accepted");
    let behind_a_proxy = config().url("https://mcp.example.com/notes/mcp");
    let notes = "https://mcp.example.com/notes/mcp";
    assert_eq!(at(behind_a_proxy.clone(), "/mcp", notes).await, another);
    let behind_a_proxy = behind_a_proxy.stripped_prefix("/notes");
    assert_eq!(at(behind_a_proxy.clone(), "/mcp", notes).await, "accepted");
    assert_eq!(at(behind_a_proxy, "/admin", notes).await, another);
    assert_eq!(
        at(config().danger_any_path(), "/admin", U).await,
        "accepted"
    );
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn dp_1_a_nested_router_is_asked_by_the_path_that_the_client_sent() {
    let scene = Scene::new(DpopConfig::default());
    let token = scene.token();
    let inner = axum::Router::new()
        .route("/", axum::routing::post(async || "here"))
        .layer(scene.layer.clone());
    let app = axum::Router::new()
        .nest("/mcp", inner.clone())
        .nest("/admin", inner);
    for (path, status) in [("/mcp", 200), ("/admin", 401)] {
        let proof = scene.proof(&token).encode();
        let request = Request::post(path).header("dpop", proof);
        let request = request.header(AUTHORIZATION, format!("DPoP {token}"));
        let request = request.body(axum::body::Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

/// Clients that have been idle are told a nonce, and nobody is locked out for it.
#[tokio::test]
async fn dp_3_to_need_a_nonce_is_no_failed_authentication() {
    let clock = clock();
    let verifier = builder(&clock).dpop(DpopConfig::default().nonces());
    let layer = JwtLayer::new(verifier.build().unwrap());
    let scene = Scene {
        clock,
        layer,
        ..Scene::new(DpopConfig::default())
    };
    let failed = Quota::per_minute(60).unwrap().burst(1).unwrap();
    let limits = AddressLimits::builder().failed_authentication(failed);
    let limits = AddressLimitLayer::new(limits.clock(scene.clock.clone()).build().unwrap());
    let app = limits.layer(
        scene
            .layer
            .layer(service_fn(|_: Request<Full<Bytes>>| async {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            })),
    );
    let ask = async |proof: Proof, token: &str| {
        let mut request = request(&format!("DPoP {token}"));
        let field = proof.encode().parse().unwrap();
        request.headers_mut().insert("dpop", field);
        app.clone().oneshot(request).await.unwrap()
    };
    let token = scene.token();
    let mut nonce = json!("");
    for _ in 0..3 {
        let answer = ask(scene.proof(&token), &token).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let denial = answer.extensions().get::<Denial>().unwrap();
        assert_eq!(denial.kind(), DenialKind::NonceNeeded);
        nonce = json!(answer.headers()["dpop-nonce"].to_str().unwrap());
    }
    let good = scene.proof(&token).claim("nonce", nonce);
    assert_eq!(ask(good, &token).await.status(), StatusCode::OK);
    // What is at fault counts as ever.
    for status in [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS] {
        let bad = scene.proof(&token).claim("htm", json!("GET"));
        assert_eq!(ask(bad, &token).await.status(), status);
    }
}

#[test]
fn a_configuration_of_proofs_that_is_unsafe_names_its_setting() {
    let build = |config: DpopConfig| {
        let built = builder(&clock()).dpop(config).build();
        built.map_err(|error| error.setting())
    };
    let changed = |change: fn(&mut DpopConfig)| {
        let mut config = DpopConfig::default();
        change(&mut config);
        build(config).unwrap_err()
    };
    assert!(build(DpopConfig::default().url("https://other.example/mcp")).is_ok());
    assert_eq!(changed(|c| c.algorithms.clear()), "dpop.algorithms");
    assert_eq!(
        changed(|c| c.algorithms = vec![Algorithm::HS256]),
        "dpop.algorithms"
    );
    assert_eq!(changed(|c| c.window_seconds = 301), "dpop.window_seconds");
    assert_eq!(changed(|c| c.window_seconds = 4), "dpop.window_seconds");
    assert_eq!(changed(|c| c.replay_capacity = 999), "dpop.replay_capacity");
    assert_eq!(changed(|c| c.urls = vec!["mcp".into()]), "dpop.urls");
    let prefix = "dpop.stripped_prefix";
    assert_eq!(changed(|c| c.stripped_prefix = Some("mcp/".into())), prefix);
    let secret = |secret: &str, config: Option<DpopConfig>| {
        let mut verifier = builder(&clock()).dpop_nonce_secret(secret.to_owned());
        if let Some(config) = config {
            verifier = verifier.dpop(config);
        }
        verifier.build().map_err(|error| error.setting())
    };
    let good = "0123456789abcdef";
    assert!(secret(good, Some(DpopConfig::default().nonces())).is_ok());
    let setting = "dpop_nonce_secret";
    assert_eq!(
        secret("short", Some(DpopConfig::default().nonces())).unwrap_err(),
        setting
    );
    assert_eq!(
        secret(good, Some(DpopConfig::default())).unwrap_err(),
        setting
    );
    assert_eq!(secret(good, None).unwrap_err(), setting);
}

#[tokio::test]
async fn a_proof_stays_with_its_layer_and_beside_a_bearer_it_is_no_second_credential() {
    let scene = Scene::new(DpopConfig::default());
    let token = scene.mint.token().encode();
    let mut request = request(&format!("Bearer {token}"));
    request.headers_mut().insert("dpop", "x".parse().unwrap());
    let inner = service_fn(|request: Request<Full<Bytes>>| async move {
        assert!(request.headers().get("dpop").is_none(), "TV-15");
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let layer: AuthLayer = scene.layer.clone().into();
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}
