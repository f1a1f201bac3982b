//! Records of every sort, and what alerts make of them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_alerts::{
    Alerts, AlertsBuilder, Deliveries, Delivery, Outbox, Receiver, Rule, Rules, Undelivered,
};
use bartizan_audit::{Adding, Anomaly, AuditLayer, AuditSink, Record, Severity, Watcher};
use bartizan_core::{
    CallLayer, Denial, DenialKind, Event, FakeClock, Finding, Principal, RequestBody, ResponseBody,
    SecurityContext, Verdict, identify, refuse,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

/// 2026-11-23T15:00:00Z.
pub(crate) const NOW: Duration = Duration::from_secs(1_795_446_000);

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Looks at records on the thread that makes them, in place of a queue's.
pub(crate) struct Scene {
    watching: Arc<Watching>,
    layer: AuditLayer,
    pub(crate) clock: FakeClock,
    pub(crate) deliveries: Deliveries,
    received: Kept,
}

struct Watching {
    alerts: Mutex<Alerts>,
    added: Mutex<Vec<String>>,
}

/// Keeps what it receives.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<Value>>>);

/// A request, and how a guard judges it.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) user: Option<&'static str>,
    pub(crate) issuer: &'static str,
    pub(crate) credential: Option<&'static str>,
    pub(crate) address: Option<String>,
    pub(crate) tool: Option<&'static str>,
    pub(crate) denial: Option<DenialKind>,
    pub(crate) decoy: bool,
    pub(crate) panics: bool,
}

impl Receiver for Kept {
    fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
        let alert = serde_json::from_str(&delivery.to_json()).unwrap();
        self.0.lock().unwrap().push(alert);
        Ok(())
    }
}

impl Kept {
    pub(crate) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AuditSink for Watching {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        self.with(|alerts, adding| alerts.see(record, adding));
    }
}

