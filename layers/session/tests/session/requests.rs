//! What goes inwards, and what does not.

use std::sync::Arc;

use bartizan_core::{Denial, DenialKind, Principal, Verdict};
use bartizan_kit::{Revision, get_stream, initialize};
use http::HeaderValue;

use crate::{INNER, arrived, by, context, keys, layer, legacy, modern, sent, user};

fn kind(answer: &crate::Answer) -> Option<DenialKind> {
    answer.extensions().get().map(Denial::kind)
}

#[tokio::test]
async fn without_a_principal_nothing_passes_and_the_reason_names_the_cause() {
    for request in [legacy(), modern(), initialize(Revision::V2025_11_25)] {
        let layer = layer().danger_allow_anonymous();
        let (answer, echo) = sent(&layer, request.build()).await;
        assert_eq!(kind(&answer), Some(DenialKind::Forbidden));
        assert!(echo.is_untouched());
        let denial = answer.extensions().get::<Denial>().unwrap();
        assert!(denial.reason().contains("authentication layer"));
    }
}

#[tokio::test]
async fn a_request_without_a_session_passes_as_it_is() {
    let (answer, echo) = sent(
        &layer(),
        by(&user("ann"), initialize(Revision::V2025_11_25)),
    )
    .await;
    assert_eq!(answer.status(), 200);
    assert!(arrived(&echo, "mcp-session-id").is_empty());
}

#[tokio::test]
async fn se_5_a_modern_request_goes_on_without_session_and_event() {
    for id in ["forged", &keys().wrap(&user("ann"), b"x").unwrap()] {
        let request = modern()
            .header_again("mcp-session-id", id)
            .header_again("mcp-session-id", "again")
            .header("last-event-id", "7");
        let (answer, echo) = sent(&layer(), by(&user("ann"), request)).await;
        assert_eq!(answer.status(), 200);
        assert!(arrived(&echo, "mcp-session-id").is_empty());
        assert!(arrived(&echo, "last-event-id").is_empty());
    }
}

#[tokio::test]
async fn a_version_that_is_repeated_or_unknown_or_nearly_modern_frees_nobody_of_the_check() {
    let bobs = keys().wrap(&user("bob"), INNER.as_bytes()).unwrap();
    for versions in [
        &["2026-07-28", "2026-07-28"][..],
        &["2025-11-25", "2026-07-28"],
        &["2026-07-28", "2025-11-25"],
        &["2026-07-28x"],
        &["2026-07-28, 2025-11-25"],
        &["9999-12-31"],
        &[""],
        &[],
    ] {
        let mut request = legacy().no_header("mcp-protocol-version").session(&bobs);
        for version in versions {
            request = request.header_again("mcp-protocol-version", version);
        }
        let (answer, echo) = sent(&layer(), by(&user("ann"), request)).await;
        assert_eq!(
            kind(&answer),
            Some(DenialKind::SessionUnknown),
            "{versions:?}"
        );
        assert!(echo.is_untouched());
    }
}

#[tokio::test]
async fn the_anonymous_have_sessions_only_on_request_and_all_of_them_the_same() {
    let anonymous = Principal::anonymous();
    let (answer, echo) = sent(&layer(), by(&anonymous, legacy())).await;
    assert_eq!(kind(&answer), Some(DenialKind::Forbidden));
    assert!(echo.is_untouched());

    let mut challenged = by(&anonymous, legacy());
    let challenge = HeaderValue::from_static("Bearer scope=\"a\"");
    context(&mut challenged).offer_challenges(Arc::new([challenge.clone()]));
    let (answer, echo) = sent(&layer(), challenged).await;
    assert_eq!(kind(&answer), Some(DenialKind::CredentialsMissing));
    assert_eq!(answer.headers()["www-authenticate"], challenge);
    assert!(echo.is_untouched());

    let (answer, _) = sent(&layer(), by(&anonymous, modern())).await;
    assert_eq!(answer.status(), 200);

    let open = layer().danger_allow_anonymous();
    let session = keys().wrap(&anonymous, INNER.as_bytes()).unwrap();
    let (answer, echo) = sent(&open, by(&anonymous, legacy().session(&session))).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(arrived(&echo, "mcp-session-id"), [INNER]);
    let anns = keys().wrap(&user("ann"), INNER.as_bytes()).unwrap();
    let (answer, _) = sent(&open, by(&anonymous, legacy().session(&anns))).await;
    assert_eq!(kind(&answer), Some(DenialKind::SessionUnknown));
}

#[tokio::test]
async fn se_4_an_event_id_without_a_session_is_refused() {
    let event = crate::events::wrapped_event(&user("ann"), INNER, "7").await;
    for request in [get_stream(Revision::V2025_11_25), legacy()] {
        let request = request.header("last-event-id", &event);
        let (answer, echo) = sent(&layer(), by(&user("ann"), request)).await;
        assert_eq!(kind(&answer), Some(DenialKind::SessionUnknown));
        assert!(echo.is_untouched());
    }
}

#[tokio::test]
async fn se_7_ids_are_sensitive_in_headers_and_in_no_finding() {
    let wrapped = keys().wrap(&user("ann"), INNER.as_bytes()).unwrap();
    for principal in [user("ann"), user("bob")] {
        let mut request = by(&principal, legacy().session(&wrapped));
        let context = context(&mut request);
        let (answer, echo) = sent(&layer(), request).await;
        if answer.status() == 200 {
            let received = echo.received();
            assert!(received[0].headers["mcp-session-id"].is_sensitive());
        }
        let findings = context.trail().unwrap().findings();
        let [finding] = &*findings else {
            panic!("{findings:?}")
        };
        let expected = match principal.subject() {
            "ann" => (Verdict::Allowed, "session_owned"),
            _ => (Verdict::Refused, "session_unknown"),
        };
        assert_eq!((finding.verdict, finding.kind), expected);
        assert_eq!(finding.layer, "session");
        assert!(!finding.reason.contains(&wrapped) && !finding.reason.contains(INNER));
    }
}
