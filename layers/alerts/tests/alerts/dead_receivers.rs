//! A receiver that is dead costs requests nothing, nor the log.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use bartizan_alerts::{
    Alerts, By, Delivery, Outbox, Receiver, Rules, Undelivered, Webhook, WebhookBuilder,
};
use bartizan_audit::{AuditLayer, JsonLines};
use bartizan_core::{DenialKind, Events};

use super::{
    common::{Kept, SOON, by_ann, rule, serve},
    pager::{Does, Pager, secret},
};

const REQUESTS: usize = 1000;

/// An alert for each of 1000 requests, each refused.
fn rules() -> Rules {
    let rule = rule("denials")
        .denial(DenialKind::Forbidden)
        .by(By::Address);
    Rules::new().rule(rule).unwrap()
}

/// The slowest of 1000 requests through a real layer over a real queue, that all raise an alert.
fn slowest(layer: &AuditLayer) -> Duration {
    let requests = (0..REQUESTS).map(|nth| {
        let asked = by_ann().address(&format!("10.1.{}.{}", nth / 250, nth % 250));
        let begun = Instant::now();
        serve(layer, &asked.refused(DenialKind::Forbidden));
        begun.elapsed()
    });
    requests.max().unwrap()
}

/// Far below what the receivers here keep whoever waits for them: more than one request in a thousand would show.
const PATIENCE: Duration = Duration::from_millis(2000);

fn webhook(url: &str) -> WebhookBuilder {
    Webhook::to(url, secret(1))
        .danger_allow_http()
        .danger_allow_this_machine()
        .timeout(Duration::from_secs(30))
}

#[test]
fn requests_and_records_go_on_while_a_receiver_hangs() {
    let pager = Pager::that(&[Does::Hangs]);
    let hanging = Outbox::to("pager", webhook(&pager.url).build().unwrap());
    let hanging = hanging.unwrap().capacity(10).unwrap();
    let (kept, said) = (Kept::default(), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&said);
    let events = Events::to(move |event| told.lock().unwrap().push(event.kind));
    let other = Outbox::to("kept", kept.clone())
        .unwrap()
        .capacity(2000)
        .unwrap();
    let alerts = Alerts::by(rules())
        .send_to(hanging)
        .send_to(other)
        .events(events);
    let alerts = alerts.build().unwrap();
    let deliveries = alerts.deliveries();
    let layer = AuditLayer::new(JsonLines::to(io::sink()).watched_by(alerts));

    let begun = Instant::now();
    let slowest = slowest(&layer);
    assert!(slowest < PATIENCE, "{slowest:?}");
    // The queue's thread writes on, whoever hangs.
    layer.flush(SOON).unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
    // One is on its way, and ten wait: the others are dropped, and counted.
    pager.next();
    assert!(!pager.has_more());
    assert_eq!(deliveries.missed(), (REQUESTS - 11) as u64);
    let waiting = deliveries.flush(Duration::ZERO).unwrap_err().waiting();
    assert_eq!(waiting, 11);
    // The other one has its own thread, and got everything.
    let until = Instant::now() + SOON;
    while said.lock().unwrap().is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(*said.lock().unwrap(), ["alerts_dropped"]);
    assert_eq!(kept.take().len(), REQUESTS);
}

#[test]
fn requests_go_on_while_a_receiver_is_gone_or_refuses() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let failing = Pager::that(&[Does::Answer(500, "")]);
    let dying = Pager::that(&[Does::DiesWhileItReads]);
    for url in [&gone, &failing.url, &dying.url] {
        let outbox = Outbox::to("pager", webhook(url).build().unwrap()).unwrap();
        let alerts = Alerts::by(rules()).send_to(outbox.capacity(10).unwrap());
        let alerts = alerts.build().unwrap();
        let deliveries = alerts.deliveries();
        let layer = AuditLayer::new(JsonLines::to(io::sink()).watched_by(alerts));
        let slowest = slowest(&layer);
        assert!(slowest < PATIENCE, "{slowest:?}");
        layer.flush(SOON).unwrap();
        assert!(
            deliveries.missed() >= (REQUESTS - 100) as u64,
            "{}",
            deliveries.missed()
        );
        // And the process does not wait for it at its end.
        let begun = Instant::now();
        drop(layer);
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
}

/// Sees the bounds above fail: whoever delivers on the queue's thread keeps it.
#[test]
fn a_receiver_that_blocks_forever_keeps_nobody_but_itself() {
    struct Blocked(mpsc::Receiver<()>);
    impl Receiver for Blocked {
        fn receive(&mut self, _: &Delivery<'_>) -> Result<(), Undelivered> {
            let _ = self.0.recv();
            Ok(())
        }
    }
    let (free, blocked) = mpsc::channel();
    let outbox = Outbox::to("blocked", Blocked(blocked)).unwrap();
    let alerts = Alerts::by(rules()).send_to(outbox).build().unwrap();
    let deliveries = alerts.deliveries();
    let layer = AuditLayer::new(JsonLines::to(io::sink()).watched_by(alerts));
    assert!(slowest(&layer) < PATIENCE);
    layer.flush(SOON).unwrap();
    assert!(deliveries.flush(Duration::from_millis(50)).is_err());
    drop(free);
    deliveries.flush(SOON).unwrap();
}
