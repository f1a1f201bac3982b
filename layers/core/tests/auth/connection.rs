//! A connection's certificate beside what a request presents.

use super::*;

/// In the extensions of a request whose connection has a certificate.
#[derive(Clone)]
struct Certificate(&'static str);

/// Knows the certificate `good`.
struct OfConnection;

static CERTIFICATE_CHALLENGE: [HeaderValue; 1] =
    [HeaderValue::from_static(r#"Certificate realm="mcp""#)];

impl Authenticator for OfConnection {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let certificate = credentials.extensions().get::<Certificate>();
        certificate.map(|_| CredentialPlace::Connection)
    }

    fn authenticate(&self, credentials: &Credentials<'_>, _: &SecurityContext) -> Verification {
        match credentials.extensions().get() {
            Some(Certificate("good")) => {
                let principal = Principal::service("pki", "billing").build("certificate");
                Verification::Identified(Identified::new(principal))
            }
            _ => {
                let denial = Denial::new(DenialKind::CredentialsInvalid, "unknown certificate");
                Verification::Refused(denial.with_challenges(CERTIFICATE_CHALLENGE.to_vec()))
            }
        }
    }

    fn challenges(&self) -> &[HeaderValue] {
        &CERTIFICATE_CHALLENGE
    }
}

/// Whom a request on a connection with this certificate is from, in either order of authenticators, or
/// how it is refused.
async fn caller(certificate: &'static str, fields: &[(&str, &str)]) -> String {
    let layers = [
        AuthLayer::new(OfConnection)
            .or(Scheme::new("Bearer"))
            .or(Key),
        AuthLayer::new(Scheme::new("Bearer"))
            .or(Key)
            .or(OfConnection),
    ];
    let mut callers = Vec::new();
    for layer in layers {
        let mut request = with(fields);
        request.extensions_mut().insert(Certificate(certificate));
        let (response, seen) = send(layer, request).await;
        callers.push(match seen {
            Some(seen) => {
                assert!(seen.credentials.is_empty(), "TV-15");
                seen.subject.unwrap()
            }
            None => response.status().as_str().to_owned(),
        });
    }
    assert_eq!(callers[0], callers[1]);
    callers.swap_remove(0)
}

const GOOD: (&str, &str) = ("authorization", "Bearer good");
const BAD: (&str, &str) = ("authorization", "Bearer bad");

#[tokio::test]
async fn a_certificate_identifies_a_request_that_presents_nothing_else() {
    assert_eq!(caller("good", &[]).await, "billing");
    assert_eq!(caller("bad", &[]).await, "401");
}

#[tokio::test]
async fn what_is_presented_is_judged_and_never_falls_back_to_the_certificate() {
    for certificate in ["good", "bad"] {
        assert_eq!(caller(certificate, &[GOOD]).await, "ann");
        assert_eq!(caller(certificate, &[BAD]).await, "401");
        assert_eq!(caller(certificate, &[("x-api-key", "good")]).await, "ci");
        assert_eq!(caller(certificate, &[("x-api-key", "bad")]).await, "401");
        for (name, value) in [
            ("authorization", "Basic good"),
            ("authorization", "nothing"),
            ("api-key", "good"),
            ("proxy-authorization", "Bearer good"),
            ("dpop", "a proof without a token"),
        ] {
            let caller = caller(certificate, &[(name, value)]).await;
            assert_eq!(caller, "401", "{name}: {value}");
        }
        for value in ["", "Bearer", "Bearer "] {
            let caller = caller(certificate, &[("authorization", value)]).await;
            assert!(["400", "401"].contains(&&*caller), "`{value}`: {caller}");
        }
    }
}

#[tokio::test]
async fn ac_6_two_that_are_presented_are_two_whatever_the_connection_has() {
    for second in [("x-api-key", "good"), ("authorization", "Bearer good")] {
        assert_eq!(caller("good", &[GOOD, second]).await, "400");
    }
    let twice = [("x-api-key", "good"), ("x-api-key", "good")];
    assert_eq!(caller("good", &twice).await, "400");
}
