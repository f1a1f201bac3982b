//! Tokens as identity providers document them (`tests/vectors/providers.json`), all behind one
//! verifier.

use bartizan_core::PrincipalKind;
use bartizan_jwt::{IssuerConfig, WorkosWebhooks};
use bartizan_kit::Algorithm as Alg;
use serde::Deserialize;

use super::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/providers.json");
const TENANT: &str = "8d6f2c2e-2f6b-4f6b-9c57-6a1a3f0d7b11";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    provider: String,
    name: String,
    header: serde_json::Value,
    claims: serde_json::Value,
    principal: Option<Expected>,
    refused: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: String,
    subject: String,
    client: Option<String>,
    tenant: Option<String>,
    roles: Vec<String>,
    scopes: Vec<String>,
}

impl Expected {
    fn of(principal: &Principal) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            kind: match principal.kind() {
                PrincipalKind::Service => "service".into(),
                PrincipalKind::User => "user".into(),
                _ => "other".into(),
            },
            subject: principal.subject().into(),
            client: text(principal.client_id()),
            tenant: text(principal.tenant()),
            roles: principal.roles().map(str::to_owned).collect(),
            scopes: principal.scopes().map(str::to_owned).collect(),
        }
    }
}

fn providers() -> [(&'static str, IssuerConfig); 6] {
    [
        ("entra_id", IssuerConfig::entra_id(TENANT)),
        (
            "okta",
            IssuerConfig::okta("https://example.okta.com/oauth2/default"),
        ),
        ("auth0", IssuerConfig::auth0("example.eu.auth0.com")),
        (
            "keycloak",
            IssuerConfig::keycloak("https://sso.example.com/", "notes"),
        ),
        (
            "cognito",
            IssuerConfig::cognito("us-east-1", "us-east-1_example"),
        ),
        (
            "workos",
            IssuerConfig::workos("example.authkit.app", "org_01HXYZ")
                .audience("api://mcp")
                .audience("client_01ENVIRONMENT"),
        ),
    ]
}

#[tokio::test]
async fn tokens_of_the_providers_become_the_principals_that_they_mean() {
    let clock = clock();
    let mint = mint(&clock);
    let key = mint.key(Alg::Rs256);
    let mut verifier = JwtVerifier::builder()
        .audience("api://mcp")
        .resource(U)
        .clock(clock.clone());
    for (_, config) in providers() {
        verifier = verifier.add_issuer(config.jwk_set(mint.jwks().to_string()));
    }
    let verifier = verifier.build().unwrap();

    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    for (provider, config) in providers() {
        let of_it = vectors.iter().filter(|v| v.provider == provider);
        let (mut yes, mut no) = (0, 0);
        for vector in of_it {
            let name = format!("{provider}: {}", vector.name);
            assert_eq!(vector.claims["iss"], config.issuer, "{name}");
            let header = vector.header.to_string().replace("KID", key.kid());
            let token = mint
                .token()
                .signed_by(&key)
                .raw_header(header)
                .raw_claims(vector.claims.to_string());
            match (verifier.verify(&token.encode()).await, &vector.principal) {
                (Ok(principal), Some(expected)) => {
                    assert_eq!(Expected::of(&principal), *expected, "{name}");
                    yes += 1;
                }
                (Err(denial), None) => {
                    assert_eq!(Some(denial.reason()), vector.refused.as_deref(), "{name}");
                    no += 1;
                }
                (result, _) => panic!("{name}: {}", reason(result)),
            }
        }
        assert!(yes > 0 && no > 0, "{provider}: {yes} {no}");
        let unmarked =
            "a claim that access tokens of this issuer have is missing, or says something else";
        let is_unmarked =
            |v: &Vector| v.provider == provider && v.refused.as_deref() == Some(unmarked);
        assert!(vectors.iter().any(is_unmarked), "TV-7: {provider}");
    }
    assert!(
        vectors
            .iter()
            .all(|v| providers().iter().any(|(p, _)| *p == v.provider))
    );
}

#[tokio::test]
async fn a_session_that_ends_at_workos_is_over_here_and_the_next_one_is_not() {
    let clock = clock();
    let mint = mint(&clock);
    let key = mint.key(Alg::Rs256);
    let list = bartizan_core::auth::Revocations::with_clock(10, clock.clone());
    let config = IssuerConfig::workos("example.authkit.app", "org_01");
    let config = config.jwk_set(mint.jwks().to_string());
    let verifier = JwtVerifier::builder()
        .audience("api://mcp")
        .resource(U)
        .add_issuer(config)
        .revocations(list.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    let token = |session: &str| {
        let claims = serde_json::json!({
            "iss": "https://example.authkit.app", "aud": "api://mcp", "sub": "user_01",
            "sid": session, "org_id": "org_01", "client_id": "c", "iat": NOW, "exp": NOW + 300,
        });
        let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, key.kid());
        let token = mint.token().signed_by(&key).raw_header(header);
        token.raw_claims(claims.to_string()).encode()
    };
    assert_eq!(
        reason(verifier.verify(&token("session_1")).await),
        "accepted"
    );
    let webhooks = WorkosWebhooks::new(SECRET.to_owned()).unwrap();
    let webhooks = webhooks.clock(clock.clone());
    let body = event("session.revoked", "session_1");
    let ended = webhooks.read(&signed(SECRET, NOW * 1000, &body), body.as_bytes());
    let ended = ended.unwrap().unwrap();
    let hour = Duration::from_secs(3600);
    ended
        .revoke(&list, "https://example.authkit.app", hour)
        .unwrap();
    assert_eq!(
        reason(verifier.verify(&token("session_1")).await),
        "the session is revoked"
    );
    assert_eq!(
        reason(verifier.verify(&token("session_2")).await),
        "accepted"
    );
}

const SECRET: &str = "secret of the webhook";

/// The field `WorkOS-Signature`.
fn signed(secret: &str, milliseconds: u64, body: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let mark = aws_lc_rs::hmac::sign(&key, format!("{milliseconds}.{body}").as_bytes());
    let hex: String = mark.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("t={milliseconds}, v1={hex}")
}

fn event(name: &str, session: &str) -> String {
    let data = serde_json::json!({
        "object": "session", "id": session, "user_id": "user_01", "organization_id": "org_01",
        "ip_address": "198.51.100.7", "status": "revoked", "auth_method": "password",
    });
    serde_json::json!({ "id": "event_01", "event": name, "data": data }).to_string()
}

#[test]
fn a_webhook_counts_if_workos_signed_it_now() {
    let clock = clock();
    let webhooks = WorkosWebhooks::new(SECRET.to_owned()).unwrap();
    let webhooks = webhooks.clock(clock.clone());
    let read = |field: &str, body: &str| {
        let read = webhooks.read(field, body.as_bytes());
        read.map_err(|refused| refused.reason())
    };
    let (body, now) = (event("session.revoked", "session_1"), NOW * 1000);
    let good = signed(SECRET, now, &body);
    let ended = read(&good, &body).unwrap().unwrap();
    assert_eq!((&*ended.session, &*ended.user), ("session_1", "user_01"));
    assert_eq!(ended.organization.as_deref(), Some("org_01"));

    let not_valid = Err("the signature is not valid");
    assert_eq!(
        read(&good, &event("session.revoked", "session_2")),
        not_valid
    );
    assert_eq!(read(&good, &format!("{body} ")), not_valid);
    let another = signed("another secret than that", now, &body);
    assert_eq!(read(&another, &body), not_valid);
    let later = good.replace(&now.to_string(), &(now + 1).to_string());
    assert_eq!(read(&later, &body), not_valid);
    assert_eq!(read("", &body), Err("the signature cannot be read"));
    assert_eq!(
        read(&good.replace(", v1", ""), &body),
        Err("the signature cannot be read")
    );

    let of_another_time = Err("the signature is too old, or of the future");
    for (at, is_now) in [
        (now - 180_000, true),
        (now - 180_001, false),
        (now + 180_000, true),
        (now + 180_001, false),
        (0, false),
        (u64::MAX, false),
    ] {
        let result = read(&signed(SECRET, at, &body), &body);
        assert_eq!(result.is_ok(), is_now, "{at}");
        assert!(is_now || result == of_another_time, "{at}");
    }

    let read_signed = |body: &str| read(&signed(SECRET, now, body), body);
    assert_eq!(
        read_signed(&event("session.created", "session_1")),
        Ok(None)
    );
    for (body, reason) in [
        ("", "not one unambiguous JSON object"),
        ("[]", "not one unambiguous JSON object"),
        (
            r#"{"event":"x","event":"session.revoked"}"#,
            "not one unambiguous JSON object",
        ),
        ("{}", "the event is not named"),
        (r#"{"event":["session.revoked"]}"#, "the event is not named"),
        (r#"{"event":"session.revoked"}"#, "the session is not named"),
        (
            r#"{"event":"session.revoked","data":{"id":7,"user_id":"u"}}"#,
            "the session is not named",
        ),
        (
            r#"{"event":"session.revoked","data":{"id":"","user_id":"u"}}"#,
            "the session is not named",
        ),
    ] {
        assert_eq!(read_signed(body), Err(reason), "{body}");
    }
    let long = " ".repeat(300_000);
    assert_eq!(read_signed(&long), Err("the body is too long"));
    assert!(WorkosWebhooks::new("too short".to_owned()).is_err());
}

#[tokio::test]
async fn seed_a4_workos_lets_one_organization_in_unless_the_danger_is_accepted() {
    let clock = clock();
    let mint = mint(&clock);
    let key = mint.key(Alg::Rs256);
    let verifier = |config: IssuerConfig| {
        let verifier = JwtVerifier::builder().audience("api://mcp").resource(U);
        let config = config.jwk_set(mint.jwks().to_string());
        verifier
            .add_issuer(config)
            .clock(clock.clone())
            .build()
            .unwrap()
    };
    let token = |organization: Option<&str>| {
        let mut claims = serde_json::json!({
            "iss": "https://example.authkit.app", "aud": "api://mcp", "sub": "user_01",
            "client_id": "c", "iat": NOW, "exp": NOW + 300,
        });
        if let Some(organization) = organization {
            claims["org_id"] = organization.into();
        }
        let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, key.kid());
        let token = mint.token().signed_by(&key).raw_header(header);
        token.raw_claims(claims.to_string()).encode()
    };
    let one = verifier(IssuerConfig::workos("example.authkit.app", "org_01"));
    let any = verifier(IssuerConfig::danger_workos_any_organization(
        "example.authkit.app",
    ));
    for (organization, expected) in [
        (Some("org_01"), "accepted"),
        (Some("org_02"), "another tenant"),
        (None, "another tenant"),
    ] {
        let token = token(organization);
        assert_eq!(reason(one.verify(&token).await), expected);
        assert_eq!(reason(any.verify(&token).await), "accepted");
    }
    let two = IssuerConfig::workos("example.authkit.app", "org_01");
    let two = verifier(two.tenants(["org_01", "org_02"]));
    assert_eq!(reason(two.verify(&token(Some("org_02"))).await), "accepted");
}

#[tokio::test]
async fn one_token_of_entra_is_revoked_by_its_uti() {
    let clock = clock();
    let mint = mint(&clock);
    let key = mint.key(Alg::Rs256);
    let list = bartizan_core::auth::Revocations::with_clock(10, clock.clone());
    let config = IssuerConfig::entra_id(TENANT);
    let issuer = config.issuer.clone();
    let verifier = JwtVerifier::builder()
        .audience("api://mcp")
        .resource(U)
        .add_issuer(config.jwk_set(mint.jwks().to_string()))
        .revocations(list.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    let token = |uti: &str| {
        let claims = serde_json::json!({
            "iss": issuer, "aud": "api://mcp", "sub": "s", "tid": TENANT, "azp": "c", "uti": uti,
            "iat": NOW, "exp": NOW + 300,
        });
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{}"}}"#, key.kid());
        let token = mint.token().signed_by(&key).raw_header(header);
        token.raw_claims(claims.to_string()).encode()
    };
    let until = Duration::from_secs(NOW + 300);
    list.revoke_credential(&issuer, "u-1", until).unwrap();
    let revoked = "the credential is revoked";
    assert_eq!(reason(verifier.verify(&token("u-1")).await), revoked);
    assert_eq!(reason(verifier.verify(&token("u-2")).await), "accepted");
}

/// Base URLs are settings: each preset works with a server elsewhere, by discovery.
#[tokio::test]
async fn a_preset_whose_issuer_is_pointed_elsewhere_discovers_its_keys_there() {
    for (provider, mut config) in providers() {
        let clock = clock();
        let issuer = Issuer::start_at("/tenant-1").await;
        config.issuer = issuer.url().to_owned();
        config.audience.clear();
        let verifier = JwtVerifier::builder()
            .audience(U)
            .add_issuer(config)
            .clock(clock.clone());
        let verifier = verifier.build().unwrap();
        let key = issuer.mint().key(Alg::Rs256);
        let token = issuer
            .mint()
            .clone()
            .with_clock(clock)
            .token()
            .signed_by(&key);
        let sort = match provider {
            "keycloak" => token.claim("typ", "Bearer"),
            "cognito" => token.claim("token_use", "access"),
            "entra_id" => token.claim("azp", "c").claim("tid", TENANT),
            "okta" => token.claim("cid", "c"),
            _ => token.claim("org_id", "org_01HXYZ"),
        };
        let token = sort.typ("JWT").encode();
        assert_eq!(
            reason(verifier.verify(&token).await),
            "accepted",
            "{provider}"
        );
        assert_eq!(issuer.requests(Endpoint::Jwks), 1, "{provider}");
    }
}

#[test]
fn a_required_claim_that_names_none_does_not_build() {
    let config = IssuerConfig::new(I).require_claim("a..b");
    let config = config.jwk_set(mint(&clock()).jwks().to_string());
    let built = JwtVerifier::builder()
        .audience(U)
        .add_issuer(config)
        .build();
    assert_eq!(built.unwrap_err().setting(), "required_claims");
}

#[cfg(feature = "serde")]
#[test]
fn required_claims_are_read_from_a_file() {
    use bartizan_jwt::RequiredClaim;
    let text = r#"{"issuer": "https://a.example", "credential_id_claim": "uti", "required_claims": [
        {"claims": ["azp", "client_id"]}, {"claims": ["typ"], "values": ["Bearer"]}]}"#;
    let config: IssuerConfig = serde_json::from_str(text).unwrap();
    let same = IssuerConfig::new("https://a.example")
        .credential_id_claim("uti")
        .require_claim(RequiredClaim::from("azp").or("client_id"))
        .require_claim(RequiredClaim::from("typ").values(["Bearer"]));
    assert_eq!(config, same);
    let unknown = r#"{"required_claims": [{"claim": "azp"}]}"#;
    assert!(serde_json::from_str::<IssuerConfig>(unknown).is_err());
}

#[test]
fn a_value_that_tells_services_needs_its_claim() {
    let clock = clock();
    let mut config = IssuerConfig::new(I).jwk_set(mint(&clock).jwks().to_string());
    config.service_value = Some("app".into());
    let built = JwtVerifier::builder()
        .audience(U)
        .add_issuer(config)
        .build();
    assert_eq!(built.unwrap_err().setting(), "service_value");
}
