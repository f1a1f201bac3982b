//! One body, two readers: what core reads out of it is what rmcp reads, or one of them refuses it.

mod generator;
mod plain;

use std::cell::Cell;

use bartizan::{
    CallLayer, SecurityContext,
    call::{Call, CallKind, Subject},
};
use bartizan_kit::raw;
use futures_util::FutureExt;
use http::Response;
use http_body_util::Full;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, ClientRequest, Reference};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) use plain::plain;

/// What a body asks for, in one form for both readers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) kind: CallKind,
    pub(crate) method: String,
    pub(crate) subject: Option<(Subject, String)>,
    /// Of calls of tools and prompts; `Null` if there are none.
    pub(crate) arguments: Value,
}

impl Asked {
    pub(crate) fn of_core(call: &Call) -> Self {
        let subject = call.subject().map(|subject| {
            let name = call.name().expect("whatever has a subject has its name");
            (subject, name.to_owned())
        });
        let takes_arguments = matches!(call.method(), "tools/call" | "prompts/get");
        let arguments = call.arguments().filter(|_| takes_arguments);
        Self {
            kind: call.kind(),
            method: call.method().to_owned(),
            subject,
            arguments: arguments.map_or(Value::Null, plain),
        }
    }

    /// What rmcp makes of a request that it has a type for.
    pub(crate) fn of_rmcp(request: &ClientRequest) -> Self {
        let (subject, arguments) = match request {
            ClientRequest::CallToolRequest(r) => (
                Some((Subject::Tool, r.params.name.to_string())),
                json!(r.params.arguments),
            ),
            ClientRequest::GetPromptRequest(r) => (
                Some((Subject::Prompt, r.params.name.clone())),
                json!(r.params.arguments),
            ),
            ClientRequest::ReadResourceRequest(r) => resource(&r.params.uri),
            ClientRequest::SubscribeRequest(r) => resource(&r.params.uri),
            ClientRequest::UnsubscribeRequest(r) => resource(&r.params.uri),
            ClientRequest::GetSkillRequest(r) => resource(&r.params.uri),
            ClientRequest::ReadResourceDirectoryRequest(r) => resource(&r.params.uri),
            ClientRequest::GetTaskRequest(r) => task(&r.params.task_id),
            ClientRequest::UpdateTaskRequest(r) => task(&r.params.task_id),
            ClientRequest::CancelTaskRequest(r) => task(&r.params.task_id),
            ClientRequest::CompleteRequest(r) => match &r.params.r#ref {
                Reference::Prompt(prompt) => {
                    (Some((Subject::Prompt, prompt.name.clone())), Value::Null)
                }
                Reference::Resource(template) => resource(&template.uri),
                other => panic!("a sort of reference that is new: {other:?}"),
            },
            ClientRequest::CustomRequest(r) => (None, json!(r.params)),
            _ => (None, Value::Null),
        };
        Self {
            kind: CallKind::Request,
            method: request.method().to_owned(),
            subject,
            arguments,
        }
    }
}

impl Asked {
    /// As the vectors write it.
    pub(crate) fn written(&self) -> Value {
        let mut written = json!({"method": self.method});
        if let Some((_, name)) = &self.subject {
            written["name"] = json!(name);
        }
        if !self.arguments.is_null() {
            written["arguments"] = self.arguments.clone();
        }
        written
    }
}

fn resource(uri: &str) -> (Option<(Subject, String)>, Value) {
    (Some((Subject::Resource, uri.to_owned())), Value::Null)
}

fn task(id: &str) -> (Option<(Subject, String)>, Value) {
    (Some((Subject::Task, id.to_owned())), Value::Null)
}

/// The call, if core admits the body.
pub(crate) fn admitted(body: &[u8]) -> Option<Call> {
    let mut request = raw(body.to_vec()).build();
    let context = SecurityContext::of(&mut request);
    let inner =
        service_fn(|_| async { Ok::<_, ()>(Response::new(Full::<bytes::Bytes>::default())) });
    let answer = CallLayer::new().layer(inner).oneshot(request);
    let answer = answer.now_or_never().expect("the body is there").unwrap();
    context.call().filter(|_| answer.status() == 200).cloned()
}

/// What `StreamableHttpService` does with a body.
fn read_by_rmcp(body: &[u8]) -> Option<ClientJsonRpcMessage> {
    serde_json::from_slice(body).ok()
}

