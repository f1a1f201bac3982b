use bartizan_core::FakeClock;
use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::webhook::secret::Signers;

const NOW: u64 = 1_795_446_000;
const BODY: &[u8] = br#"{"type":"alert.raised"}"#;

fn secret(of: u8) -> WebhookSecret {
    WebhookSecret::from_bytes(vec![of; 32]).unwrap()
}

fn signers(of: &[u8]) -> Signers {
    Signers(of.iter().map(|of| secret(*of).key().unwrap()).collect())
}

fn verifier() -> WebhookVerifier {
    let clock = FakeClock::at(Duration::from_millis(NOW * 1000 + 900));
    WebhookVerifier::new(secret(1)).unwrap().clock(clock)
}

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)] {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn signed(of: &[u8], at: u64) -> HeaderMap {
    let signature = signers(of).sign("alert_1", at, BODY);
    headers("alert_1", &at.to_string(), &signature)
}

#[test]
fn a_webhook_counts_if_a_secret_that_is_known_signed_it_now() {
    let good = signed(&[1], NOW);
    let known = verifier().verify(&good, BODY).unwrap();
    assert_eq!((known.id, known.timestamp), ("alert_1", NOW));
    for (at, is_now) in [
        (NOW - 300, true),
        (NOW - 301, false),
        (NOW + 300, true),
        (NOW + 301, false),
    ] {
        let signed = signed(&[1], at);
        let verified = verifier().verify(&signed, BODY);
        assert_eq!(verified.is_ok(), is_now, "{at}");
    }
    let reason =
        |headers: &HeaderMap, body: &[u8]| verifier().verify(headers, body).unwrap_err().reason();
    assert_eq!(reason(&signed(&[2], NOW), BODY), "no signature is valid");
    assert_eq!(
        reason(&good, br#"{"type":"alert.repeated"}"#),
        "no signature is valid"
    );
}

#[test]
fn secrets_are_changed_without_a_gap_on_either_side() {
    // The sender signs with both, or the receiver takes both.
    assert!(verifier().verify(&signed(&[2, 1], NOW), BODY).is_ok());
    let both = verifier().or(secret(2)).unwrap();
    assert!(both.verify(&signed(&[2], NOW), BODY).is_ok());
    assert!(both.verify(&signed(&[3], NOW), BODY).is_err());
}

#[test]
fn fields_that_are_missing_doubled_or_spelled_otherwise_are_refused() {
    let good = signed(&[1], NOW);
    for name in [ID, TIMESTAMP, SIGNATURE] {
        let mut missing = good.clone();
        missing.remove(name);
        assert!(verifier().verify(&missing, BODY).is_err(), "{name}");
        let mut doubled = good.clone();
        doubled.append(name, good[name].clone());
        assert!(verifier().verify(&doubled, BODY).is_err(), "{name}");
    }
    // Other spellings of what was signed, each with a good signature over itself.
    for (id, at) in [
        ("alert_1", format!("0{NOW}")),
        ("alert_1", format!("+{NOW}")),
        ("a.1", NOW.to_string()),
        ("", NOW.to_string()),
    ] {
        let mark = mac(&secret(1).key().unwrap(), id, &at, BODY)
            .finalize()
            .into_bytes();
        let signature = format!("v1,{}", STANDARD.encode(mark));
        assert!(
            verifier()
                .verify(&headers(id, &at, &signature), BODY)
                .is_err(),
            "{id} {at}"
        );
    }
    // Of a scheme that is not known, or not whole.
    let mark = good[SIGNATURE].to_str().unwrap();
    let mark = &mark[3..];
    for signature in [
        mark.to_owned(),
        format!("v1a,{mark}"),
        format!("v2,{mark}"),
        format!("v1,{}", &mark[..40]),
        "v1,".to_owned(),
    ] {
        let headers = headers("alert_1", &NOW.to_string(), &signature);
        assert!(verifier().verify(&headers, BODY).is_err(), "{signature}");
    }
    // The good one is found among others, but not behind eight.
    let others = |count| {
        format!(
            "{}{}",
            "v1,AAAA ".repeat(count),
            good[SIGNATURE].to_str().unwrap()
        )
    };
    let verify = |count| {
        verifier()
            .verify(&headers("alert_1", &NOW.to_string(), &others(count)), BODY)
            .is_ok()
    };
    assert!(verify(7) && !verify(8));
}

#[test]
fn what_is_out_of_range_is_refused() {
    assert!(verifier().tolerance(Duration::from_secs(3601)).is_err());
    assert!(verifier().tolerance(Duration::ZERO).is_err());
    let four = (2..5)
        .try_fold(verifier(), |verifier, of| verifier.or(secret(of)))
        .unwrap();
    assert!(four.or(secret(5)).is_err());
}

proptest! {
    #[test]
    fn no_fields_make_it_panic_or_agree(
        id in "[ -~]{0,40}", at in "[ -~]{0,25}", signature in "(v1,)?[ -~]{0,90}",
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        prop_assert!(verifier().verify(&headers(&id, &at, &signature), &body).is_err());
    }
}
