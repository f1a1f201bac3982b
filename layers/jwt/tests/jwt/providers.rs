//! Tokens as identity providers document them (`tests/vectors/providers.json`), all behind one
//! verifier.

use bartizan_core::PrincipalKind;
use bartizan_jwt::IssuerConfig;
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
        ("workos", IssuerConfig::workos("example.authkit.app")),
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
        assert!(yes > 0 && yes + no > 1, "{provider}: {yes} {no}");
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
    let config = IssuerConfig::workos("example.authkit.app").jwk_set(mint.jwks().to_string());
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
            "sid": session, "org_id": "org_01", "iat": NOW, "exp": NOW + 300,
        });
        let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, key.kid());
        let token = mint.token().signed_by(&key).raw_header(header);
        token.raw_claims(claims.to_string()).encode()
    };
    assert_eq!(
        reason(verifier.verify(&token("session_1")).await),
        "accepted"
    );
    let until = Duration::from_secs(NOW + 300);
    list.revoke_session("https://example.authkit.app", "session_1", until)
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
