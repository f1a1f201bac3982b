use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderValue, Method, Request, header::ALLOW, request::Parts};
use http_body::Body;

use super::{
    Call, CallKind, CallLimits, Inner,
    body::BodyReader,
    envelope::Envelope,
    head::Head,
    json::{invalid, malformed},
    mirror,
};
use crate::{Denial, DenialKind, RequestBody, SecurityContext};

/// Reads a request's body as one call, and stamps the call on the request's context.
///
/// The building block of layers that need the call: [`begin`](Self::begin) it, and wait only if
/// told to.
#[must_use = "futures do nothing unless polled"]
pub struct ReadCall<B> {
    parts: Option<Parts>,
    // In a box, since it is polled where it may not stay.
    body: Pin<Box<BodyReader<B>>>,
    limits: CallLimits,
}

/// What [`ReadCall::begin`] found.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_enums,
    clippy::large_enum_variant,
    reason = "callers handle both, and it is moved once; a box would cost more"
)]
pub enum Begun<B> {
    /// The call is known: hand this request on.
    Known(Request<RequestBody<B>>),
    /// The body has to be waited for.
    Read(ReadCall<B>),
}

impl<B: Body<Data = Bytes>> ReadCall<B> {
    /// Judges what can be judged at once: without the body, or with a body that is there already.
    ///
    /// If an outer layer read the call, its measures are judged by these limits, and the
    /// request goes on with the call's own bytes, not whatever body arrived here: something between
    /// the two layers may have changed it.
    ///
    /// # Errors
    ///
    /// The refusal, where head, headers or a body that is there call for one.
    pub fn begin(
        request: Request<B>,
        context: &SecurityContext,
        limits: CallLimits,
    ) -> Result<Begun<B>, Denial> {
        let known = match context.call() {
            Some(call) => {
                // The layer that read it may have had wider limits.
                call.measures().fit(&limits)?;
                call.body().clone()
            }
            None if *request.method() == Method::POST => {
                return Self::read(request, context, limits);
            }
            None => {
                let call = bodiless(&request, &limits)?;
                context.set_call(call).body().clone()
            }
        };
        // Also for `GET` and `DELETE`: over HTTP/2 they can bring a body that no header announces.
        Ok(Begun::Known(request.map(|_| RequestBody::buffered(known))))
    }

    fn read(
        request: Request<B>,
        context: &SecurityContext,
        limits: CallLimits,
    ) -> Result<Begun<B>, Denial> {
        let (parts, body) = request.into_parts();
        let head = Head::of(&parts.headers);
        head.fit(&limits)?;
        head.check_media()?;
        head.check_length(&limits)?;
        let mut body = Box::pin(BodyReader::new(body, limits));
        match body.as_mut().now() {
            Poll::Ready(bytes) => {
                let bytes = stamp(&head, bytes?, context, &limits)?;
                let body = RequestBody::buffered(bytes);
                Ok(Begun::Known(Request::from_parts(parts, body)))
            }
            Poll::Pending => Ok(Begun::Read(Self {
                parts: Some(parts),
                body,
                limits,
            })),
        }
    }
}

/// Reads a body that is there, stamps the call, and gives the bytes that go on.
fn stamp(
    head: &Head<'_>,
    body: Bytes,
    context: &SecurityContext,
    limits: &CallLimits,
) -> Result<Bytes, Denial> {
    let call = parse(head, body, limits)?;
    // If the slot was taken meanwhile, what goes on is still what inner layers will judge.
    Ok(context.set_call(call).body().clone())
}

impl<B: Body<Data = Bytes>> Future for ReadCall<B> {
    type Output = Result<Request<RequestBody<B>>, Denial>;

    /// # Panics
    ///
    /// If the body has to be waited for outside a tokio runtime with its timer enabled.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let bytes = ready!(this.body.as_mut().poll_bytes(cx))?;
        let Some(mut parts) = this.parts.take() else {
            return Poll::Pending;
        };
        let context = SecurityContext::of_extensions(&mut parts.extensions);
        let bytes = stamp(&Head::of(&parts.headers), bytes, &context, &this.limits)?;
        let body = RequestBody::buffered(bytes);
        Poll::Ready(Ok(Request::from_parts(parts, body)))
    }
}

impl<B> fmt::Debug for ReadCall<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCall").finish_non_exhaustive()
    }
}

/// The call of a `GET` or `DELETE`, which have no body.
fn bodiless<B>(request: &Request<B>, limits: &CallLimits) -> Result<Call, Denial> {
    let kind = match *request.method() {
        Method::GET => CallKind::Stream,
        Method::DELETE => CallKind::EndSession,
        _ => {
            let reason = "an HTTP method that MCP does not use";
            return Err(Denial::new(DenialKind::MethodNotAllowed, reason)
                .with_header(ALLOW, HeaderValue::from_static("POST, GET, DELETE")));
        }
    };
    let head = Head::of(request.headers());
    head.fit(limits)?;
    if head.has_body() {
        return Err(invalid("a GET or DELETE has a body"));
    }
    Ok(Call(Arc::new(Inner {
        kind,
        revision: mirror::agree(&head, None)?,
        ..Inner::default()
    })))
}

fn parse(head: &Head<'_>, body: Bytes, limits: &CallLimits) -> Result<Call, Denial> {
    let body = ByteString::try_from(body).map_err(|_| malformed("the body is not UTF-8"))?;
    let envelope = Envelope::read(&body, limits)?;
    let revision = mirror::agree(head, Some((&envelope, &body))).map_err(|denial| {
        let id = envelope.id.filter(|_| envelope.kind == CallKind::Request);
        denial.with_rpc_id(id.and_then(|id| id.within(&body)))
    })?;
    Ok(Call(Arc::new(Inner {
        kind: envelope.kind,
        revision,
        method: envelope.method,
        subject: envelope.subject,
        name: envelope.name,
        id: envelope.id,
        params: envelope.params,
        arguments: envelope.arguments,
        trace: envelope.meta.trace,
        body,
        measures: envelope.measures,
    })))
}
