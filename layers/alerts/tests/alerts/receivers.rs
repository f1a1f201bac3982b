use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use bartizan_alerts::{Alerts, By, Delivery, Outbox, Receiver, Rules, Undelivered};
use bartizan_audit::Severity;
use bartizan_core::{DenialKind, Events};

use super::common::{Asked, Kept, SOON, Scene, by_ann, rule, rules_of};

fn rules() -> Rules {
    let grave = rule("grave").denial(DenialKind::Forbidden).by(By::User);
    let slight = rule("slight").denial(DenialKind::RateLimited).by(By::User);
    let rules = Rules::new()
        .rule(grave.severity(Severity::Critical))
        .unwrap();
    rules.rule(slight.severity(Severity::Notice)).unwrap()
}

fn grave() -> Asked {
    by_ann().refused(DenialKind::Forbidden)
}

fn slight() -> Asked {
    by_ann().refused(DenialKind::RateLimited)
}

#[test]
fn a_receiver_that_panics_is_asked_again_and_the_event_says_so() {
    struct Panics(u32, Kept);
    impl Receiver for Panics {
        fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
            self.0 += 1;
            assert!(self.0 > 1, "as the test tells it to");
            self.1.receive(delivery)
        }
    }
    let (kept, said) = (Kept::default(), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&said);
    let events = Events::to(move |event| told.lock().unwrap().push(event.kind));
    let outbox = Outbox::to("panics", Panics(0, kept.clone())).unwrap();
    let scene = Scene::by(rules(), |builder| builder.send_to(outbox).events(events));
    assert_eq!(scene.ask(&grave()).len(), 1);
    assert!(kept.take().is_empty());
    assert_eq!(scene.ask(&grave().user("ben")).len(), 1);
    assert_eq!(kept.take()[0]["missed"], 1);
    assert_eq!(
        *said.lock().unwrap(),
        ["receiver_failed", "receiver_recovered"]
    );
}

#[test]
fn a_receiver_gets_what_is_grave_enough_for_it() {
    let kept = Kept::default();
    let outbox = Outbox::to("night", kept.clone())
        .unwrap()
        .at_least(Severity::Error);
    let scene = Scene::by(rules(), |builder| builder.send_to(outbox));
    assert_eq!(scene.ask(&slight()).len(), 1);
    assert_eq!(scene.ask(&grave()).len(), 1);
    assert_eq!(rules_of(&kept.take()), ["grave"]);
}

#[test]
fn a_flood_of_slight_alerts_keeps_no_grave_one_away() {
    struct Gated(mpsc::Receiver<()>, Kept);
    impl Receiver for Gated {
        fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
            let _ = self.0.recv();
            self.1.receive(delivery)
        }
    }
    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let (kept, (open, gate)) = (Kept::default(), mpsc::channel());
    let outbox = Outbox::to("gated", Gated(gate, kept.clone())).unwrap();
    let alerts = Alerts::by(rules()).send_to(outbox.capacity(3).unwrap());
    let alerts = alerts.build().unwrap();
    let deliveries = alerts.deliveries();
    let lines = bartizan_audit::JsonLines::to(std::io::sink()).watched_by(alerts);
    let layer = bartizan_audit::AuditLayer::new(lines);
    for name in NAMES {
        super::common::serve(&layer, &slight().user(name));
    }
    super::common::serve(&layer, &grave());
    layer.flush(SOON).unwrap();
    drop(open);
    deliveries.flush(SOON).unwrap();
    let got = kept.take();
    let users: Vec<_> = got
        .iter()
        .map(|alert| alert["group"]["user"].as_str().unwrap())
        .collect();
    // The first one may have been taken before there were others. The last of the slight ones gave way.
    assert!(
        users == ["a", "b", "c", "ann"] || users == ["a", "b", "ann"],
        "{users:?}"
    );
    assert_eq!(
        got[0]["missed"].as_u64().unwrap() + got[1]["missed"].as_u64().unwrap(),
        deliveries.missed()
    );
}

#[test]
fn what_waits_is_delivered_before_the_end_within_a_deadline() {
    struct Slow(Kept);
    impl Receiver for Slow {
        fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
            assert!(delivery.pause(Duration::from_millis(20)));
            self.0.receive(delivery)
        }
    }
    let kept = Kept::default();
    let outbox = Outbox::to("slow", Slow(kept.clone())).unwrap();
    let alerts = Alerts::by(rules()).send_to(outbox).build().unwrap();
    let deliveries = alerts.deliveries();
    let layer = bartizan_audit::AuditLayer::new(
        bartizan_audit::JsonLines::to(std::io::sink()).watched_by(alerts),
    );
    for name in ["a", "b", "c", "d", "e"] {
        super::common::serve(&layer, &grave().user(name));
    }
    // The queue's thread ends, and the alerts with it.
    drop(layer);
    deliveries.flush(Duration::MAX).unwrap();
    assert_eq!(kept.take().len(), 5);
}

#[test]
fn there_is_no_pause_that_the_end_would_cut() {
    struct Patient(mpsc::Sender<bool>);
    impl Receiver for Patient {
        fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
            self.0
                .send(delivery.pause(Duration::from_secs(3600)))
                .unwrap();
            Err(Undelivered::new("no time"))
        }
    }
    let (tell, paused) = mpsc::channel();
    let scene_alerts = Alerts::by(rules()).send_to(Outbox::to("patient", Patient(tell)).unwrap());
    let alerts = scene_alerts.build().unwrap();
    let layer = bartizan_audit::AuditLayer::new(
        bartizan_audit::JsonLines::to(std::io::sink()).watched_by(alerts),
    );
    super::common::serve(&layer, &grave());
    let begun = Instant::now();
    drop(layer);
    assert_eq!(paused.recv_timeout(SOON), Ok(false));
    assert!(begun.elapsed() < SOON);
}

#[test]
fn what_can_not_be_is_an_error_that_names_itself() {
    let error =
        |built: Result<Alerts, bartizan_alerts::AlertsConfigError>| built.unwrap_err().to_string();
    assert!(error(Alerts::by(Rules::new()).build()).contains("rules"));
    let twice = Alerts::by(rules())
        .send_to(Outbox::to("pager", Kept::default()).unwrap())
        .send_to(Outbox::to("pager", Kept::default()).unwrap());
    assert!(error(twice.build()).contains("`pager` is there twice"));
    for name in ["", "a b", "é"] {
        assert!(Outbox::to(name, Kept::default()).is_err(), "{name}");
    }
    let outbox = || Outbox::to("pager", Kept::default()).unwrap();
    assert!(outbox().capacity(0).is_err() && outbox().capacity((1 << 16) + 1).is_err());
    let twice = Rules::recommended().rule(rule("denials").denial(DenialKind::Forbidden));
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("`denials` is there twice")
    );
    assert!(Rules::new().rule(rule("all")).is_err());
    assert!(Rules::recommended().without("nothing").is_err());
}
