//! Redis over TLS.

use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;

/// A certificate of 127.0.0.1 that vouches for itself, and its key, as PEM.
fn certificate() -> (String, String) {
    let mut params = CertificateParams::default();
    let loopback = std::net::Ipv4Addr::LOCALHOST;
    params.subject_alt_names = vec![SanType::IpAddress(loopback.into())];
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

async fn loads(redis: Redis) -> bool {
    let list = Revocations::new();
    let shared = SharedRevocations::builder(redis, list, OutOfTouch::KeepGoing(SECOND));
    let shared = shared.start().unwrap();
    shared.loaded(3 * SECOND).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_over_tls_is_believed_by_the_authority_that_is_named_and_by_no_other() {
    let (pem, key) = certificate();
    // Nothing is installed for the process behind the application's back.
    let error = Redis::builder("rediss://127.0.0.1/").build().unwrap_err();
    assert!(error.to_string().contains("provider"), "{error}");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().unwrap();

    let plain = Redis::builder("redis://127.0.0.1/").root_certificates(&pem);
    assert_eq!(plain.build().unwrap_err().setting(), "root_certificates");
    for bad in ["", "certificate", "-----BEGIN CERTIFICATE-----\nx\n"] {
        let bad = Redis::builder("rediss://127.0.0.1/").root_certificates(bad);
        assert_eq!(bad.build().unwrap_err().setting(), "root_certificates");
    }
    let Some(redis) = RedisServer::start_with_tls(&pem, &key).await else {
        return;
    };
    let url = redis.tls_url();
    let named = Redis::builder(&url).root_certificates(&pem).build();
    assert!(loads(named.unwrap()).await);
    let (other, _) = certificate();
    let other = Redis::builder(&url).root_certificates(&other).build();
    assert!(!loads(other.unwrap()).await);
    assert!(!loads(Redis::builder(&url).build().unwrap()).await);
    let in_the_clear = url.replace("rediss", "redis");
    assert!(!loads(Redis::builder(&in_the_clear).build().unwrap()).await);
}
