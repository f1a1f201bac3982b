use std::{borrow::Cow, fmt, sync::Arc};

/// How much an [`Event`] matters to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Things go as they should.
    Info,
    /// Something failed and was survived.
    Warning,
    /// Requests are being refused because of it.
    Error,
}

/// Something that happened outside any request: keys refreshed, a provider down.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The layer, as in its crate's name.
    pub layer: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// A stable word: `keys_refreshed`, `key_skipped`.
    pub kind: &'static str,
    /// What happened, for a person; never a credential.
    pub detail: Cow<'static, str>,
}

impl Event {
    /// An event.
    pub fn new(
        layer: &'static str,
        severity: Severity,
        kind: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            layer,
            severity,
            kind,
            detail: detail.into(),
        }
    }
}

/// The handle that builders take, through which a layer reports [`Event`]s.
///
/// By default events go to `tracing` under the target `bartizan::events`.
#[derive(Clone, Default)]
pub struct Events {
    sink: Option<Arc<dyn Fn(&Event) + Send + Sync>>,
}

impl Events {
    /// Also hands every event to `sink`, which must not block.
    pub fn to(sink: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self {
            sink: Some(Arc::new(sink)),
        }
    }

    /// Reports an event.
    pub fn emit(&self, event: &Event) {
        let Event {
            layer,
            kind,
            detail,
            ..
        } = event;
        match event.severity {
            Severity::Info => {
                tracing::info!(target: "bartizan::events", layer, kind, "{detail}");
            }
            Severity::Warning => {
                tracing::warn!(target: "bartizan::events", layer, kind, "{detail}");
            }
            Severity::Error => {
                tracing::error!(target: "bartizan::events", layer, kind, "{detail}");
            }
        }
        if let Some(sink) = &self.sink {
            sink(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("sink", &self.sink.is_some())
            .finish()
    }
}
