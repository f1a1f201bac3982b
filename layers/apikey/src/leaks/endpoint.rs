use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{
    CallLimits, Denial, DenialKind, ResponseBody, SecurityContext, call::ReadBody, note, refuse,
};
use bartizan_lookup::Refusal;
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL},
};
use http_body::Body;
use tower_service::Service;

use super::report::{MOST_KEYS, NoReport, keys_of};
use crate::ApiKeys;

/// Where whoever finds a key has it revoked: to show it is reason enough. For any path, `/keys/leaked` say, and
/// for anybody; mount it inside the limits per address and the audit layer, outside authentication.
///
/// | `POST` with | of |
/// |---|---|
/// | text | a key on each line |
/// | JSON | `{"key":"…"}`, `["…"]`, or `[{"token":"…"}]`, as GitHub's secret scanning sends them to its partners |
///
/// At most 64 KiB and 100 keys. The answer is **202**, whatever the keys are: good, unknown, ended or no keys at
/// all. From then on this process refuses those that were good, and an event `key_leaked` tells each; the store is told
/// in the background, again if it fails, and an event `leak_not_stored` tells if that was in vain. A child of a key
/// ends nothing, and is told as an event `child_leaked`, once for as long as it is remembered.
///
/// A honey key stays what it is, and is a touch of it: the record of the report is `critical`.
///
/// A key is asked about as if it came with a request: remembered, within `new_keys_per_minute` and the part of it that one network
/// has. Beyond that, and while the store is down, the answer is **503** with `Retry-After`, whatever the keys are; send all
/// of them again. Other methods are 405, and a body that tells no key is 400.
///
/// GitHub signs what it sends. The signature is not looked at: it would tell who reports, which does not matter here.
#[derive(Debug, Clone)]
pub struct LeakEndpoint {
    keys: ApiKeys,
}

/// Most bytes of a report.
const BODY: usize = 64 << 10;

type Judging = Pin<Box<dyn Future<Output = Result<usize, Refusal>> + Send>>;

impl LeakEndpoint {
    /// Of these keys.
    pub fn new(keys: ApiKeys) -> Self {
        Self { keys }
    }

    fn begin<B: Body<Data = Bytes>>(&self, request: Request<B>) -> Result<Step<B>, Denial> {
        if request.method() != Method::POST {
            let denial = Denial::new(DenialKind::MethodNotAllowed, "not POST");
            return Err(denial.with_header(ALLOW, HeaderValue::from_static("POST")));
        }
        let (parts, body) = request.into_parts();
        let read = ReadBody::of_any_type(&parts.headers, body, limits())?;
        Ok(Step::Read(read, self.keys.clone()))
    }
}

impl<B: Body<Data = Bytes>> Service<Request<B>> for LeakEndpoint {
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = LeakFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let step = self.begin(request).unwrap_or_else(Step::Refuse);
        LeakFuture { step, context }
    }
}

/// The future of [`LeakEndpoint`].
#[must_use = "futures do nothing unless polled"]
pub struct LeakFuture<B> {
    step: Step<B>,
    context: SecurityContext,
}

enum Step<B> {
    Read(ReadBody<B>, ApiKeys),
    Judge(Judging),
    Refuse(Denial),
    Done,
}

// What is polled is in a box of its own.
impl<B> Unpin for LeakFuture<B> {}

impl<B: Body<Data = Bytes>> Future for LeakFuture<B> {
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { step, context } = &mut *self;
        loop {
            let denial = match step {
                Step::Read(read, keys) => {
                    let body = ready!(Pin::new(read).poll(cx));
                    *step = match body.and_then(|body| judging(&body, keys, context)) {
                        Ok(judging) => Step::Judge(judging),
                        Err(denial) => Step::Refuse(denial),
                    };
                    continue;
                }
                Step::Judge(judging) => match ready!(judging.as_mut().poll(cx)) {
                    Ok(good) => {
                        let seen = format!("{good} of the keys were good");
                        note!("apikey", &*context, "leak_reported", seen);
                        *step = Step::Done;
                        return Poll::Ready(Ok(accepted()));
                    }
                    Err(refusal) => down(refusal),
                },
                Step::Refuse(denial) => denial.clone(),
                Step::Done => return Poll::Pending,
            };
            *step = Step::Done;
            return Poll::Ready(Ok(refuse!("apikey", &*context, denial)));
        }
    }
}

fn judging(body: &[u8], keys: &ApiKeys, context: &SecurityContext) -> Result<Judging, Denial> {
    let shown = keys_of(body).map_err(|problem| match problem {
        NoReport::Unclear => {
            let reason = "the body tells no key";
            Denial::new(DenialKind::ParamsInvalid, reason).with_message(reason)
        }
        NoReport::TooMany => {
            let reason = format!("more than {MOST_KEYS} keys at a time");
            Denial::new(DenialKind::BodyTooLarge, reason)
        }
    })?;
    let (keys, context) = (keys.clone(), context.clone());
    Ok(Box::pin(async move {
        let mut good = 0;
        for key in shown {
            good += usize::from(keys.report(key, &context).await?);
        }
        Ok(good)
    }))
}

fn accepted<B>() -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::refusal(Bytes::new()));
    *response.status_mut() = StatusCode::ACCEPTED;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

fn down(refusal: Refusal) -> Denial {
    match refusal {
        Refusal::Down(reason, after) => {
            let reason = format!("nothing is known of a reported key: {reason}");
            Denial::new(DenialKind::Unavailable, reason).with_retry_after(after)
        }
        Refusal::Fault(fault) => Denial::new(DenialKind::Unavailable, fault),
    }
}

fn limits() -> CallLimits {
    let limits = CallLimits::new();
    // It is within its range.
    limits.with_body_bytes(BODY).unwrap_or(limits)
}

impl<B> fmt::Debug for LeakFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakFuture").finish_non_exhaustive()
    }
}
