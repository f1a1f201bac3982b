use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bartizan_core::SecurityContext;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_service::Service;

/// A server with tools, of which a test says what it does.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    /// The pages of its list.
    pub(crate) pages: Vec<Value>,
    /// What its list's last page says besides.
    pub(crate) also: Option<Value>,
    pub(crate) is_stream: bool,
    /// What it answers to a request for the list instead.
    pub(crate) instead: Option<(u16, String)>,
    /// Whether it never answers such a request.
    pub(crate) hangs: bool,
    /// What it lists to callers of these names, or sessions, alone; nothing: it never answers.
    pub(crate) own: HashMap<String, Own>,
    /// What streams say before the answer.
    pub(crate) notes: Vec<Value>,
    /// What it answers in JSON to what is neither a list nor a call, if not in its own way.
    pub(crate) body: Option<Value>,
    pub(crate) listed: Vec<Asked>,
    pub(crate) called: Vec<Asked>,
}

#[derive(Clone)]
pub(crate) enum Own {
    Tools(Value),
    Refusal(u16),
    Silence,
}

pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) subject: Option<String>,
    pub(crate) method: Option<String>,
}

impl Server {
    /// With one page of tools: name and schema.
    pub(crate) fn with(tools: &[(&str, Value)]) -> Self {
        let server = Self::default();
        server.state().pages = vec![
            tools
                .iter()
                .map(|(name, schema)| tool(name, schema))
                .collect(),
        ];
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.listed.len(), state.called.len())
    }

    fn answer(&self, asked: Asked) -> Option<Response<Full<Bytes>>> {
        let mut state = self.state();
        let message = &asked.body;
        let id = message["id"].clone();
        let session = asked.headers.get("mcp-session-id");
        let session = session.map(|id| id.to_str().unwrap().to_owned());
        let names = asked.subject.iter().chain(&session);
        let own = names.filter_map(|name| state.own.get(name).cloned()).next();
        let result = match message["method"].as_str() {
            Some("tools/list") => {
                let cursor = message["params"]["cursor"].as_str().unwrap_or("0");
                let page: usize = cursor.parse().unwrap();
                let mut result = json!({"tools": state.pages[page]});
                if page + 1 < state.pages.len() {
                    result["nextCursor"] = json!((page + 1).to_string());
                } else if let Some(also) = &state.also {
                    for (name, value) in also.as_object().unwrap() {
                        result[name] = value.clone();
                    }
                }
                state.listed.push(asked);
                match own {
                    None => {}
                    Some(Own::Tools(tools)) => result = json!({"tools": tools}),
                    Some(Own::Silence) => return None,
                    Some(Own::Refusal(status)) => {
                        let response = Response::builder().status(status);
                        return Some(response.body(Full::default()).unwrap());
                    }
                }
                if state.hangs {
                    return None;
                }
                if let Some((status, body)) = &state.instead {
                    let response = Response::builder().status(*status);
                    let response = response.header("content-type", "application/json");
                    let body = body.replace("{id}", &id.to_string());
                    return Some(response.body(Full::from(body)).unwrap());
                }
                result
            }
            _ => {
                state.called.push(asked);
                json!({"content": [], "resultType": "complete"})
            }
        };
        let message = json!({"jsonrpc": "2.0", "id": id, "result": result});
        let message = state.body.clone().unwrap_or(message);
        let notes: String = state
            .notes
            .iter()
            .map(|note| format!("data: {note}\n\n"))
            .collect();
        let (media, text) = match state.is_stream {
            false => ("application/json", message.to_string()),
            true => (
                "text/event-stream",
                format!(
                    ": hello\n\nid: 1\ndata:\n\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}}\n\n{notes}data: {message}\n\n"
                ),
            ),
        };
        let response = Response::builder().header("content-type", media);
        Some(response.body(Full::from(text)).unwrap())
    }
}

pub(crate) fn tool(name: &str, schema: &Value) -> Value {
    json!({"name": name, "description": "does it", "inputSchema": schema})
}

impl<B> Service<Request<B>> for Server
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Debug,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = Box::pin(body).collect().await.unwrap().to_bytes();
            let context = SecurityContext::find(&parts.extensions);
            let asked = Asked {
                headers: parts.headers,
                body: serde_json::from_slice(&body).unwrap_or_default(),
                subject: context
                    .and_then(|context| context.principal())
                    .map(|who| who.subject().to_owned()),
                method: context
                    .and_then(|context| context.call())
                    .map(|call| call.method().to_owned()),
            };
            // A server takes some time.
            tokio::task::yield_now().await;
            match server.answer(asked) {
                Some(response) => Ok(response),
                None => std::future::pending().await,
            }
        })
    }
}
