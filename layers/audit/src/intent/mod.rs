//! What is going to happen, said before it does.

mod future;

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bartizan_core::{
    Clock, Denial, DenialKind, GuardFuture, ResponseBody, SecurityContext, SystemClock, guarded,
    refuse,
};
use bartizan_sensitive::Redactor;
use http::{Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    AuditConfigError, AuditSink, Durable, EventId, Record,
    record::{Screened, Told},
    tools::Tools,
};
pub use future::IntentFuture;
use future::Waiting;

/// Calls a destructive tool only once a record of it is on the disk.
///
/// It stands last before the service, inside of everything that may refuse, and of a layer that reads the
/// call. Of a call of the strict class it writes a record of type `intent` and waits until its sink says that
/// it is [durable](AuditSink::write_durably); if that fails, or takes longer than the layer's patience, the
/// answer is 503 and nothing is called. So whatever was done has a record, though the machine died of it. The
/// request's own record, of an [`AuditLayer`](crate::AuditLayer) outside, names the intent.
///
/// ```no_run
/// use bartizan_audit::{AuditLayer, IntentLayer, JsonLines};
/// let lines = JsonLines::append("audit.log")?;
/// let intent = IntentLayer::new(lines.clone(), ["delete_*", "pay"])?;
/// let audit = AuditLayer::new(lines).destructive(["delete_*", "pay"])?;
/// # Ok::<(), bartizan_audit::AuditConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct IntentLayer(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    sink: Arc<dyn AuditSink>,
    tools: Tools,
    patience: Duration,
    clock: Arc<dyn Clock>,
    redactor: Arc<Redactor>,
}

/// How long a call waits for its record, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

impl IntentLayer {
    /// For these tools, by name or with `*` for any run of characters: the strict class. Records go to a
    /// sink that makes them durable, such as [`JsonLines::append`](crate::JsonLines::append); with any other
    /// one no such tool is called.
    ///
    /// # Errors
    ///
    /// If a pattern is empty, longer than 1024 bytes, or has other wildcards; if there is none.
    pub fn new<I: IntoIterator<Item: AsRef<str>>>(
        sink: impl AuditSink,
        tools: I,
    ) -> Result<Self, AuditConfigError> {
        let tools = Tools::parse("intent tools", tools)?;
        if tools.is_empty() {
            return Err(AuditConfigError::new("intent tools", "", "name none"));
        }
        Ok(Self(Arc::new(Settings {
            sink: Arc::new(sink),
            tools,
            patience: PATIENCE,
            clock: Arc::new(SystemClock::new()),
            redactor: Arc::new(Redactor::new()),
        })))
    }

    /// How long a call waits for its record, in place of five seconds.
    ///
    /// # Errors
    ///
    /// If it is not above 0 and at most 60 seconds.
    pub fn patience(mut self, patience: Duration) -> Result<Self, AuditConfigError> {
        if patience.is_zero() || patience > LONGEST {
            let problem = "is not above 0 and at most 60 seconds";
            let shown = format!("{patience:?}");
            return Err(AuditConfigError::new("intent patience", shown, problem));
        }
        Arc::make_mut(&mut self.0).patience = patience;
        Ok(self)
    }

    /// What is masked in the records of intents, which show no arguments; see
    /// [`AuditLayer::redactor`](crate::AuditLayer::redactor).
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        Arc::make_mut(&mut self.0).redactor = Arc::new(redactor);
        self
    }

    /// Where the layer gets its time; by default from the operating system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        Arc::make_mut(&mut self.0).clock = Arc::new(clock);
        self
    }
}

impl<S> Layer<S> for IntentLayer {
    type Service = Intent<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Intent {
            inner,
            settings: Arc::clone(&self.0),
        }
    }
}

/// Calls nothing of the strict class without a durable record; made by [`IntentLayer`].
#[derive(Debug, Clone)]
pub struct Intent<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Intent<S> {
    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Intent<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = IntentFuture<S, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    /// # Panics
    ///
    /// The future does, if the record has to be waited for outside a tokio runtime with its timer enabled.
    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let is_strict = match context.call() {
            Some(call) => self.settings.tools.have(call),
            // These call no tool.
            None if *request.method() != Method::POST => false,
            None => {
                let reason = "no layer outside read the call, so nobody knows what it does";
                return IntentFuture::decided(GuardFuture::refuse(refused(&context, reason)));
            }
        };
        if !is_strict {
            return IntentFuture::decided(GuardFuture::forward(self.inner.call(request)));
        }
        let Some(durable) = self.settings.intend(&context) else {
            let reason = "there is no room for the record of what is intended";
            return IntentFuture::decided(GuardFuture::refuse(refused(&context, reason)));
        };
        // The service that was polled ready must be the one that is called.
        let clone = self.inner.clone();
        let service = mem::replace(&mut self.inner, clone);
        let patience = self.settings.patience;
        IntentFuture::waiting(Waiting::new(durable, patience, service, request, context))
    }
}

impl Settings {
    /// Writes the intent; `None` if there is no room.
    fn intend(&self, context: &SecurityContext) -> Option<Durable> {
        if guarded(|| self.sink.reserve()) != Some(true) {
            return None;
        }
        let now = guarded(|| self.clock.wall()).unwrap_or_default();
        let event_id = EventId::made(now);
        context.set_intent(event_id.as_u128());
        let told = Told {
            event_id,
            trace: context.call().and_then(|call| call.trace()),
            is_destructive: true,
            ..Told::default()
        };
        // One that panics costs the record, and with it the call.
        let record = Record::intent(now, &told, context);
        let screened = Screened::of(&record, &self.redactor, &[]);
        let record = screened.as_ref().map_or(record, |it| it.applied(&record));
        let written = guarded(|| self.sink.write_durably(&record));
        Some(written.unwrap_or_else(Durable::never))
    }
}

fn refused<B>(context: &SecurityContext, reason: &'static str) -> Response<ResponseBody<B>> {
    refuse!(
        "intent",
        context,
        Denial::new(DenialKind::Unavailable, reason)
    )
}

impl fmt::Debug for IntentLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntentLayer")
            .field("tools", &self.tools)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
