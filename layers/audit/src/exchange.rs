use std::{borrow::Cow, mem, sync::Arc, time::Duration};

use bartizan_core::{Denial, LateFindings, SecurityContext};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, header::USER_AGENT, uri::PathAndQuery,
};

use crate::{
    Level, Outcome, Record,
    gaps::{guarded, is_strangers},
    header,
    layer::Settings,
    level::Detail,
    record::{Asked, End},
};

/// One request's side of the matter, from its arrival to its record, which is written exactly once.
#[derive(Debug)]
pub(crate) struct Exchange {
    settings: Arc<Settings>,
    context: SecurityContext,
    method: Method,
    target: Option<PathAndQuery>,
    user_agent: Option<HeaderValue>,
    arrived: Duration,
    started: Duration,
    stage: Stage,
    room: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The inner service runs. Whoever drops the exchange now, it is a panic.
    Inside,
    /// The inner service has not answered.
    Waiting,
    /// The record is written.
    Recorded,
}

impl Exchange {
    pub(crate) fn begin<B>(
        settings: Arc<Settings>,
        context: SecurityContext,
        request: &Request<B>,
        room: bool,
    ) -> Self {
        context.open_trail();
        let clocks = guarded(|| (settings.clock.wall(), settings.clock.monotonic()));
        let (arrived, started) = clocks.unwrap_or_default();
        Self {
            settings,
            context,
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            arrived,
            started,
            stage: Stage::Waiting,
            room,
        }
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

    /// Records the answer by its head, and names the correlation id in it.
    pub(crate) fn answered<B>(&mut self, response: &mut Response<B>) {
        let status = response.status();
        let denial = response.extensions().get::<Denial>();
        let denial = denial.filter(|denial| denial.status() == status);
        let end = End::Answered(status, denial.map(Denial::kind));
        let is_first = self.is_first_end();
        let id = self.context.correlation_id().as_str();
        if is_first {
            self.finish(end, id);
        }
        if let Some(name) = &self.settings.correlation_header {
            header::set(response.headers_mut(), name, id);
        }
    }

    /// Records that the inner service failed without an answer.
    pub(crate) fn failed(&mut self) {
        self.ended(Outcome::Failed);
    }

    /// There is no answer.
    fn ended(&mut self, outcome: Outcome) {
        if self.is_first_end() {
            self.finish(
                End::Without(outcome),
                self.context.correlation_id().as_str(),
            );
        }
    }

    fn is_first_end(&mut self) -> bool {
        mem::replace(&mut self.stage, Stage::Recorded) != Stage::Recorded
    }

    fn finish(&self, end: End, id: &str) {
        let settings = &*self.settings;
        let now = guarded(|| settings.clock.monotonic()).unwrap_or(self.started);
        let latency = now.saturating_sub(self.started);
        let asked = Asked {
            arrived: self.arrived,
            latency,
            method: self.method.as_str(),
            path: self.target.as_ref().map(PathAndQuery::path),
        };
        // No lock is held while sinks run, so that they may record something themselves.
        let late = Arc::clone(&self.settings) as Arc<dyn LateFindings>;
        let (findings, dropped) = self.context.open_trail().close(late);
        let (outcome, denial) = end.judged(&findings);
        let status = end.status();
        if self.room && self.is_folded(outcome, status) {
            settings.fold(denial);
        } else if self.room {
            // What is not UTF-8 is replaced, which takes an allocation.
            let agent = self.user_agent.as_ref().map(|agent| match agent.to_str() {
                Ok(agent) => Cow::Borrowed(agent),
                Err(_) => String::from_utf8_lossy(agent.as_bytes()),
            });
            let record = Record::of(
                &asked,
                agent.as_deref(),
                (&self.context, id),
                (outcome, denial, status),
                (&findings, dropped),
            );
            let tool = record.tool_name.map(|tool| tool.as_str());
            let level = settings.levels.of(record.event_type, tool);
            if level == Level::None && denial.is_none() && record.result == "success" {
                guarded(|| settings.sink.release());
            } else {
                let detail = Detail::of(level, self.context.call(), &settings.redactor);
                settings.write(record, &detail);
            }
        }
        settings.measure(outcome, latency);
    }
}

impl Exchange {
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
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let outcome = match self.stage {
            Stage::Inside => Outcome::Panicked,
            Stage::Waiting => Outcome::Aborted,
            Stage::Recorded => return,
        };
        self.ended(outcome);
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
