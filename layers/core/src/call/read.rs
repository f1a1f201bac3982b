use std::{
    borrow::Cow,
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderValue, Method, Request, header::ALLOW, request::Parts};
use http_body::Body;

use super::{
    Call, CallKind, CallLimits, Measures,
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
        let (parts, body) = request.into_parts();
        Ok(
            match Reading::begin(&parts.method, &parts.headers, body, context, limits)? {
                Reading::Known(bytes) => {
                    Begun::Known(Request::from_parts(parts, RequestBody::buffered(bytes)))
                }
                Reading::Waits(body) => Begun::Read(Self::wait(parts, body, limits)),
            },
        )
    }

    pub(super) fn wait(parts: Parts, body: Pin<Box<BodyReader<B>>>, limits: CallLimits) -> Self {
        Self {
            parts: Some(parts),
            body,
            limits,
        }
    }
}

/// How far the reading of a call is that has just begun. It leaves the request's head where it lies.
pub(super) enum Reading<B> {
    /// The call is on the context, and these are the bytes that go on.
    Known(Bytes),
    /// The body has to be waited for.
    Waits(Pin<Box<BodyReader<B>>>),
}

impl<B: Body<Data = Bytes>> Reading<B> {
    /// As [`ReadCall::begin`].
    pub(super) fn begin(
        method: &Method,
        headers: &HeaderMap,
        body: B,
        context: &SecurityContext,
        limits: CallLimits,
    ) -> Result<Self, Denial> {
        if let Some(call) = context.call() {
            // The layer that read it may have had wider limits.
            call.measures().fit(&limits)?;
            return Ok(Self::Known(handed_on(body, call.body())));
        }
        let head = Head::of(headers);
        if *method != Method::POST {
            let call = bodiless(method, &head, &limits)?;
            // Over HTTP/2 they can bring a body that no header announces.
            return stamp(call, context).map(Self::Known);
        }
        head.fit(&limits)?;
        head.check_media()?;
        head.check_length(&limits)?;
        let mut body = Box::pin(BodyReader::new(body, limits));
        match body.as_mut().now() {
            Poll::Ready(bytes) => {
                let call = parse(&head, bytes?, &limits)?;
                stamp(call, context).map(Self::Known)
            }
            Poll::Pending => Ok(Self::Waits(body)),
        }
    }
}

/// The bytes of a call that was read. Where they are what arrived, as they are after every guard, these are moved on
/// and not counted anew.
fn handed_on<B: Body<Data = Bytes>>(arrived: B, read: &Bytes) -> Bytes {
    let frame = pin!(arrived).poll_frame(&mut Context::from_waker(Waker::noop()));
    match frame {
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            // The same place, and not only the same text.
            Ok(data) if data.as_ptr_range() == read.as_ptr_range() => data,
            _ => read.clone(),
        },
        _ => read.clone(),
    }
}

/// Stamps a call that was read, and gives the bytes that go on.
fn stamp(call: Call, context: &SecurityContext) -> Result<Bytes, Denial> {
    context.set_call(call);
    // If the slot was taken meanwhile, what goes on is still what inner layers will judge.
    known(context).map(|call| call.body().clone())
}

/// The call that was read. Without it nothing could be judged.
pub(super) fn known(context: &SecurityContext) -> Result<&Call, Denial> {
    let unread = || Denial::new(DenialKind::Internal, "the call was not read");
    context.call().ok_or_else(unread)
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
        let context = SecurityContext::made_in(&mut parts.extensions);
        let call = parse(&Head::of(&parts.headers), bytes, &this.limits)?;
        let body = RequestBody::buffered(stamp(call, context)?);
        Poll::Ready(Ok(Request::from_parts(parts, body)))
    }
}

impl<B> fmt::Debug for ReadCall<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCall").finish_non_exhaustive()
    }
}

/// The call of a `GET` or `DELETE`, which have no body.
fn bodiless(method: &Method, head: &Head<'_>, limits: &CallLimits) -> Result<Call, Denial> {
    let kind = match *method {
        Method::GET => CallKind::Stream,
        Method::DELETE => CallKind::EndSession,
        _ => {
            let reason = "an HTTP method that MCP does not use";
            return Err(Denial::new(DenialKind::MethodNotAllowed, reason)
                .with_header(ALLOW, HeaderValue::from_static("POST, GET, DELETE")));
        }
    };
    head.fit(limits)?;
    if head.has_body() {
        return Err(invalid("a GET or DELETE has a body"));
    }
    Ok(Call {
        kind,
        revision: mirror::agree(head, None)?,
        method: Cow::Borrowed(""),
        subject: None,
        name: None,
        id: None,
        params: None,
        arguments: None,
        trace: None,
        body: ByteString::new(),
        measures: Measures::default(),
    })
}

fn parse(head: &Head<'_>, body: Bytes, limits: &CallLimits) -> Result<Call, Denial> {
    let body = ByteString::try_from(body).map_err(|_| malformed("the body is not UTF-8"))?;
    let envelope = Envelope::read(&body, limits)?;
    let revision = mirror::agree(head, Some((&envelope, &body))).map_err(|denial| {
        let id = envelope.id.filter(|_| envelope.kind == CallKind::Request);
        denial.with_rpc_id(id.and_then(|id| id.within(&body)))
    })?;
    Ok(Call {
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
    })
}
