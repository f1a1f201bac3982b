use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_alerts::{JSON_SCHEMA, Outbox, Rules, Webhook, WebhookBuilder};
use bartizan_core::{DenialKind, Events};
use serde_json::Value;

use super::{
    common::{Asked, SOON, Scene, by_ann, rule},
    pager::{Does, Got, Pager, secret},
};

const GOOD: Does = Does::Answer(204, "");

/// A rule of every refusal, told to the webhook; and what events say meanwhile.
fn paged(webhook: WebhookBuilder) -> (Scene, Arc<Mutex<Vec<String>>>) {
    let rules = Rules::new().rule(
        rule("denials")
            .denial(DenialKind::Forbidden)
            .by(bartizan_alerts::By::User),
    );
    let outbox = Outbox::to("pager", webhook.build().unwrap()).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&said);
    let events = Events::to(move |event| {
        told.lock()
            .unwrap()
            .push(format!("{}: {}", event.kind, event.detail));
    });
    let scene = Scene::by(rules.unwrap(), |builder| {
        builder.send_to(outbox).events(events)
    });
    (scene, said)
}

fn denied() -> Asked {
    by_ann().refused(DenialKind::Forbidden)
}

fn all(pager: &Pager, count: usize) -> Vec<Got> {
    let got = (0..count).map(|_| pager.next()).collect();
    assert!(!pager.has_more());
    got
}

#[test]
fn an_alert_is_posted_signed_and_as_its_schema_says() {
    let pager = Pager::that(&[GOOD]);
    let (scene, said) = paged(pager.webhook().also_signed_with(secret(2)));
    let kept = scene.ask(&denied());
    let got = &all(&pager, 1)[0];
    assert_eq!(got.line, "POST /hooks/s3cret HTTP/1.1");
    assert_eq!(got.headers["content-type"], "application/json");
    // Of either secret while one takes the other's place, and of no other.
    let alert = got.verified(1).unwrap();
    assert!(got.verified(2).is_some() && got.verified(3).is_none());
    assert_eq!(alert, kept[0]);
    assert_eq!(got.id(), format!("alert_{}", alert["id"].as_str().unwrap()));
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    assert!(jsonschema::is_valid(&schema, &alert));
    assert!(said.lock().unwrap().is_empty());
}

#[test]
fn what_may_pass_is_tried_again_as_the_same_message_and_what_may_not_is_given_up() {
    for again in [
        Does::Answer(500, ""),
        Does::Answer(503, "retry-after: 0\r\n"),
        Does::Answer(429, ""),
        Does::Answer(408, ""),
        Does::DiesWhileItReads,
        Does::Hangs,
    ] {
        let pager = Pager::that(&[again, GOOD]);
        let (scene, said) = paged(pager.webhook());
        scene.ask(&denied());
        let attempts = if matches!(again, Does::DiesWhileItReads) {
            1
        } else {
            2
        };
        let got = all(&pager, attempts);
        let alerts: Vec<_> = got.iter().map(|got| got.verified(1).unwrap()).collect();
        assert!(got.iter().all(|one| one.id() == got[0].id()), "{again:?}");
        assert!(alerts.iter().all(|one| *one == alerts[0]), "{again:?}");
        assert_eq!(scene.deliveries.missed(), 0, "{again:?}");
        assert!(said.lock().unwrap().is_empty(), "{again:?}");
    }
    for over in [
        Does::Answer(400, "retry-after: 0\r\n"),
        Does::Answer(404, ""),
        Does::Answer(410, ""),
        Does::Answer(307, "location: http://169.254.169.254/\r\n"),
    ] {
        let pager = Pager::that(&[over, GOOD]);
        let (scene, said) = paged(pager.webhook());
        scene.ask(&denied());
        assert_eq!(all(&pager, 1).len(), 1, "{over:?}");
        assert_eq!(scene.deliveries.missed(), 1, "{over:?}");
        let said = said.lock().unwrap().join("\n");
        let Does::Answer(status, _) = over else {
            unreachable!()
        };
        assert_eq!(
            said,
            format!("receiver_failed: `pager` did not take an alert: status {status}")
        );
        assert!(!said.contains("s3cret"));
    }
}

#[test]
fn an_answer_that_breaks_off_behind_its_head_has_taken_the_alert() {
    let pager = Pager::that(&[Does::DiesWhileItAnswers(200), GOOD]);
    let (scene, _) = paged(pager.webhook());
    scene.ask(&denied());
    assert_eq!(all(&pager, 1).len(), 1);
    assert_eq!(scene.deliveries.missed(), 0);
    // Of a refusal too its head is enough.
    let pager = Pager::that(&[Does::DiesWhileItAnswers(500), GOOD]);
    let (scene, _) = paged(pager.webhook());
    scene.ask(&denied());
    assert_eq!(all(&pager, 2).len(), 2);
    assert_eq!(scene.deliveries.missed(), 0);
}

#[test]
fn retry_after_is_waited_for() {
    let pager = Pager::that(&[Does::Answer(429, "retry-after: 1\r\n"), GOOD]);
    let (scene, _) = paged(pager.webhook());
    let begun = Instant::now();
    scene.ask(&denied());
    assert_eq!(all(&pager, 2).len(), 2);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_was_missed_is_told_with_the_next_delivery_and_by_events() {
    let pager = Pager::that(&[Does::Answer(500, "")]);
    let (scene, said) = paged(pager.webhook().attempts(3));
    scene.ask(&denied());
    scene.ask(&denied().user("ben"));
    assert_eq!(all(&pager, 6).len(), 6);
    assert_eq!(scene.deliveries.missed(), 2);
    pager.now(GOOD);
    scene.ask(&denied().user("eve"));
    assert_eq!(pager.next().verified(1).unwrap()["missed"], 2);
    scene.ask(&denied().user("kim"));
    assert_eq!(pager.next().verified(1).unwrap()["missed"], 0);
    let said = said.lock().unwrap();
    assert_eq!(
        *said,
        [
            "receiver_failed: `pager` did not take an alert: 3 attempts; the last: status 500",
            "receiver_recovered: `pager` takes alerts again; it missed 2",
        ]
    );
}

#[test]
fn ss_1_ss_2_a_name_that_leads_elsewhere_is_not_connected_to() {
    // No name of the Internet is asked for: one of this machine, in a spelling that only a resolver understands.
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let name = hosts
        .lines()
        .filter(|line| line.starts_with("127.") || line.starts_with("::1"));
    let mut names = name.flat_map(|line| line.split_whitespace().skip(1).map(str::to_owned));
    let Some(name) = names.find(|name| !name.contains("localhost") && !name.starts_with("ip6"))
    else {
        return;
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{name}:{}/", listener.local_addr().unwrap().port());
    let webhook = Webhook::to(&url, secret(1))
        .danger_allow_http()
        .danger_allow_this_machine();
    let webhook = webhook
        .allow_private_network()
        .attempts(1)
        .timeout(Duration::from_secs(2));
    let (scene, said) = paged(webhook);
    scene.ask(&denied());
    scene.deliveries.flush(SOON).unwrap();
    let said = said.lock().unwrap().join("\n");
    assert!(said.contains("may be reached"), "{said}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[test]
fn a_private_address_needs_permission_and_a_metadata_address_has_none() {
    for url in [
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://10.255.255.1/",
    ] {
        let webhook = Webhook::to(url, secret(1))
            .danger_allow_http()
            .danger_allow_this_machine();
        assert!(webhook.build().is_err(), "{url}");
    }
}
