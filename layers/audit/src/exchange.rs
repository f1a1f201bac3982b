use std::{borrow::Cow, mem, sync::Arc, time::Duration};

use bartizan_core::{
    CallKind, Denial, DenialKind, LateFindings, SecurityContext, TraceParent, call::Subject,
    guarded,
};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, USER_AGENT},
    uri::PathAndQuery,
};
use http_body::Body;

use crate::{
    Level, Outcome, Record,
    answer::Reading,
    gaps::is_strangers,
    header,
    layer::Settings,
    level::Detail,
    record::{Asked, End, EventId, Told, event_type, named},
    tap::Tap,
};

/// One request's side of the matter, from its arrival to its record, which is written exactly once.
///
/// It lives in a box from the beginning: it goes from the future to the body, and all layers outside copy both around.
#[derive(Debug)]
pub(crate) struct Exchange {
    settings: Arc<Settings>,
    context: SecurityContext,
    method: Method,
    target: Option<PathAndQuery>,
    user_agent: Option<HeaderValue>,
    trace: Option<TraceParent>,
    request_bytes: Option<u64>,
    arrived: Duration,
    started: Duration,
    stage: Stage,
    room: bool,
    head: Option<Head>,
    reading: Reading,
    /// Only where the level says that the answer is recorded.
    tap: Option<Tap>,
    response_bytes: u64,
}

/// What the head of the answer said.
#[derive(Debug, Clone, Copy)]
struct Head {
    status: StatusCode,
    denial: Option<DenialKind>,
    latency: Duration,
    /// How long the body says that it is.
    length: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The inner service runs. Whoever drops the exchange now, it is a panic.
    Inside,
    /// The inner service has not answered, or not all of it.
    Waiting,
    /// The record is written.
    Recorded,
}

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

impl Exchange {
    pub(crate) fn begin<B>(
        settings: Arc<Settings>,
        context: SecurityContext,
        request: &Request<B>,
        room: bool,
    ) -> Box<Self> {
        context.open_trail();
        let clocks = guarded(|| (settings.clock.wall(), settings.clock.monotonic()));
        let (arrived, started) = clocks.unwrap_or_default();
        // One walk, which is faster than to look for each.
        let (mut trace, mut length, mut user_agent) = (None, None, None);
        for (name, value) in request.headers() {
            let found = match name {
                _ if name == USER_AGENT => &mut user_agent,
                _ if name == CONTENT_LENGTH => &mut length,
                _ if name == TRACEPARENT => &mut trace,
                _ => continue,
            };
            found.get_or_insert(value);
        }
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        Box::new(Self {
            settings,
            context,
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            user_agent: user_agent.cloned(),
            trace: trace.and_then(|trace| TraceParent::parse(trace.as_bytes())),
            request_bytes: length,
            arrived,
            started,
            stage: Stage::Waiting,
            room,
            head: None,
            reading: Reading::ignoring(),
            tap: None,
            response_bytes: 0,
        })
    }

