//! Client certificates as identity.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{convert::Infallible, time::Duration};

use bartizan_core::{
    AuthLayer, ClientCertificate, Denial, FakeClock, PrincipalKind, SecurityContext,
    auth::Revocations,
};
use bartizan_network::{CertificateName, MtlsVerifier};
use http::{Request, Response};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use tower::{Layer, ServiceExt, service_fn};

/// 2026-11-23T15:00:00Z, between the days for which the certificates are good.
const NOW: u64 = 1_795_446_000;
const BILLING: &str = "spiffe://example.org/billing";

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 11, 1);
    params.not_after = rcgen::date_time_ymd(2026, 12, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::URI(BILLING.try_into().unwrap())];
    params
        .distinguished_name
        .push(DnType::CommonName, "billing");
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn verifier(name: CertificateName) -> MtlsVerifier {
    MtlsVerifier::new("https://pki.example.org", name)
        .and_then(|v| v.identity(BILLING, ["service"]))
        .and_then(|v| v.identity("billing", ["service"]))
        .and_then(|v| v.identity("billing.example.org", ["service"]))
        .unwrap()
        .clock(FakeClock::at(Duration::from_secs(NOW)))
}

/// Who the caller is, or why they are refused.
async fn caller(verifier: MtlsVerifier, request: Request<()>) -> String {
    let inner = service_fn(|request: Request<()>| async move {
        let context = SecurityContext::find(request.extensions()).unwrap();
        let principal = context.principal().unwrap();
        assert_eq!(principal.kind(), PrincipalKind::Service);
        assert_eq!(principal.method(), "mtls");
        assert_eq!(principal.issuer(), "https://pki.example.org");
        assert!(principal.roles().eq(["service"]));
        assert!(principal.expires_at().is_some() && principal.credential_id().is_some());
        let mut response = Response::new(());
        let subject = principal.subject().to_owned();
        response.extensions_mut().insert(subject);
        Ok::<_, Infallible>(response)
    });
    let layer = AuthLayer::new(verifier).layer(inner);
    let response = layer.oneshot(request).await.unwrap();
    match response.extensions().get::<Denial>() {
        Some(denial) => format!("{}: {}", response.status().as_u16(), denial.reason()),
        None => response.extensions().get::<String>().unwrap().clone(),
    }
}

fn with(der: Vec<u8>) -> Request<()> {
    let mut request = Request::new(());
    let certificate = ClientCertificate::from_der(der);
    request.extensions_mut().insert(certificate);
    request
}

async fn of_uri(change: impl FnOnce(&mut CertificateParams)) -> String {
    caller(verifier(CertificateName::Uri), with(certificate(change))).await
}

#[tokio::test]
async fn a_certificate_is_its_holder_by_the_name_that_is_chosen() {
    assert_eq!(of_uri(|_| {}).await, BILLING);
    let der = certificate(|_| {});
    let by_name = caller(verifier(CertificateName::CommonName), with(der)).await;
    assert_eq!(by_name, "billing");
    let dns = |name: &'static str| {
        move |params: &mut CertificateParams| {
            params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        }
    };
    let der = certificate(dns("Billing.Example.org"));
    let by_dns = caller(verifier(CertificateName::Dns), with(der)).await;
    assert_eq!(by_dns, "billing.example.org");
}

#[tokio::test]
async fn certificates_of_others_and_for_other_things_are_refused() {
    let uri = |uri: &str| SanType::URI(uri.try_into().unwrap());
    let refused = |why: &str| format!("401: {why}");
    let not_admitted = refused("the certificate's name is not admitted");
    for name in [
        "spiffe://example.org/billing/x",
        "spiffe://example.org/Billing",
        "billing2",
    ] {
        assert_eq!(
            of_uri(|p| p.subject_alt_names = vec![uri(name)]).await,
            not_admitted
        );
    }
    assert_eq!(
        of_uri(|p| p
            .subject_alt_names
            .push(uri("spiffe://example.org/reports")))
        .await,
        refused("the certificate has several such names")
    );
    assert_eq!(
        of_uri(|p| p.subject_alt_names.clear()).await,
        refused("the certificate has no such name")
    );
    assert_eq!(
        of_uri(|p| p.not_after = rcgen::date_time_ymd(2026, 11, 20)).await,
        refused("the certificate has expired")
    );
    assert_eq!(
        of_uri(|p| p.not_before = rcgen::date_time_ymd(2026, 11, 25)).await,
        refused("the certificate is not valid yet")
    );
    assert_eq!(
        of_uri(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]).await,
        refused("the certificate is not for clients")
    );
    assert_eq!(
        of_uri(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).await,
        refused("the certificate is an authority's")
    );
    // A name with a NUL in it is not the name before it.
    let der = certificate(|p| {
        p.distinguished_name
            .push(DnType::CommonName, DnValue::Utf8String("billing\0x".into()));
    });
    let by_name = caller(verifier(CertificateName::CommonName), with(der)).await;
    assert_eq!(by_name, not_admitted);
    let mut longer = certificate(|_| {});
    longer.push(0);
    for der in [
        longer,
        b"certificate".to_vec(),
        Vec::new(),
        vec![0x30; 5000],
    ] {
        let answer = caller(verifier(CertificateName::Uri), with(der)).await;
        assert!(answer.starts_with("401: "), "{answer}");
    }
}

