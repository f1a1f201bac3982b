//! What is found, and what is found that is none.

use std::collections::BTreeMap;

use bartizan_core::{DenialKind, Verdict};
use bartizan_kit::{Echo, Revision, call_tool};
use bartizan_validate::{Answers, Detector, OnFind, Screening, ValidateLayer};

use http::Response;
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::common::{Answer, ask, open};

const ATTACKS: &str = include_str!("../../../../tests/vectors/screening/attacks.txt");
const ORDINARY: &str = include_str!("../../../../tests/vectors/screening/ordinary.txt");

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
}

fn ordinary() -> Vec<String> {
    lines(ORDINARY)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn attacks() -> Vec<(Detector, String)> {
    let attack = |line: &str| {
        let (detector, text) = line.split_once(' ').unwrap();
        let text = serde_json::from_str(text).unwrap();
        (Detector::from_name(detector).unwrap(), text)
    };
    lines(ATTACKS).map(attack).collect()
}

fn everything(then: OnFind) -> Screening {
    let all = Detector::ALL.into_iter();
    all.fold(Screening::new(), |screening, one| {
        screening.arguments(one, then).answers(one, then)
    })
}

/// Any text, so that nothing but the screening refuses it.
fn layer(screening: Screening) -> ValidateLayer {
    let any = bartizan_validate::Characters::new()
        .with_controls()
        .with_bidirectional()
        .with_invisible_tags();
    let limits = bartizan_validate::ArgumentLimits::new();
    open()
        .limits(
            limits
                .with_string_bytes(8 << 20)
                .unwrap()
                .with_characters(any),
        )
        .screening(screening)
}

async fn argument(layer: &ValidateLayer, text: &str) -> Answer {
    let call = call_tool(Revision::V2025_11_25, "note", json!({"text": text}));
    ask(layer, call).await
}

/// The detectors that refuse a text.
async fn found(layer: &ValidateLayer, text: &str) -> Vec<String> {
    let answer = argument(layer, text).await;
    if answer.ran() {
        return Vec::new();
    }
    let rules = answer.reason().strip_prefix("arguments break ").unwrap();
    let rules = rules
        .split(", ")
        .map(|rule| rule.trim_start_matches("screening/"));
    rules.map(str::to_owned).collect()
}

#[tokio::test]
async fn ordinary_text_is_rarely_taken_for_an_attack() {
    let layer = layer(everything(OnFind::Refuse));
    let all = ordinary();
    let mut wrong = Vec::new();
    for text in &all {
        let found = found(&layer, text).await;
        if !found.is_empty() {
            wrong.push((text, found));
        }
    }
    // The figures of the README.
    assert!(all.len() >= 300, "{}", all.len());
    assert!(wrong.len() * 200 <= all.len(), "{wrong:#?}");
}

#[tokio::test]
async fn nearly_all_known_attacks_are_found_by_their_detector() {
    let layer = layer(everything(OnFind::Refuse));
    let (mut missed, mut count) = (Vec::new(), BTreeMap::<_, usize>::new());
    for (detector, text) in attacks() {
        *count.entry(detector.name()).or_default() += 1;
        if !found(&layer, &text)
            .await
            .iter()
            .any(|one| one == detector.name())
        {
            missed.push((detector, text));
        }
    }
    assert_eq!(count.len(), Detector::ALL.len());
    let all: usize = count.values().sum();
    assert!(
        missed.len() * 50 <= all,
        "{} of {all}: {missed:#?}",
        missed.len()
    );
}

/// The patterns were not written with these at hand, which stand for the safe types.
#[tokio::test]
async fn some_of_the_attacks_on_safe_types_are_found_and_none_is_to_rely_on_it() {
    let layer = layer(everything(OnFind::Refuse));
    for (detector, list, least) in [
        (
            "html",
            include_str!("../../../../tests/vectors/safe/html.txt"),
            HTML,
        ),
        (
            "path",
            include_str!("../../../../tests/vectors/safe/paths.txt"),
            PATHS,
        ),
    ] {
        let (mut all, mut hits) = (0, 0);
        for text in list
            .lines()
            .filter_map(|line| line.strip_prefix("refused "))
        {
            let Ok(text) = serde_json::from_str::<String>(text) else {
                continue;
            };
            all += 1;
            hits += usize::from(found(&layer, &text).await.iter().any(|one| one == detector));
        }
        assert!(hits * 100 >= least * all, "{detector}: {hits} of {all}");
    }
}

/// Percent.
const HTML: usize = 45;
const PATHS: usize = 20;

#[tokio::test]
async fn a_finding_names_its_detector_and_never_what_was_found() {
    for (then, ran) in [
        (OnFind::Ignore, true),
        (OnFind::Report, true),
        (OnFind::Refuse, false),
    ] {
        let layer = layer(Screening::new().arguments(Detector::Sql, then));
        let answer = argument(&layer, "s3cret' OR '1'='1").await;
        assert_eq!(answer.ran(), ran);
        if !ran {
            assert_eq!(
                answer.denial.as_ref().unwrap().kind(),
                DenialKind::ArgumentsInvalid
            );
            assert!(answer.told().contains("looks like an injection of SQL"));
            assert_eq!(answer.reason(), "arguments break screening/sql");
            assert!(!answer.body.to_string().contains("s3cret"));
        }
        // Another detector's text is no concern of this one.
        assert!(argument(&layer, "<script>").await.ran());
    }
}

#[tokio::test]
async fn what_is_set_for_a_tool_counts_instead() {
    let layer = layer(everything(OnFind::Refuse)).tool_screening("note", Screening::new());
    assert!(argument(&layer, "' OR '1'='1").await.ran());
    let other = call_tool(
        Revision::V2025_11_25,
        "other",
        json!({"a": ["' OR '1'='1"]}),
    );
    assert!(!ask(&layer, other).await.ran());
    let name = call_tool(Revision::V2025_11_25, "other", json!({"<script>": 1}));
    assert!(!ask(&layer, name).await.ran());
}

#[cfg(feature = "serde")]
#[tokio::test]
async fn a_configuration_screens_all_tools_or_one() {
    let config = r#"{
        "learning": {"off": true},
        "danger_unknown_tools": true,
        "screening": {"arguments": {"sql": "refuse"}, "answers": {"secret": "refuse"}},
        "tools": {"note": {"screening": {"arguments": {"html": "refuse"}}}}
    }"#;
    let config: bartizan_validate::ValidateConfig = serde_json::from_str(config).unwrap();
    let layer = ValidateLayer::try_from(config).unwrap();
    for (tool, text, ran) in [
        ("note", "' OR '1'='1", true),
        ("note", "<script>", false),
        ("other", "' OR '1'='1", false),
        ("other", "<script>", true),
    ] {
        let call = call_tool(Revision::V2025_11_25, tool, json!({"text": text}));
        assert_eq!(ask(&layer, call).await.ran(), ran, "{tool} {text}");
    }
}

