//! Client certificates over real TLS, through the acceptor of the example.

use axum::{Router, routing::get};
use bartizan::{
    AuthLayer, Caller, JwtLayer, JwtVerifier, NetworkLayer,
    network::{CertificateName, MtlsVerifier},
};
use bartizan_kit::TokenMint;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

#[path = "../../examples/mtls_server/tls.rs"]
mod tls;

use tls::{Authority, Credential};

const BILLING: &str = "spiffe://example.org/billing";

async fn serve(authority: &Authority, auth: AuthLayer) -> String {
    let app = Router::new()
        .route("/", get(async |caller: Caller| caller.subject().to_owned()))
        .layer(auth)
        .layer(NetworkLayer::new().tls_terminated_here());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let config = authority.server().unwrap();
    tokio::spawn(tls::serve(listener, config, app));
    url
}

fn client(authority: &Authority, own: Option<&Credential>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let mut client = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
    if let Some(own) = own {
        let pem = format!("{}{}", own.certificate, own.key);
        client = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    client.build().unwrap()
}

async fn status(client: &reqwest::Client, url: &str) -> u16 {
    client.get(url).send().await.unwrap().status().as_u16()
}

fn programs() -> MtlsVerifier {
    MtlsVerifier::new("https://pki.example.org", CertificateName::Uri)
        .and_then(|programs| programs.identity(BILLING, ["service"]))
        .unwrap()
}

#[tokio::test]
async fn a_program_is_known_by_the_certificate_that_its_handshake_proved() {
    let authority = Authority::new().unwrap();
    let url = serve(&authority, AuthLayer::new(programs())).await;
    let billing = authority.client(BILLING).unwrap();
    let answer = client(&authority, Some(&billing)).get(&url).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), BILLING);
    let reports = authority.client("spiffe://example.org/reports").unwrap();
    assert_eq!(status(&client(&authority, Some(&reports)), &url).await, 401);
    assert_eq!(status(&client(&authority, None), &url).await, 401);
}

#[tokio::test]
async fn a_certificate_of_another_authority_ends_the_handshake() {
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let url = serve(&authority, AuthLayer::new(programs())).await;
    let forged = other.client(BILLING).unwrap();
    let answer = client(&authority, Some(&forged)).get(&url).send().await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn dp_5_a_stolen_token_is_worth_nothing_without_its_certificate() {
    const ISSUER: &str = "https://auth.example.com";
    const RESOURCE: &str = "https://mcp.example.com/mcp";
    let authority = Authority::new().unwrap();
    let mint = TokenMint::new(ISSUER, RESOURCE);
    let verifier = JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(RESOURCE)
        .jwk_set(mint.jwks().to_string())
        .build()
        .unwrap();
    let url = serve(&authority, JwtLayer::new(verifier).into()).await;
    let (own, thief) = (
        authority.client(BILLING).unwrap(),
        authority.client("spiffe://example.org/thief").unwrap(),
    );
    let pem = own.certificate.as_bytes();
    let der: rustls::pki_types::CertificateDer<'_> =
        rustls::pki_types::pem::PemObject::from_pem_slice(pem).unwrap();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der));
    let token = mint.token().claim("cnf", json!({ "x5t#S256": thumbprint }));
    let token = token.encode();
    for (credential, expected) in [(Some(&own), 200), (Some(&thief), 401), (None, 401)] {
        let request = client(&authority, credential).get(&url).bearer_auth(&token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected);
    }
}