#[tokio::test]
async fn no_certificate_is_401_and_one_beside_a_token_that_nobody_judges_is_too() {
    let none = caller(verifier(CertificateName::Uri), Request::new(())).await;
    assert_eq!(none, "401: no credential");
    let mut both = with(certificate(|_| {}));
    let token = "Bearer x".parse().unwrap();
    both.headers_mut().insert("authorization", token);
    let both = caller(verifier(CertificateName::Uri), both).await;
    assert_eq!(
        both,
        "401: an authorization scheme that is not accepted here"
    );
}

#[test]
fn what_admits_nobody_or_everybody_does_not_build() {
    let new = MtlsVerifier::new;
    assert!(new("", CertificateName::Uri).is_err());
    assert!(new("a\"b", CertificateName::Uri).is_err());
    let uri = || new("https://pki.example.org", CertificateName::Uri).unwrap();
    let error = |built: Result<MtlsVerifier, _>| {
        built.map_err(|error: bartizan_network::NetworkConfigError| error.to_string())
    };
    assert!(error(uri().identity("", ["x"])).is_err());
    assert!(error(uri().identity(&"x".repeat(1025), ["x"])).is_err());
    let twice = uri().identity("a", ["x"]).unwrap().identity("a", ["y"]);
    assert!(error(twice).unwrap_err().contains("`a` is admitted twice"));
    let dns = new("https://pki.example.org", CertificateName::Dns).unwrap();
    assert!(error(dns.identity("A.example", ["x"])).is_err());
}

#[tokio::test]
async fn a_certificate_is_revoked_by_its_serial_number_and_its_holder_by_name() {
    let serial = |bytes: &'static [u8]| {
        move |params: &mut CertificateParams| {
            params.serial_number = Some(rcgen::SerialNumber::from_slice(bytes));
        }
    };
    let clock = FakeClock::at(Duration::from_secs(NOW));
    let list = Revocations::with_clock(10, clock.clone());
    let verifier = verifier(CertificateName::Uri).revocations(list.clone());
    let one = certificate(serial(&[0xab, 0x0c]));
    let two = certificate(serial(&[0x0c]));
    let until = list.now() + Duration::from_secs(3600);
    let issuer = "https://pki.example.org";
    assert_eq!(caller(verifier.clone(), with(one.clone())).await, BILLING);
    // As `openssl x509 -serial` prints them.
    list.revoke_credential(issuer, "AB0C", until).unwrap();
    let refused = caller(verifier.clone(), with(one)).await;
    assert_eq!(refused, "401: the credential is revoked");
    assert_eq!(caller(verifier.clone(), with(two.clone())).await, BILLING);
    list.revoke_subject("elsewhere", BILLING, until).unwrap();
    assert_eq!(caller(verifier.clone(), with(two.clone())).await, BILLING);
    list.revoke_subject(issuer, BILLING, until).unwrap();
    let refused = "401: what the subject was issued until then is revoked";
    assert_eq!(caller(verifier.clone(), with(two)).await, refused);
    let newer = certificate(|p| p.not_before = rcgen::date_time_ymd(2026, 11, 23));
    assert_eq!(caller(verifier, with(newer)).await, refused);
}

#[tokio::test]
async fn a_list_that_is_out_of_touch_is_503_for_certificates_too() {
    let clock = FakeClock::at(Duration::from_secs(NOW));
    let list = Revocations::with_clock(10, clock);
    let verifier = verifier(CertificateName::Uri).revocations(list.clone());
    let feed = list.depend_on_feed(Duration::from_secs(10)).unwrap();
    let ask = async || caller(verifier.clone(), with(certificate(|_| {}))).await;
    assert_eq!(ask().await, "503: what was revoked elsewhere is not known");
    feed.touch();
    assert_eq!(ask().await, BILLING);
}

#[tokio::test]
async fn a_certificate_is_good_and_its_streams_are_in_its_last_second() {
    let last = Duration::from_secs(1_796_083_200); // 2026-12-01T00:00:00Z
    let at = async |after: Duration| {
        let clock = FakeClock::at(last + after);
        let verifier = verifier(CertificateName::Uri).clock(clock.clone());
        caller(verifier, with(certificate(|_| {}))).await
    };
    let tick = Duration::from_nanos(1);
    assert_eq!(at(Duration::from_secs(1) - tick).await, BILLING);
    let after = at(Duration::from_secs(1)).await;
    assert_eq!(after, "401: the certificate has expired");
}