    /// The inner service is about to run.
    pub(crate) fn enter(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Inside;
        }
    }

    /// The inner service came back.
    pub(crate) fn leave(&mut self) {
        if self.stage == Stage::Inside {
            self.stage = Stage::Waiting;
        }
    }

    /// Names the correlation id in the answer, and tells whether its body is to be watched. Otherwise the
    /// record is written: nothing more comes, or nothing that matters to a refusal.
    pub(crate) fn answered<B: Body>(&mut self, response: &mut Response<B>) -> bool {
        let status = response.status();
        let denial = response.extensions().get::<Denial>();
        let denial = denial.filter(|denial| denial.status() == status);
        let denial = denial.map(Denial::kind);
        let length = response.body().size_hint().exact();
        self.head = Some(Head {
            status,
            denial,
            latency: self.elapsed(),
            length,
        });
        let has_no_body = self.method == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || response.body().is_end_stream();
        let is_decided = denial.is_some() || status.is_server_error();
        if !is_decided {
            self.reading = Reading::begin(self.context.call(), response.headers());
            let tap = self
                .is_answer_recorded()
                .then(|| Tap::begin(response.headers()));
            self.tap = tap.flatten();
        }
        if has_no_body || is_decided {
            self.response_bytes = length.filter(|_| !has_no_body).unwrap_or(0);
            self.ended();
        }
        if let Some(name) = &self.settings.correlation_header {
            let id = self.context.correlation_id().as_str();
            header::set(response.headers_mut(), name, id);
        }
        self.stage != Stage::Recorded
    }

    /// A frame of the answer's body passes.
    pub(crate) fn saw(&mut self, data: &[u8]) {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.response_bytes = self.response_bytes.saturating_add(length);
        self.reading.feed(data, self.context.call());
        if let Some(tap) = &mut self.tap {
            tap.feed(data);
        }
    }

    /// Whether the record shows the answer, if nothing speaks against it.
    fn is_answer_recorded(&self) -> bool {
        let levels = &self.settings.levels;
        let Some(call) = self.context.call().filter(|_| levels.have(Level::Answer)) else {
            return false;
        };
        let tool = || named(call, Subject::Tool);
        let level = levels.of(event_type(None, Some(call)), tool);
        level == Level::Answer && call.kind() == CallKind::Request
    }

    /// The answer is whole.
    pub(crate) fn ended(&mut self) {
        if let Some(head) = self.head {
            self.finish(End::Answered(head.status, head.denial), true);
        }
    }

    /// The inner service failed, without an answer or midway.
    pub(crate) fn failed(&mut self) {
        self.finish(End::Without(Outcome::Failed), false);
    }

    fn elapsed(&self) -> Duration {
        let now = guarded(|| self.settings.clock.monotonic());
        now.unwrap_or(self.started).saturating_sub(self.started)
    }

    fn finish(&mut self, end: End, is_whole: bool) {
        if mem::replace(&mut self.stage, Stage::Recorded) == Stage::Recorded {
            return;
        }
        let mut tap = self.tap.take();
        if let Some(tap) = tap.as_mut().filter(|_| !is_whole) {
            tap.cut();
        }
        let settings = &*self.settings;
        let call = self.context.call();
        let is_empty = self.response_bytes == 0;
        let answer = match end {
            End::Answered(_, None) => self.reading.end(is_whole, is_empty, call),
            // Ours, whatever it says.
            End::Answered(..) => None,
            End::Without(_) => self.reading.end(false, is_empty, call),
        };
        let head = self.head;
        let duration = match head {
            Some(head) if is_empty => head.latency,
            _ => self.elapsed(),
        };
        let latency = head.map_or(duration, |head| head.latency);
        let asked = Asked {
            arrived: self.arrived,
            method: self.method.as_str(),
            path: self.target.as_ref().map(PathAndQuery::path),
        };
        // No lock is held while sinks run, so that they may record something themselves.
        let late = Arc::clone(&self.settings) as Arc<dyn LateFindings>;
        let (findings, dropped) = self.context.open_trail().close(late);
        let (outcome, denial) = end.judged(&findings, answer.map(|(answer, _)| answer));
        let status = head.map(|head| head.status);
        if self.room && self.is_folded(outcome, status) && !settings.is_first_honey(&findings) {
            settings.fold(denial);
        } else if self.room {
            // What is not UTF-8 is replaced, which takes an allocation.
            let agent = self.user_agent.as_ref().map(|agent| match agent.to_str() {
                Ok(agent) => Cow::Borrowed(agent),
                Err(_) => String::from_utf8_lossy(agent.as_bytes()),
            });
            let body = call.map(|call| u64::try_from(call.body().len()).unwrap_or(u64::MAX));
            let told = Told {
                event_id: EventId::made(self.arrived),
                answer,
                latency: Some(latency),
                duration: Some(duration),
                request_bytes: body.or(self.request_bytes),
                response_bytes: head.map(|_| self.response_bytes),
                trace: call.and_then(|call| call.trace()).or(self.trace),
                is_destructive: self.context.intent().is_some() || settings.is_destructive(call),
                intent: self.context.intent().map(EventId::from_u128),
            };
            let mut record = Record::of(
                &asked,
                &told,
                agent.as_deref(),
                &self.context,
                (outcome, denial, status),
                (&findings, dropped),
            );
            let tool = || record.tool_name.map(|tool| tool.as_str());
            let level = settings.levels.of(record.event_type, tool);
            if level == Level::None && record.may_be_left_out() {
                guarded(|| settings.sink.release());
            } else {
                let detail = Detail::of(
                    level,
                    call,
                    tap.filter(|_| level == Level::Answer),
                    &settings.redactor,
                );
                settings.write(&mut record, &detail);
            }
        }
        settings.measure(outcome, latency);
    }

    /// Whether the request is counted and not recorded: nobody was identified, nothing was done, and
    /// what room is left is for others. So no stranger can use up the room.
    fn is_folded(&self, outcome: Outcome, status: Option<StatusCode>) -> bool {
        if !is_strangers(&self.context) {
            return false;
        }
        let is_no_call = self.context.call().is_none();
        let did_nothing = match outcome {
            Outcome::Refused => true,
            Outcome::Admitted => {
                let is_client_error = status.is_some_and(|status| status.is_client_error());
                is_no_call && (self.method.is_safe() || is_client_error)
            }
            // Hanging up, or making a public route fail, may be had for nothing and without end.
            Outcome::Aborted | Outcome::Failed => is_no_call,
            Outcome::Panicked => false,
        };
        did_nothing && self.settings.is_scarce()
    }

    /// Whether who drops the body now has all that it wanted of it.
    fn is_done(&self, head: Head) -> bool {
        let kind = self.context.call().map(|call| call.kind());
        head.length == Some(self.response_bytes)
            || kind == Some(CallKind::Stream)
            || self.reading.is_answered()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        match (self.stage, self.head) {
            (Stage::Recorded, _) => {}
            (Stage::Inside, _) => self.finish(End::Without(Outcome::Panicked), false),
            (Stage::Waiting, Some(head)) if self.is_done(head) => {
                self.finish(End::Answered(head.status, head.denial), true);
            }
            (Stage::Waiting, _) => self.finish(End::Without(Outcome::Aborted), false),
        }
    }
}

impl Settings {
    #[cfg(feature = "metrics")]
    fn measure(&self, outcome: Outcome, latency: Duration) {
        guarded(|| self.measure.record(outcome, latency));
    }

    #[cfg(not(feature = "metrics"))]
    fn measure(&self, _: Outcome, _: Duration) {}
}
