use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{
    CallLimits, Denial, DenialKind, Principal, ResponseBody, SecurityContext, admit,
    call::ReadBody, refuse,
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body::Body;
use tower_service::Service;

use super::{
    ApprovalId, Approvals, json,
    parse::{Said, said},
};

/// Where approvers see what waits for them, and decide it.
///
/// | request | answer |
/// |---|---|
/// | `GET /approvals` | `{"approvals":[…]}`: what the caller may decide |
/// | `POST /approvals/{id}` with `{"decision":"approve"}` or `{"decision":"deny"}` | 200, and the same with the `id` |
///
/// The id is the last segment of the path, so it can be mounted anywhere: with a router that cuts the prefix
/// off or one that does not. It belongs inside an authentication layer, and behind `CorsLayer` where browsers
/// are to reach it; not inside the layers that read MCP calls, which it has none of. An id that is not
/// known, is decided, or is not the caller's to decide is 404 all the same.
#[derive(Debug, Clone)]
pub struct ApprovalService {
    approvals: Approvals,
}

/// Most bytes of a decision.
const BODY: usize = 1024;

impl ApprovalService {
    /// Of these approvals.
    pub fn new(approvals: Approvals) -> Self {
        Self { approvals }
    }

    fn begin<B: Body<Data = Bytes>>(
        &self,
        request: Request<B>,
        context: SecurityContext,
    ) -> State<B> {
        let id = request.uri().path().rsplit('/').next();
        let id = id.and_then(ApprovalId::parse);
        let approver = match approver(&context) {
            Ok(approver) => approver,
            Err(denial) => return State::Done(Some(answered(Err(denial), &context))),
        };
        let answer = match (request.method(), id) {
            (&Method::GET, None) => {
                let list = list(&self.approvals, approver);
                admit!("rbac", &context, "approvals_listed");
                Ok(list)
            }
            (&Method::POST, Some(id)) => {
                let (parts, body) = request.into_parts();
                let read = ReadBody::begin(&parts.headers, body, limits());
                match read {
                    Ok(read) => {
                        let approvals = self.approvals.clone();
                        return State::Read(Box::new(Reading {
                            read,
                            approvals,
                            id,
                            context,
                        }));
                    }
                    Err(denial) => Err(denial),
                }
            }
            (&Method::GET | &Method::POST, _) => Err(unknown("no approval is named so")),
            _ => {
                let denial = Denial::new(DenialKind::MethodNotAllowed, "neither GET nor POST");
                Err(denial.with_header(ALLOW, HeaderValue::from_static("GET, POST")))
            }
        };
        State::Done(Some(answered(answer, &context)))
    }
}

impl<B: Body<Data = Bytes>> Service<Request<B>> for ApprovalService {
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = ApprovalFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        ApprovalFuture(self.begin(request, context))
    }
}

/// The future of [`ApprovalService`].
#[must_use = "futures do nothing unless polled"]
pub struct ApprovalFuture<B>(State<B>);

enum State<B> {
    Read(Box<Reading<B>>),
    Done(Option<Response<ResponseBody<B>>>),
}

/// A decision whose body is waited for.
struct Reading<B> {
    read: ReadBody<B>,
    approvals: Approvals,
    id: ApprovalId,
    context: SecurityContext,
}

// What is polled is in a box of its own.
impl<B> Unpin for ApprovalFuture<B> {}

impl<B: Body<Data = Bytes>> Future for ApprovalFuture<B> {
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Done(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            State::Read(reading) => {
                let body = ready!(Pin::new(&mut reading.read).poll(cx));
                let answer = body.and_then(|body| reading.decide(&body));
                Poll::Ready(Ok(answered(answer, &reading.context)))
            }
        }
    }
}

impl<B> Reading<B> {
    fn decide(&self, body: &[u8]) -> Result<String, Denial> {
        let Self {
            approvals,
            id,
            context,
            ..
        } = self;
        let said = said(body).map_err(|_| {
            let reason = "the body is not one decision";
            Denial::new(DenialKind::ParamsInvalid, reason).with_message(reason)
        })?;
        let approver = approver(context)?;
        let (decided, word) = match said {
            Said::Approve => (approvals.approve(*id, approver), "approve"),
            Said::Deny => (approvals.deny(*id, approver), "deny"),
        };
        decided.map_err(|error| unknown(format!("approval `{id}`: {error}")))?;
        admit!(
            "rbac",
            context,
            "approval_decided",
            format!("{word} of approval `{id}`")
        );
        Ok(format!(r#"{{"id":"{id}","decision":"{word}"}}"#))
    }
}

fn list(approvals: &Approvals, approver: &Principal) -> String {
    let mut out = String::from(r#"{"approvals":["#);
    for (place, pending) in approvals.pending_for(approver).iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        json::pending(pending, &mut out);
    }
    out.push_str("]}");
    out
}

/// Who decides: somebody, as an authentication layer established. Of the calls of others it is shown and
/// decides what is within its limits.
fn approver(context: &SecurityContext) -> Result<&Principal, Denial> {
    context.judge_limits();
    match context.principal() {
        Some(principal) if !principal.is_anonymous() => Ok(principal),
        Some(_) if !context.challenges().is_empty() => {
            let denial = Denial::new(DenialKind::CredentialsMissing, "nobody in particular asks");
            Err(denial.with_challenges(context.challenges().to_vec()))
        }
        Some(_) => Err(Denial::new(
            DenialKind::Forbidden,
            "nobody in particular asks",
        )),
        None => {
            let reason = "no principal: is there an authentication layer outside this one?";
            Err(Denial::new(DenialKind::Forbidden, reason))
        }
    }
}

fn unknown(reason: impl Into<std::borrow::Cow<'static, str>>) -> Denial {
    Denial::new(DenialKind::ApprovalUnknown, reason)
}

fn answered<B>(
    answer: Result<String, Denial>,
    context: &SecurityContext,
) -> Response<ResponseBody<B>> {
    let text = match answer {
        Ok(text) => text,
        Err(denial) => return refuse!("rbac", context, denial),
    };
    let mut response = Response::new(ResponseBody::refusal(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn limits() -> CallLimits {
    let limits = CallLimits::new();
    // It is within its range.
    limits.with_body_bytes(BODY).unwrap_or(limits)
}

impl<B> fmt::Debug for ApprovalFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalFuture").finish_non_exhaustive()
    }
}