/// Why the two readings differ, if they do.
fn difference(call: &Call, message: &ClientJsonRpcMessage) -> Option<String> {
    let ours = Asked::of_core(call);
    let differ = |theirs: String| Some(format!("core: {ours:?}\nrmcp: {theirs}"));
    match message {
        ClientJsonRpcMessage::Request(request) => {
            let id = request.id.clone().into_json_value();
            // Minus nought is a fraction to some.
            let is_same =
                |ours: &Value| *ours == id || ours.is_f64() && ours.as_f64() == id.as_f64();
            if !call.id().map(plain).is_some_and(|ours| is_same(&ours)) {
                return differ(format!("id {:?}", request.id));
            }
            difference_of_request(call, &request.request)
        }
        ClientJsonRpcMessage::Notification(notification) => {
            let (method, theirs) = match &notification.notification {
                ClientNotification::CustomNotification(n) => (n.method.clone(), n.params.clone()),
                known => {
                    let known = serde_json::to_value(known).unwrap();
                    (known["method"].as_str().unwrap().to_owned(), None)
                }
            };
            let same = ours.kind == CallKind::Notification && ours.method == method;
            let params = call.params().map_or(Value::Null, plain);
            if same && theirs.is_none_or(|theirs| is_same_but_for_meta(&params, Some(&theirs))) {
                return None;
            }
            differ(method)
        }
        _ if ours.kind == CallKind::Response => None,
        other => differ(format!("{other:?}")),
    }
}

/// Why what rmcp was asked for is not what core judged, if it is not.
pub(crate) fn difference_of_request(call: &Call, request: &ClientRequest) -> Option<String> {
    let ours = Asked::of_core(call);
    let params = call.params().map_or(Value::Null, plain);
    let theirs = match request {
        ClientRequest::CustomRequest(custom) => {
            let same = ours.kind == CallKind::Request && ours.method == custom.method;
            if same && is_same_but_for_meta(&params, custom.params.as_ref()) {
                return None;
            }
            format!("{custom:?}")
        }
        ClientRequest::SubscriptionsListenRequest(listen) => {
            let theirs = json!(listen.params.notifications.resource_subscriptions);
            if ours.method == request.method()
                && params["notifications"]["resourceSubscriptions"] == theirs
            {
                return None;
            }
            format!("listens to {theirs}")
        }
        known => {
            let theirs = Asked::of_rmcp(known);
            if ours == theirs {
                return None;
            }
            format!("{theirs:?}")
        }
    };
    Some(format!("core: {ours:?}\nrmcp: {theirs}"))
}

/// rmcp takes `_meta` out of params, and has an empty object where there are none.
fn is_same_but_for_meta(ours: &Value, theirs: Option<&Value>) -> bool {
    let mut ours = ours.clone();
    if let Some(ours) = ours.as_object_mut() {
        ours.remove("_meta");
    }
    let is_empty = |value: &Value| value.as_object().is_none_or(|members| members.is_empty());
    match theirs {
        Some(theirs) if !is_empty(theirs) => ours == *theirs,
        _ => is_empty(&ours),
    }
}

#[test]
fn ta_4_tr_11_whatever_core_admits_rmcp_reads_the_same_way_or_not_at_all() {
    let (both, ours, theirs) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let config = Config::with_source_file(file!());
    let outcome = TestRunner::new(config).run(&generator::body(), |body| {
        let (call, message) = (admitted(&body), read_by_rmcp(&body));
        let count = match (&call, &message) {
            (Some(_), Some(_)) => &both,
            (Some(_), None) => &ours,
            (None, Some(_)) => &theirs,
            (None, None) => return Ok(()),
        };
        count.set(count.get() + 1);
        match call
            .zip(message)
            .and_then(|(call, message)| difference(&call, &message))
        {
            Some(difference) => Err(TestCaseError::fail(format!(
                "{difference}\n{}",
                String::from_utf8_lossy(&body)
            ))),
            None => Ok(()),
        }
    });
    match outcome {
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        outcome => outcome.unwrap(),
    }
    let (both, ours, theirs) = (both.get(), ours.get(), theirs.get());
    eprintln!("both {both}, core alone {ours}, rmcp alone {theirs}");
    assert!(both > 50, "{both}: most bodies have to be read by both");
    assert!(theirs > 10, "{theirs}: core has to be stricter than rmcp");
}
