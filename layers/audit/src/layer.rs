use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{Call, Clock, Event, Events, SystemClock, guarded};
use bartizan_sensitive::Redactor;
use http::HeaderName;
use tower_layer::Layer;

use crate::{
    Audit, AuditConfigError, AuditSink, FlushError, Levels, MAX_DETAIL_BYTES, Record, gaps::Gaps,
    header, level::Detail, tools::Tools,
};

/// One record for each request; see the [crate's docs](crate) for an example.
///
/// The layer is its own builder. It starts strict: a request whose record has no room is refused.
#[derive(Clone)]
#[must_use]
pub struct AuditLayer {
    settings: Arc<Settings>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) sink: Arc<dyn AuditSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) correlation_header: Option<HeaderName>,
    pub(crate) continue_without_record: bool,
    pub(crate) levels: Levels,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) gaps: Arc<Gaps>,
    pub(crate) destructive: Tools,
    #[cfg(feature = "metrics")]
    pub(crate) measure: Arc<crate::measure::Measure>,
}

impl AuditLayer {
    /// Records to a sink; answers name the correlation id in `x-request-id`.
    pub fn new(sink: impl AuditSink) -> Self {
        Self {
            settings: Arc::new(Settings {
                sink: Arc::new(sink),
                clock: Arc::new(SystemClock::new()),
                events: Events::default(),
                correlation_header: Some(header::DEFAULT),
                continue_without_record: false,
                levels: Levels::default(),
                redactor: Arc::new(Redactor::new()),
                gaps: Arc::default(),
                destructive: Tools::default(),
                #[cfg(feature = "metrics")]
                measure: Arc::default(),
            }),
        }
    }

    /// Records to one more sink. A request is refused if one of them has no room.
    pub fn also(self, sink: impl AuditSink) -> Self {
        self.with(|settings| {
            settings.sink = Arc::new((Arc::clone(&settings.sink), sink));
        })
    }

    /// The response header that names the correlation id, in place of `x-request-id`. It replaces
    /// what an inner service says there.
    ///
    /// # Errors
    ///
    /// If it is not the name of a header, or one that means something else (`Set-Cookie`,
    /// `Access-Control-*` …).
    pub fn correlation_header(self, name: &str) -> Result<Self, AuditConfigError> {
        let name = header::parse(name)?;
        Ok(self.with(|settings| settings.correlation_header = Some(name)))
    }

    /// Leaves answers without the correlation id, and what inner services say of it alone.
    pub fn without_correlation_header(self) -> Self {
        self.with(|settings| settings.correlation_header = None)
    }

    /// Lets a request go on if the sink has no room for its record (against AL-5).
    ///
    /// How many did is said by a record of type `audit_gap` once there is room, and by events.
    pub fn danger_continue_without_record(self) -> Self {
        self.with(|settings| settings.continue_without_record = true)
    }

    /// How much records show, by tool and type of event; by default [`Level::Metadata`](crate::Level::Metadata) of all.
    pub fn levels(self, levels: Levels) -> Self {
        self.with(|settings| settings.levels = levels)
    }

    /// What is masked in records, or has a pseudonym in its place; by default all that is known, and masked.
    ///
    /// It is done before any sink gets the record: with texts that a stranger may have chosen by value, with arguments by the
    /// names of their members too. What an argument takes in a record is bounded by the redactor.
    ///
    /// # Errors
    ///
    /// If the redactor's bound is above [`MAX_DETAIL_BYTES`].
    pub fn redactor(self, redactor: Redactor) -> Result<Self, AuditConfigError> {
        let bytes = redactor.most_bytes();
        if bytes > MAX_DETAIL_BYTES {
            let problem = "is above 8192";
            return Err(AuditConfigError::new(
                "redactor's bytes",
                bytes.to_string(),
                problem,
            ));
        }
        Ok(self.with(|settings| settings.redactor = Arc::new(redactor)))
    }

    /// The tools that destroy or change what can't be had back, by name or with `*` for any run of
    /// characters: their records are of class `destructive_operation`, so that who watches the log finds them.
    ///
    /// # Errors
    ///
    /// If a pattern is empty, longer than 1024 bytes, or has other wildcards.
    pub fn destructive<I: IntoIterator<Item: AsRef<str>>>(
        self,
        tools: I,
    ) -> Result<Self, AuditConfigError> {
        let tools = Tools::parse("destructive", tools)?;
        Ok(self.with(|settings| settings.destructive = tools))
    }

    /// Where the layer gets its time; by default from the operating system.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|settings| settings.clock = Arc::new(clock))
    }

    /// Where the layer reports that its sink has no room, and has some again.
    pub fn events(self, events: Events) -> Self {
        self.with(|settings| settings.events = events)
    }

    /// A handle for other layers and verifiers through which what they report is recorded as well: policies,
    /// keys and limits that changed (`configuration_change`), and all else outside of requests
    /// (`system_event`).
    ///
    /// Not for [`events`](Self::events) of this layer or of its sinks, which report where records can't go. An
    /// event that finds no room is counted, as requests are.
    pub fn recorded_events(&self) -> Events {
        let settings = Arc::clone(&self.settings);
        Events::to(move |event| settings.record_event(event))
    }

    /// Waits until the sinks have let go of everything recorded so far. Blocks the thread.
    ///
    /// For the end of `main`, where a sink may be out of reach (one made of an `AuditConfig`, say). The
    /// layer is a handle: a clone of it does as well.
    ///
    /// # Errors
    ///
    /// If it takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), FlushError> {
        if self.settings.sink.flush(patience) {
            Ok(())
        } else {
            Err(FlushError::new())
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Settings {
    fn record_event(&self, event: &Event) {
        // Of records: each would make another one.
        if event.layer == "audit" {
            return;
        }
        if self.reserve() {
            let now = guarded(|| self.clock.wall()).unwrap_or_default();
            self.write(&mut Record::event(now, event), &Detail::default());
        } else {
            self.miss(true);
        }
    }

    pub(crate) fn is_destructive(&self, call: Option<&Call>) -> bool {
        call.is_some_and(|call| self.destructive.have(call))
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = Audit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Audit::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.settings, f)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLayer")
            .field("correlation_header", &self.correlation_header)
            .field("continue_without_record", &self.continue_without_record)
            .field("levels", &self.levels)
            .field("redactor", &self.redactor)
            .field("destructive", &self.destructive)
            .finish_non_exhaustive()
    }
}
