use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bartizan_core::{Denial, Finding, Principal, RequestBody, ResponseBody, SecurityContext};
use bartizan_rbac::{ListBody, Policy, RbacLayer, Rule};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::WWW_AUTHENTICATE};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

/// A response, what was recorded, and how often the inner service was called.
pub(crate) struct Answer {
    pub(crate) response: Response<ResponseBody<ListBody<Full<Bytes>>>>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) reached: usize,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn denial(&self) -> &Denial {
        self.response.extensions().get::<Denial>().unwrap()
    }

    pub(crate) fn challenges(&self) -> Vec<&str> {
        let lines = self.response.headers().get_all(WWW_AUTHENTICATE);
        lines.iter().map(|line| line.to_str().unwrap()).collect()
    }

    pub(crate) fn finding(&self) -> &Finding {
        assert_eq!(self.findings.len(), 1, "{:?}", self.findings);
        &self.findings[0]
    }

    pub(crate) async fn text(self) -> String {
        let headers = format!("{:?}", self.response.headers());
        let body = self.response.into_body().collect().await.unwrap();
        format!("{headers} {}", String::from_utf8_lossy(&body.to_bytes()))
    }
}

/// Who asks, and what the authentication layer left.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    pub(crate) principal: Option<Principal>,
    pub(crate) challenges: Vec<&'static str>,
}

impl Caller {
    pub(crate) fn of(principal: Principal) -> Self {
        Self {
            principal: Some(principal),
            challenges: vec![BEARER],
        }
    }

    pub(crate) fn user(roles: &[&str], scopes: &[&str]) -> Self {
        let ann = Principal::user("https://auth.example.com", "ann");
        Self::of(ann.roles(roles).scopes(scopes).build("jwt"))
    }

    pub(crate) fn anonymous() -> Self {
        Self::of(Principal::anonymous())
    }

    pub(crate) async fn ask(
        &self,
        policy: &Arc<Policy>,
        mut request: Request<Full<Bytes>>,
    ) -> Answer {
        let context = SecurityContext::of(&mut request);
        context.open_trail();
        if let Some(principal) = self.principal.clone() {
            context.set_principal(principal).unwrap();
        }
        if !self.challenges.is_empty() {
            let lines = self
                .challenges
                .iter()
                .map(|line| HeaderValue::from_static(line));
            context.offer_challenges(lines.collect());
        }
        let reached = AtomicUsize::new(0);
        let inner = service_fn(|request: Request<RequestBody<Full<Bytes>>>| {
            reached.fetch_add(1, Ordering::Relaxed);
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            }
        });
        // What comes back is no list.
        let layer = RbacLayer::new(Arc::clone(policy)).without_list_filtering();
        let service = layer.layer(inner);
        let response = service.oneshot(request).await.unwrap();
        Answer {
            response,
            findings: context.open_trail().findings(),
            reached: reached.load(Ordering::Relaxed),
        }
    }

    pub(crate) async fn call(&self, policy: &Arc<Policy>, method: &str, params: Value) -> Answer {
        self.ask(policy, post(method, params)).await
    }

    pub(crate) async fn tool(&self, policy: &Arc<Policy>, name: &str) -> Answer {
        self.call(policy, "tools/call", json!({"name": name})).await
    }
}

pub(crate) const BEARER: &str = r#"Bearer resource_metadata="https://h/m", scope="base""#;

pub(crate) fn raw(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/mcp").header("content-type", "application/json");
    request.body(Full::new(body.into())).unwrap()
}

pub(crate) fn post(method: &str, params: Value) -> Request<Full<Bytes>> {
    raw(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
}

/// The rules that most tests ask.
pub(crate) fn notes() -> Arc<Policy> {
    let policy = Policy::enterprise()
        .version("test")
        .capability("files:read")
        .grant("viewer", ["files:read"])
        .scope_includes("notes.admin", ["notes.write", "notes.read"])
        .rule(Rule::tool("delete_*").role("admin"))
        .rule(Rule::tool("*_note").any_role(["viewer", "service"]))
        .rule(
            Rule::tool("edit_note")
                .scope("notes.read")
                .scope("notes.write"),
        )
        .rule(
            Rule::tool("trigger")
                .capability("pipelines:trigger")
                .named("may trigger"),
        )
        .rule(Rule::tool("status").anyone())
        .rule(Rule::tool("whoami").identified())
        .rule(Rule::tool("format_disk").deny())
        .rule(Rule::resource("file:///public/**").capability("files:read"))
        .rule(Rule::resource("file:///**/key.pem").role("admin"))
        .rule(Rule::resource("https://docs.example.com/**").identified())
        .rule(Rule::resource("urn:*").identified())
        .rule(Rule::prompt("review_*").any_role(["developer", "analyst"]))
        .rule(Rule::method("logging/setLevel").role("admin"))
        .rule(Rule::method("subscriptions/listen").identified())
        .build();
    Arc::new(policy.unwrap())
}
