//! What holds for everything a stranger can send.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Waker},
};

use bartizan_audit::{AuditLayer, MAX_RECORD_BYTES, Records};
use bartizan_core::{
    CallLayer, Decided, Finding, Principal, RequestBody, SecurityContext, Verdict, identify,
};
use http::{HeaderValue, Uri};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;
use tower::{Layer, Service};

use super::common::*;

/// Short text, and text far beyond every bound.
fn text() -> impl Strategy<Value = String> {
    let hostile = Just("\u{1b}\u{202e}\u{2028}\u{7f}\r\n\"\\".to_owned());
    prop_oneof![any::<String>(), hostile, ".{0,40}"]
        .prop_flat_map(|text| prop_oneof![Just(text.clone()), Just(text.repeat(3000))])
}

/// The line of a request through a guard that finds whatever it is told.
fn line(principal: Principal, agent: &[u8], path: &str, findings: &[(bool, String)]) -> String {
    let records = Records::new();
    let mut request = empty();
    if let Ok(agent) = HeaderValue::from_bytes(agent) {
        request.headers_mut().insert("user-agent", agent);
    }
    if let Ok(uri) = Uri::try_from(path) {
        *request.uri_mut() = uri;
    }
    identify(&mut request, principal).unwrap();
    let context = SecurityContext::of(&mut request);
    let mut service = AuditLayer::new(records.clone()).layer(Actor(Act::Answer(200)));
    let future = service.call(request);
    for (refused, reason) in findings {
        let verdict = if *refused {
            Verdict::Refused
        } else {
            Verdict::Noted
        };
        let long = "a_kind_that_is_much_longer_than_any_that_a_guard_would_choose";
        context.record(|| Finding::new(long, verdict, long, reason.clone()));
    }
    drop(future);
    records.take().remove(0)
}

/// What a record takes that shows no arguments, and masks nothing.
const WITHOUT_ARGUMENTS: usize = 16 * 1024;

fn check(line: &str) {
    assert!(line.len() <= MAX_RECORD_BYTES, "{} bytes", line.len());
    assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
    assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
}

#[test]
fn the_largest_record_is_within_the_bound() {
    // Everything is filled, and takes the most bytes that a character can.
    for filler in ["\u{1}", "😀", "x", "\""] {
        let long = filler.repeat(20_000);
        let principal = Principal::user(&long, &long)
            .client_id(&long)
            .tenant(&long)
            .credential_id(&long)
            .roles(vec![long.as_str(); 100])
            .build("a_method_with_a_name_beyond_all_reason");
        let findings: Vec<_> = (0..70).map(|n| (n % 2 == 0, long.clone())).collect();
        let line = line(
            principal,
            &[0xff; 20_000],
            &format!("/{}", "x".repeat(9000)),
            &findings,
        );
        check(&line);
        assert!(line.len() > WITHOUT_ARGUMENTS / 2, "{}", line.len());
        assert!(line.len() <= WITHOUT_ARGUMENTS, "{}", line.len());
    }
}

#[tokio::test]
async fn the_largest_record_of_a_call_is_within_the_bound() {
    for filler in ["\u{1}", "😀", "x", "\""] {
        let long = filler.repeat(3_000);
        let id = serde_json::to_string(&filler.repeat(60)).unwrap();
        let params = serde_json::json!({ "uri": format!("x:{long}") });
        let mut request = rpc(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"resources/read","params":{params}}}"#
        ));
        *request.uri_mut() = Uri::try_from(format!("/{}", "x".repeat(9000))).unwrap();
        let agent = HeaderValue::from_bytes(&[0xff; 20_000]).unwrap();
        request.headers_mut().insert("user-agent", agent);
        let context = SecurityContext::of(&mut request);
        context
            .set_client_address("1:2:3:4:5:6:127.127.127.127".parse().unwrap())
            .unwrap();
        let id = bartizan_core::CorrelationId::parse(&"x".repeat(64)).unwrap();
        context.set_correlation_id(id).unwrap();
        let principal = Principal::user(&long, &long)
            .client_id(&long)
            .tenant(&long)
            .credential_id(&long)
            .roles(vec![long.as_str(); 100])
            .scopes(vec![long.as_str(); 100])
            .build("a_method_with_a_name_beyond_all_reason");
        identify(&mut request, principal).unwrap();
        let mut decided = Decided::by(long.as_str().into());
        (0..5).for_each(|_| decided.rule(&long.as_str().into()));
        decided.baseline("lifecycle");
        decided.operations(usize::MAX);
        decided.unclear();
        decided.outcome("credentials_missing");
        context.set_decided(decided);
        let records = Records::new();
        let inner = tower::service_fn(|mut request: http::Request<RequestBody<Body>>| {
            let context = SecurityContext::of(&mut request);
            for n in 0..70 {
                let verdict = [Verdict::Refused, Verdict::Noted][n % 2];
                let kind = "a_kind_that_is_much_longer_than_any_that_a_guard_would_choose";
                context.record(|| Finding::new(kind, verdict, kind, long.clone()));
            }
            async { Ok::<_, std::convert::Infallible>(ok()) }
        });
        let service = AuditLayer::new(records.clone()).layer(CallLayer::new().layer(inner));
        tower::ServiceExt::oneshot(service, request).await.unwrap();
        let line = records.take().remove(0);
        check(&line);
        assert!(line.contains(r#""action":"resources/read""#), "{line}");
        assert!(line.len() > WITHOUT_ARGUMENTS * 4 / 5, "{}", line.len());
        assert!(line.len() <= WITHOUT_ARGUMENTS, "{}", line.len());
        println!("{} bytes of {WITHOUT_ARGUMENTS}", line.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn al_5_seed_u15_any_record_is_one_bounded_line_of_json(
        subject in text(),
        issuer in text(),
        roles in vec(text(), 0..30),
        agent in vec(any::<u8>(), 0..600),
        path in "/[!-~]{0,2000}",
        findings in vec((any::<bool>(), text()), 0..70),
    ) {
        let principal = Principal::service(&issuer, &subject)
            .client_id(&issuer)
            .roles(roles)
            .build("jwt");
        check(&line(principal, &agent, &path, &findings));
    }

    #[test]
    fn a_request_has_exactly_one_record_whatever_happens(
        acts in vec((0u8..8, 0u32..5), 1..12),
    ) {
        let records = Records::new();
        let layer = AuditLayer::new(records.clone());
        for (index, (act, polls)) in acts.iter().enumerate() {
            let act = match act {
                0 => Act::Answer(200),
                1 => Act::Answer(500),
                2 => Act::Refuse,
                3 => Act::Fail,
                4 => Act::PanicInCall,
                5 => Act::PanicInPoll,
                6 => Act::Never,
                _ => Act::AnswerLater,
            };
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let mut future = Box::pin(layer.layer(Actor(act)).call(empty()));
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..*polls {
                    if future.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                }
            }));
            prop_assert_eq!(records.lines().len(), index + 1);
        }
    }
}
