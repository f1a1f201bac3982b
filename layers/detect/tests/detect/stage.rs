//! An audit layer with detectors, a clock that is moved by hand, and requests that end as told.

use std::{
    convert::Infallible,
    io::{self, Write},
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_audit::{AuditLayer, JsonLines};
use bartizan_core::{
    CallLayer, Denial, DenialKind, FakeClock, Principal, RequestBody, ResponseBody,
    SecurityContext, honey, identify, note, refuse,
};
use bartizan_detect::Detectors;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

type Body = Full<Bytes>;
type Answer = Response<ResponseBody<Body>>;

/// What becomes of a request, and who sends it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    pub(crate) from: &'static str,
    pub(crate) address: Option<IpAddr>,
    pub(crate) user: Option<String>,
    pub(crate) credential: Option<String>,
    /// A credential that is refused.
    pub(crate) refused: Option<String>,
    /// An API key's id, which is refused.
    pub(crate) key: Option<String>,
    pub(crate) tool: Option<String>,
    pub(crate) denied: bool,
    pub(crate) unknown: bool,
    pub(crate) decoy: Option<&'static str>,
}

impl Ask {
    pub(crate) fn of(user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            from: "192.0.2.1",
            ..Self::default()
        }
    }

    pub(crate) fn refused(credential: impl ToString) -> Self {
        Self {
            refused: Some(credential.to_string()),
            from: "192.0.2.1",
            ..Self::default()
        }
    }

    pub(crate) fn key(mut self, id: impl ToString) -> Self {
        self.key = Some(id.to_string());
        self
    }

    pub(crate) fn from(mut self, address: &'static str) -> Self {
        self.from = address;
        self
    }

    pub(crate) fn at(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    pub(crate) fn with(mut self, credential: &str) -> Self {
        self.credential = Some(credential.to_owned());
        self
    }

    pub(crate) fn tool(mut self, tool: impl ToString) -> Self {
        self.tool = Some(tool.to_string());
        self
    }

    pub(crate) fn denied(mut self) -> Self {
        self.denied = true;
        self
    }

    pub(crate) fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    pub(crate) fn touching(mut self, decoy: &'static str) -> Self {
        self.decoy = Some(decoy);
        self
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Stage {
    layer: AuditLayer,
    written: Shared,
    pub(crate) clock: FakeClock,
}

/// 2026-11-23T15:00:00Z.
const NOW: Duration = Duration::from_secs(1_795_446_000);

impl Stage {
    pub(crate) fn new(detectors: Detectors) -> Self {
        let (written, clock) = (Shared::default(), FakeClock::at(NOW));
        let lines = JsonLines::to(written.clone()).watched_by(detectors);
        let layer = AuditLayer::new(lines).clock(clock.clone());
        Self {
            layer: layer.destructive(["delete_*"]).unwrap(),
            written,
            clock,
        }
    }

    pub(crate) fn usual() -> Self {
        Self::new(Detectors::new())
    }

    pub(crate) async fn ask(&self, ask: Ask) {
        let params = json!({ "name": ask.tool.as_deref().unwrap_or("read_note") });
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
        let mut request = Request::post("/mcp")
            .header("content-type", "application/json")
            .body(Body::from(call.to_string()))
            .unwrap();
        let context = SecurityContext::of(&mut request);
        let address = ask.address.unwrap_or_else(|| ask.from.parse().unwrap());
        context.set_client_address(address).unwrap();
        if let Some(user) = &ask.user {
            let mut principal = Principal::user("https://auth.example.com", user);
            if let Some(credential) = &ask.credential {
                principal = principal.credential_id(credential);
            }
            identify(&mut request, principal.build("jwt")).unwrap();
        }
        let ended = if let Some(refused) = &ask.refused {
            let inner = service_fn(|mut request: Request<Body>| {
                let context = SecurityContext::of(&mut request);
                context.note_refused_credential(refused.as_bytes());
                if let Some(id) = &ask.key {
                    note!("apikey", &context, "key_refused", format!("key `{id}`"));
                }
                if let Some(decoy) = ask.decoy {
                    honey!("apikey", &context, "honey_key", decoy);
                }
                let denial = Denial::new(DenialKind::CredentialsInvalid, "no such credential");
                let answer: Answer = refuse!("auth", &context, denial);
                async { Ok::<_, Infallible>(answer) }
            });
            let answer = self.layer.layer(inner).oneshot(request).await.unwrap();
            answer.into_body().collect().await
        } else {
            let inner = service_fn(|mut request: Request<RequestBody<Body>>| {
                let context = SecurityContext::of(&mut request);
                let answer: Answer = if ask.denied {
                    let denial = Denial::new(DenialKind::Forbidden, "not yours");
                    refuse!("rbac", &context, denial)
                } else {
                    let outcome = match ask.unknown {
                        true => (
                            "error",
                            json!({ "code": -32602, "message": "Unknown tool" }),
                        ),
                        false => ("result", json!({ "content": [] })),
                    };
                    let body = json!({ "jsonrpc": "2.0", "id": 7, outcome.0: outcome.1 });
                    let answer = Response::builder().header("content-type", "application/json");
                    let body = ResponseBody::inner(Body::from(body.to_string()));
                    answer.body(body).unwrap()
                };
                if let Some(decoy) = ask.decoy {
                    honey!("rbac", &context, "honey_tool", decoy);
                }
                async { Ok::<_, Infallible>(answer) }
            });
            let service = self.layer.layer(CallLayer::new().layer(inner));
            let answer = service.oneshot(request).await.unwrap();
            answer.into_body().collect().await
        };
        ended.unwrap();
    }

    /// The anomalies so far: detector, value, baseline, about.
    pub(crate) fn found(&self) -> Vec<[String; 4]> {
        let all = self.anomalies();
        let of = |anomaly: &Value, name: &str| {
            let found = &anomaly["metadata"]["found"];
            found[name].as_str().unwrap_or_default().to_owned()
        };
        all.iter()
            .map(|anomaly| ["detector", "value", "baseline", "about"].map(|name| of(anomaly, name)))
            .collect()
    }

    /// The names of their detectors, and their values.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        let all = self.found().into_iter();
        all.map(|[detector, value, ..]| (detector, value)).collect()
    }

    pub(crate) fn anomalies(&self) -> Vec<Value> {
        let is_anomaly = |record: &Value| record["event_type"] == "anomaly";
        self.records().into_iter().filter(is_anomaly).collect()
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        self.layer.flush(Duration::from_secs(30)).unwrap();
        let text = String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap();
        let parse = |line| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect()
    }
}
