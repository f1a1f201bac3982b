use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::*;

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

async fn get(url: &str) -> Option<Answer> {
    let uri: http::Uri = url.parse().unwrap();
    let stream = TcpStream::connect(uri.authority().unwrap().as_str())
        .await
        .ok()?;
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get(uri.path())
        .header("host", "x")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let (parts, body) = client.send_request(request).await.ok()?.into_parts();
    Some(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.ok()?.to_bytes(),
    })
}

async fn document(url: &str) -> Value {
    serde_json::from_slice(&get(url).await.unwrap().body).unwrap()
}

#[tokio::test]
async fn discovery_leads_to_the_mints_keys() {
    let issuer = Issuer::start().await;
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidMetadata] {
        let metadata = document(&issuer.url_of(endpoint)).await;
        assert_eq!(metadata["issuer"], issuer.url());
        let keys = document(metadata["jwks_uri"].as_str().unwrap()).await;
        assert_eq!(keys["keys"], json!(issuer.mint().jwks().keys()));
        assert_eq!(issuer.requests(endpoint), 1);
    }
    assert_eq!(issuer.requests(Endpoint::Jwks), 2);
    assert_eq!(issuer.connections(), 4);
    assert_eq!(
        get(&format!("{}/nope", issuer.url())).await.unwrap().status,
        404
    );
    assert_eq!(issuer.log().last().unwrap(), "GET /nope");
}

#[tokio::test]
async fn rfc_8414_puts_the_well_known_part_before_the_issuers_path() {
    let issuer = Issuer::start_at("/tenant-1").await;
    let origin = format!("http://{}", issuer.address());
    for path in [
        "/.well-known/oauth-authorization-server/tenant-1",
        "/.well-known/openid-configuration/tenant-1",
        "/tenant-1/.well-known/openid-configuration",
    ] {
        let metadata = document(&format!("{origin}{path}")).await;
        assert_eq!(metadata["issuer"], format!("{origin}/tenant-1"), "{path}");
    }
    let bare = format!("{origin}/.well-known/oauth-authorization-server");
    assert_eq!(get(&bare).await.unwrap().status, 404);
}

#[tokio::test]
async fn it_misbehaves_as_told_and_recovers() {
    let issuer = Issuer::start().await;
    let url = issuer.url_of(Endpoint::Jwks);
    let down = Behaviour::good()
        .status(503)
        .cache_control("no-store")
        .times(1);
    issuer.behave(Endpoint::Jwks, down);
    let answer = get(&url).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(get(&url).await.unwrap().status, 200);

    issuer.behave(
        Endpoint::Jwks,
        Behaviour::good().redirect("http://127.0.0.1:9/"),
    );
    assert_eq!(
        get(&url).await.unwrap().headers["location"],
        "http://127.0.0.1:9/"
    );

    issuer.behave(Endpoint::Jwks, Behaviour::good().padded(300_000).chunked());
    let answer = get(&url).await.unwrap();
    assert!(answer.body.len() > 300_000 && !answer.headers.contains_key("content-length"));
    serde_json::from_slice::<Value>(&answer.body).unwrap();

    let slow = Behaviour::good()
        .body(*b"12345")
        .drip(1, Duration::from_millis(10));
    issuer.behave(Endpoint::Jwks, slow.delay(Duration::from_millis(10)));
    let start = Instant::now();
    assert_eq!(get(&url).await.unwrap().body, "12345");
    assert!(start.elapsed() >= Duration::from_millis(50));

    issuer.behave_well();
    issuer.set_metadata("issuer", "https://other.example");
    issuer.publish(&issuer.mint().jwks().without("kid"));
    let metadata = document(&issuer.url_of(Endpoint::OauthMetadata)).await;
    assert_eq!(metadata["issuer"], "https://other.example");
    assert!(document(&url).await["keys"][0].get("kid").is_none());
}

#[tokio::test]
async fn it_goes_away_and_comes_back_on_its_port() {
    let mut issuer = Issuer::start().await;
    let url = issuer.url_of(Endpoint::Jwks);
    let before = document(&url).await;
    issuer.stop().await;
    assert!(get(&url).await.is_none());
    issuer.rotate_keys();
    issuer.restart().await;
    assert_ne!(document(&url).await, before);
}

#[tokio::test]
async fn stopping_cuts_open_connections() {
    let mut issuer = Issuer::start().await;
    let url = issuer.url_of(Endpoint::Jwks);
    issuer.behave_everywhere(&Behaviour::good().delay(Duration::from_secs(60)));
    let waiting = tokio::spawn(async move { get(&url).await.is_none() });
    while issuer.log().is_empty() {
        tokio::task::yield_now().await;
    }
    issuer.stop().await;
    assert!(waiting.await.unwrap());
}