async fn answered(
    layer: &ValidateLayer,
    text: &str,
) -> (Value, Option<DenialKind>, Vec<(Verdict, String)>) {
    let result = json!({"content": [{"type": "text", "text": text}]});
    let echo = Echo::new().with_result("tools/call", result);
    let mut request = call_tool(Revision::V2025_11_25, "note", json!({})).build();
    let context = bartizan_core::SecurityContext::of(&mut request);
    context.open_trail();
    let answer: Response<_> = layer.layer(echo).oneshot(request).await.unwrap();
    let kind = answer.extensions().get().map(bartizan_core::Denial::kind);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let findings = context.trail().unwrap().findings();
    let findings = findings
        .into_iter()
        .filter(|one| one.kind != "arguments_fit");
    let findings = findings.map(|one| (one.verdict, one.reason.into_owned()));
    (
        serde_json::from_slice(&body).unwrap(),
        kind,
        findings.collect(),
    )
}

#[tokio::test]
async fn an_answer_with_a_secret_is_withheld_or_noted() {
    let secret = attacks()
        .into_iter()
        .find(|(detector, _)| *detector == Detector::Secret);
    let (_, secret) = secret.unwrap();
    for base in [
        layer(Screening::new()),
        layer(Screening::new()).answers(Answers::refuse()),
    ] {
        let refusing = base
            .clone()
            .screening(Screening::new().answers(Detector::Secret, OnFind::Refuse));
        let (body, kind, findings) = answered(&refusing, &secret).await;
        assert_eq!(kind, Some(DenialKind::AnswerRefused));
        assert!(!body.to_string().contains(&secret));
        assert_eq!(
            findings,
            [(
                Verdict::Refused,
                "the tool's answer looks like secret".to_owned()
            )]
        );
        let (body, kind, findings) = answered(&refusing, "a note").await;
        assert_eq!((kind, findings.len()), (None, 0));
        assert_eq!(body["result"]["content"][0]["text"], "a note");
        let reporting = base.screening(everything(OnFind::Report));
        let (body, kind, findings) = answered(&reporting, &secret).await;
        assert_eq!(kind, None);
        assert_eq!(body["result"]["content"][0]["text"], *secret);
        assert_eq!(
            findings,
            [(
                Verdict::Noted,
                "the tool's answer looks like secret".to_owned()
            )]
        );
    }
}