impl Watching {
    fn with(&self, run: impl FnOnce(&mut Alerts, &mut Adding<'_>)) {
        let mut take = |record: Record<'_>| self.added.lock().unwrap().push(record.to_json());
        run(&mut self.alerts.lock().unwrap(), &mut Adding::to(&mut take));
    }
}

pub(crate) fn rule(name: &str) -> Rule {
    Rule::new(name).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Scene {
    pub(crate) fn of(rule: Rule) -> Self {
        Self::by(Rules::new().rule(rule).unwrap(), |builder| builder)
    }

    pub(crate) fn by(rules: Rules, change: impl FnOnce(AlertsBuilder) -> AlertsBuilder) -> Self {
        let (clock, received) = (FakeClock::at(NOW), Kept::default());
        let kept = Outbox::to("kept", received.clone()).unwrap();
        let builder = Alerts::by(rules).clock(clock.clone()).send_to(kept);
        let alerts = change(builder).build().unwrap();
        let deliveries = alerts.deliveries();
        let watching = Arc::new(Watching {
            alerts: Mutex::new(alerts),
            added: Mutex::default(),
        });
        let layer = AuditLayer::new(Arc::clone(&watching)).clock(clock.clone());
        let layer = layer.destructive(["delete_*"]).unwrap();
        Self {
            watching,
            layer,
            clock,
            deliveries,
            received,
        }
    }

    /// The alerts of one request.
    pub(crate) fn ask(&self, asked: &Asked) -> Vec<Value> {
        serve(&self.layer, asked);
        self.alerts()
    }

    /// The alerts of so many of them.
    pub(crate) fn ask_often(&self, times: usize, asked: &Asked) -> Vec<Value> {
        (0..times).for_each(|_| serve(&self.layer, asked));
        self.alerts()
    }

    pub(crate) fn report(&self, event: &Event) -> Vec<Value> {
        self.layer.recorded_events().emit(event);
        self.alerts()
    }

    pub(crate) fn find(&self, detector: &'static str, severity: Severity) -> Vec<Value> {
        let found = Anomaly::new(detector, "rate", severity);
        let found = found.value("900").baseline("10").about("ann");
        let mut take = |record: Record<'_>| {
            self.watching
                .with(|alerts, adding| alerts.see(&record, adding));
        };
        Adding::to(&mut take).anomaly(NOW, None, &found);
        self.alerts()
    }

    pub(crate) fn pass(&self, by: Duration) -> Vec<Value> {
        self.clock.advance(by);
        self.watching.with(|alerts, adding| alerts.wake(adding));
        self.alerts()
    }

    pub(crate) fn end(&self) -> Vec<Value> {
        self.watching.with(|alerts, adding| alerts.end(adding));
        self.alerts()
    }

    pub(crate) fn show(&self, run: impl FnOnce(&mut Alerts, &mut Adding<'_>)) -> Vec<Value> {
        self.watching.with(run);
        self.alerts()
    }

    /// What was added to the log.
    pub(crate) fn added(&self) -> Vec<Value> {
        let added = std::mem::take(&mut *self.watching.added.lock().unwrap());
        added
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn alerts(&self) -> Vec<Value> {
        self.deliveries.flush(SOON).unwrap();
        self.received.take()
    }
}

pub(crate) fn by_ann() -> Asked {
    Asked {
        user: Some("ann"),
        issuer: "https://auth.example.com",
        credential: Some("jti-1"),
        address: Some("203.0.113.9".into()),
        tool: Some("read_note"),
        ..Asked::default()
    }
}

impl Asked {
    pub(crate) fn refused(self, kind: DenialKind) -> Self {
        Self {
            denial: Some(kind),
            ..self
        }
    }

    pub(crate) fn user(self, user: &'static str) -> Self {
        Self {
            user: Some(user),
            ..self
        }
    }

    pub(crate) fn address(self, address: &str) -> Self {
        Self {
            address: Some(address.into()),
            ..self
        }
    }

    pub(crate) fn tool(self, tool: &'static str) -> Self {
        Self {
            tool: Some(tool),
            ..self
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let tool = self.tool.unwrap_or("none");
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 7, "method": "tools/call",
            "params": { "name": tool, "arguments": { "password": "hunter2-s3cret" } },
        });
        let mut request = Request::post("/mcp")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        if let Some(user) = self.user {
            let mut user = Principal::user(self.issuer, user);
            if let Some(credential) = self.credential {
                user = user.credential_id(credential);
            }
            identify(&mut request, user.build("jwt")).unwrap();
        }
        if let Some(address) = &self.address {
            let context = SecurityContext::of(&mut request);
            context
                .set_client_address(address.parse().unwrap())
                .unwrap();
        }
        request
    }
}

type Body = ResponseBody<Full<Bytes>>;

/// A request through the layer, to the end of its answer.
pub(crate) fn serve(layer: &AuditLayer, asked: &Asked) {
    let inner = service_fn(
        move |mut request: Request<RequestBody<Full<Bytes>>>| async move {
            let context = SecurityContext::of(&mut request);
            assert!(!asked.panics, "as the test tells it to");
            if asked.decoy {
                context.record(|| Finding::new("rbac", Verdict::Honey, "honey_tool", "a decoy"));
            }
            let answer: Response<Body> = match asked.denial {
                None => Response::new(ResponseBody::inner(Full::default())),
                Some(kind) => refuse!("rbac", &context, Denial::new(kind, "as the test says")),
            };
            Ok::<_, Infallible>(answer)
        },
    );
    let service = layer.layer(CallLayer::new().layer(inner));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let answer = service.oneshot(asked.request()).await.unwrap();
            http_body_util::BodyExt::collect(answer.into_body())
                .await
                .unwrap();
        });
    }));
    assert_eq!(served.is_err(), asked.panics);
}

/// The rules that raised them.
pub(crate) fn rules_of(alerts: &[Value]) -> Vec<&str> {
    alerts
        .iter()
        .map(|alert| alert["rule"].as_str().unwrap())
        .collect()
}
