use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bartizan_core::{Event, Events, Severity, printable};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    Catalog, LONGEST_KEPT, Learning, OnChange, Pins, SHORTEST_KEPT, Tool,
    list::{NoPage, Page},
};

/// What is known of the tools of one server, and who asks for more.
pub(crate) struct Known {
    pub(super) how: Learning,
    pins: Pins,
    on_change: OnChange,
    events: Events,
    catalog: ArcSwapOption<Catalog>,
    /// Who has it, asks.
    pub(super) gate: Arc<Semaphore>,
    /// When it was last tried in vain, and why.
    failed: Mutex<Option<(Instant, NoPage)>>,
}

/// What is known of a tool.
#[derive(Debug)]
pub(crate) enum Found {
    Tool(Arc<Tool>),
    /// It is not what it was pinned to.
    Changed,
    /// There is none of this name.
    None,
    /// The server has to be asked.
    Ask,
}

/// Names that are not known make nobody ask more often.
const UNKNOWN: Duration = Duration::from_secs(10);
/// Nor does what changed or failed.
const AGAIN: Duration = Duration::from_secs(1);

impl Known {
    pub(crate) fn new(how: Learning, pins: Pins, on_change: OnChange, events: Events) -> Self {
        Self {
            how,
            pins,
            on_change,
            events,
            catalog: ArcSwapOption::empty(),
            gate: Arc::new(Semaphore::new(1)),
            failed: Mutex::new(None),
        }
    }

    /// What a call finds.
    pub(crate) fn find(&self, name: &str) -> Found {
        let found = self.find_fresh(name);
        // What was known does until it is known better: nobody waits for who asks, nor asks again at once.
        let is_asked = || self.gate.available_permits() == 0 || self.failed_lately().is_some();
        match found {
            Found::Ask if is_asked() => self.find_stale(name).unwrap_or(Found::Ask),
            found => found,
        }
    }

    /// What is known without a doubt.
    pub(super) fn find_fresh(&self, name: &str) -> Found {
        let catalog = self.catalog.load();
        let Some(catalog) = &*catalog else {
            return Found::Ask;
        };
        let age = catalog.age();
        if age >= catalog.kept || catalog.is_outdated() && age >= AGAIN {
            return Found::Ask;
        }
        match catalog.tool(name) {
            Some(tool) => self.found(name, tool),
            None if age >= UNKNOWN => Found::Ask,
            None => Found::None,
        }
    }

    fn found(&self, name: &str, tool: &Arc<Tool>) -> Found {
        let refuses = self.on_change == OnChange::Refuse;
        // Without a pin there was no room for one.
        if refuses && self.pins.pinned(name) != Some(tool.fingerprint) {
            return Found::Changed;
        }
        Found::Tool(Arc::clone(tool))
    }

    /// What is known although it should be asked for and that failed.
    pub(super) fn find_stale(&self, name: &str) -> Option<Found> {
        let catalog = self.catalog.load();
        let catalog = catalog.as_ref()?;
        if catalog.age() > catalog.kept + self.how.stale {
            return None;
        }
        Some(match catalog.tool(name) {
            Some(tool) => self.found(name, tool),
            None => Found::None,
        })
    }

    /// Why nobody asks again so soon.
    pub(super) fn failed_lately(&self) -> Option<NoPage> {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = if self.catalog.load().is_some() {
            UNKNOWN
        } else {
            AGAIN
        };
        failed
            .filter(|(when, _)| when.elapsed() < soon)
            .map(|(_, why)| why)
    }

    pub(super) fn fail(&self, why: NoPage) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some((Instant::now(), why));
        drop(failed);
        let detail = format!("the list of tools {}", why.0);
        self.emit(Severity::Warning, "tools_unknown", detail);
    }

    pub(super) fn learn(&self, pages: Vec<Page>) {
        let mut tools: HashMap<Box<str>, Arc<Tool>> = HashMap::new();
        let mut kept = None;
        let mut ambiguous = Vec::new();
        for page in pages {
            // The shortest of what the pages say.
            kept = kept.into_iter().chain(page.kept).min();
            for (name, tool) in page.tools {
                self.compare(&name, &tool);
                let now = tool.fingerprint;
                let before = tools.insert(name.clone(), Arc::new(tool));
                if before.is_some_and(|before| before.fingerprint != now) {
                    ambiguous.push(name);
                }
            }
        }
        for name in ambiguous {
            let detail = format!("tool `{}` is listed as two", printable(&name, 200));
            self.emit(Severity::Error, "tool_ambiguous", detail);
            tools.remove(&name);
        }
        let kept = kept.map(|kept: Duration| kept.clamp(SHORTEST_KEPT, LONGEST_KEPT));
        let count = tools.len();
        let catalog = Catalog::new(tools, kept.unwrap_or(self.how.keep));
        self.catalog.store(Some(Arc::new(catalog)));
        self.emit(Severity::Info, "tools_learned", format!("{count} tools"));
    }

    /// Tells what is not any more what it was.
    fn compare(&self, name: &str, tool: &Tool) {
        let now = tool.fingerprint;
        let pinned = self.pins.pinned_or(name, now, 4 * self.how.tools);
        if pinned == Some(now) {
            return;
        }
        let severity = match self.on_change {
            OnChange::Report => Severity::Warning,
            OnChange::Refuse => Severity::Error,
        };
        let was = pinned.map_or_else(|| "nothing".to_owned(), |pinned| pinned.to_string());
        let detail = format!("tool `{}` was {was} and is {now}", printable(name, 200));
        self.emit(severity, "tool_changed", detail);
    }

    /// A list passed.
    pub(super) fn compare_list(&self, page: &Page) {
        let catalog = self.catalog.load();
        if let Some(catalog) = &*catalog
            && page.differs(&catalog.tools)
        {
            catalog.outdate();
        }
    }

    /// Tells why a tool's schema is not taken.
    pub(crate) fn tell_bad_schema(&self, name: &str, why: &crate::SchemaError) {
        let detail = format!("tool `{}`: {why}", printable(name, 200));
        self.emit(Severity::Error, "schema_refused", detail);
    }

    fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events
            .emit(&Event::new("validate", severity, kind, detail));
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tools = self
            .catalog
            .load()
            .as_ref()
            .map(|catalog| catalog.tools.len());
        f.debug_struct("Known")
            .field("tools", &tools)
            .finish_non_exhaustive()
    }
}