#[tokio::test]
async fn what_a_server_says_of_its_failure_is_looked_through_too() {
    let secret = attacks()
        .into_iter()
        .find(|(detector, _)| *detector == Detector::Secret);
    let (_, secret) = secret.unwrap();
    let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32603, "message": secret}});
    for (media, body) in [
        ("text/plain", format!("at line 7: {secret}")),
        ("application/json", error.to_string()),
        ("text/event-stream", format!("data: {error}\n\n")),
    ] {
        for (then, text) in [
            (OnFind::Refuse, &body),
            (OnFind::Report, &body),
            (OnFind::Refuse, &"no such thing".to_owned()),
        ] {
            let layer = layer(Screening::new().answers(Detector::Secret, then));
            let (status, sent) = (http::StatusCode::BAD_GATEWAY, text.clone());
            let inner = tower::service_fn(move |_: http::Request<_>| {
                let sent = http_body_util::Full::<bytes::Bytes>::from(sent.clone());
                let answer = Response::builder()
                    .status(status)
                    .header("content-type", media);
                async move { Ok::<_, std::convert::Infallible>(answer.body(sent).unwrap()) }
            });
            let mut request = call_tool(Revision::V2025_11_25, "note", json!({})).build();
            let context = bartizan_core::SecurityContext::of(&mut request);
            context.open_trail();
            let answer = layer.layer(inner).oneshot(request).await.unwrap();
            let kind = answer.extensions().get().map(bartizan_core::Denial::kind);
            let is_withheld = *text == body && then == OnFind::Refuse;
            assert_eq!(
                kind,
                is_withheld.then_some(DenialKind::AnswerRefused),
                "{media}"
            );
            assert_eq!(answer.status() == status, !is_withheld, "{media}");
            let got = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(got == text.as_bytes(), !is_withheld, "{media}");
            let findings = context.trail().unwrap().findings();
            let is_told = findings
                .iter()
                .any(|one| one.reason == "the tool's answer looks like secret");
            assert_eq!(is_told, *text == body, "{media}: {findings:?}");
        }
    }
}

#[tokio::test]
async fn one_that_is_only_noted_holds_up_no_answer_that_does_not_fit() {
    let layer = layer(Screening::new().answers(Detector::Secret, OnFind::Refuse))
        .answers(Answers::report())
        .output_schema("note", r#"{"type":"object"}"#)
        .unwrap();
    let (_, kind, findings) = answered(&layer, "a note").await;
    assert_eq!(kind, None);
    assert_eq!(
        findings,
        [(
            Verdict::Noted,
            "the tool's answer has no structured content".to_owned()
        )]
    );
}

#[tokio::test]
async fn long_text_that_nearly_is_an_attack_is_judged_in_time() {
    let layer = layer(everything(OnFind::Refuse));
    let begun = std::time::Instant::now();
    let nearly = [
        "'", "' or ", "<a ", "%2", "{{", "../", "$(", "\r\n", "union ", "\u{ff07}", "a.b@", "eyJ",
    ];
    let each = (1 << 20) / nearly.len();
    let text: String = nearly
        .map(|piece| piece.repeat(each / piece.len()))
        .concat();
    argument(&layer, &text).await;
    // What is not linear takes hours for 1 MiB.
    assert!(begun.elapsed().as_secs() < 120, "{:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic_and_what_is_found_is_found_within_other_text(
        before in "\\PC{0,40}",
        after in "\\PC{0,40}",
        index in 0..attacks().len(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let layer = layer(everything(OnFind::Refuse));
        let (detector, text) = attacks().swap_remove(index);
        // A finder of secrets looks at what stands around them, and some attacks are at an end.
        let at_ends = matches!(detector, Detector::Secret);
        let alone = runtime.block_on(found(&layer, &text));
        let within = runtime.block_on(found(&layer, &format!("{before} {text}\n{after}")));
        let is_found = |found: &[String]| found.iter().any(|one| one == detector.name());
        let has_end = text.ends_with(['-', '#', 'h', 'd', 'v']);
        prop_assert!(at_ends || has_end || !is_found(&alone) || is_found(&within), "{}", text);
    }
}

#[test]
fn detectors_are_known_by_their_names() {
    for detector in Detector::ALL {
        assert_eq!(Detector::from_name(detector.name()), Some(detector));
    }
    assert_eq!(Detector::from_name("SQL"), None);
}

/// Prints what is found in the texts that the file `SCREENED` lists, paragraph by paragraph.
#[tokio::test]
#[ignore = "measures texts that are not part of this repository"]
async fn texts_from_elsewhere() {
    let list = std::env::var("SCREENED").unwrap();
    let layer = layer(everything(OnFind::Refuse));
    let (mut all, mut wrong, mut by) = (0, 0, BTreeMap::<_, (usize, Vec<String>)>::new());
    for path in std::fs::read_to_string(list).unwrap().lines() {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        for paragraph in text.split("\n\n").filter(|text| !text.trim().is_empty()) {
            all += 1;
            let found = found(&layer, paragraph).await;
            wrong += usize::from(!found.is_empty());
            for one in found {
                let entry = by.entry(one).or_default();
                entry.0 += 1;
                entry.1.push(paragraph.chars().take(160).collect());
            }
        }
    }
    println!("{wrong} of {all}");
    for (detector, (count, some)) in by {
        println!("{detector}: {count}");
        some.iter().take(6).for_each(|one| println!("    {one:?}"));
    }
}
