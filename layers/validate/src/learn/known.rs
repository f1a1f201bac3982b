use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bartizan_core::{Event, Events, SecurityContext, Severity, printable};
use http::HeaderMap;

use super::{
    LONGEST_KEPT, Learning, OnChange, Pins, SHORTEST_KEPT, Tool,
    asks::{Asks, Caller, LATELY},
    catalog::{Catalog, List, Listed},
    list::{NoPage, Page},
};

/// What is known of the tools of one server, and who asks for more.
pub(crate) struct Known {
    pub(super) how: Learning,
    pins: Pins,
    on_change: OnChange,
    events: Events,
    catalog: ArcSwapOption<Catalog>,
    /// How often the list was said to have changed.
    changes: AtomicU64,
    pub(super) asks: Arc<Asks>,
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

/// Neither a change nor a failure makes the same list be asked for sooner.
const AGAIN: Duration = Duration::from_secs(1);

impl Known {
    pub(crate) fn new(how: Learning, pins: Pins, on_change: OnChange, events: Events) -> Self {
        Self {
            how,
            pins,
            on_change,
            events,
            catalog: ArcSwapOption::empty(),
            changes: AtomicU64::new(0),
            asks: Arc::new(Asks::new(how.time)),
        }
    }

    /// What a call finds.
    pub(crate) fn find(&self, name: &str, context: &SecurityContext, headers: &HeaderMap) -> Found {
        let key = || self.asks.key(context, headers);
        let found = self.find_fresh(name, key);
        // What was known does until it is known better: nobody waits for who asks, nor asks again at once.
        if matches!(found, Found::Ask) && self.asks.are_busy(key()) {
            match self.find_stale(name) {
                Some(known @ (Found::Tool(_) | Found::Changed)) => known,
                _ => Found::Ask,
            }
        } else {
            found
        }
    }

    /// What is known without a doubt, by a caller with that key.
    pub(super) fn find_fresh(&self, name: &str, key: impl Fn() -> Caller) -> Found {
        let catalog = self.catalog.load();
        let Some(catalog) = &*catalog else {
            return Found::Ask;
        };
        if catalog.is_over() || self.is_outdated(catalog) {
            return Found::Ask;
        }
        let listed = catalog
            .get(name)
            .filter(|listed| listed.is_good(self.how.stale));
        // Another caller's list may not have had it; that of this one may.
        let is_known = listed.is_some_and(|listed| !catalog.is_doubtful(listed));
        if !is_known && self.asks.admit(key()) {
            return Found::Ask;
        }
        listed.map_or(Found::None, |listed| self.found(name, listed))
    }

    fn is_outdated(&self, catalog: &Catalog) -> bool {
        catalog.changes != self.changes() && catalog.age() >= AGAIN && !self.asks.are_many()
    }

    fn found(&self, name: &str, listed: &Listed) -> Found {
        let refuses = self.on_change == OnChange::Refuse;
        // Without a pin there was no room for one.
        if refuses && self.pins.pinned(name) != Some(listed.tool.fingerprint) {
            return Found::Changed;
        }
        Found::Tool(Arc::clone(&listed.tool))
    }

    /// What is known although it should be asked for and that failed.
    pub(super) fn find_stale(&self, name: &str) -> Option<Found> {
        let catalog = self.catalog.load();
        let catalog = catalog.as_ref()?;
        match catalog.get(name).filter(|it| it.is_good(self.how.stale)) {
            Some(listed) => Some(self.found(name, listed)),
            None => catalog.is_good(self.how.stale).then_some(Found::None),
        }
    }

    /// What was learned just now.
    pub(super) fn find_learned(&self, name: &str) -> Found {
        let catalog = self.catalog.load();
        let listed = catalog.as_ref().and_then(|catalog| catalog.get(name));
        listed.map_or(Found::None, |listed| self.found(name, listed))
    }

    /// After what time who failed may try again.
    pub(super) fn again(&self) -> Duration {
        match self.catalog.load().is_some() {
            true => LATELY,
            false => AGAIN,
        }
    }

    /// The server says that its list is not what it was, or shows it.
    pub(super) fn change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// How often it did.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn tell_failure(&self, why: NoPage) {
        let detail = format!("the list of tools {}", why.0);
        self.emit(Severity::Warning, "tools_unknown", detail);
    }

    /// `changes`: how often it had changed before it was asked for.
    pub(super) fn learn(&self, pages: Vec<Page>, changes: u64) {
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
        for name in &ambiguous {
            let detail = format!("tool `{}` is listed as two", printable(name, 200));
            self.emit(Severity::Error, "tool_ambiguous", detail);
            tools.remove(name);
        }
        let kept = kept.map(|kept: Duration| kept.clamp(SHORTEST_KEPT, LONGEST_KEPT));
        let count = tools.len();
        let list = List {
            tools,
            ambiguous,
            kept: kept.unwrap_or(self.how.keep),
            changes,
        };
        let before = self.catalog.load();
        let catalog = Catalog::after(list, before.as_deref(), &self.how);
        let detail = match catalog.len() - count {
            0 => format!("{count} tools"),
            more => format!("{count} tools; {more} more that lists before had"),
        };
        self.catalog.store(Some(Arc::new(catalog)));
        self.emit(Severity::Info, "tools_learned", detail);
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
            && page.differs(catalog)
        {
            self.change();
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
        let tools = self.catalog.load().as_ref().map(|catalog| catalog.len());
        f.debug_struct("Known")
            .field("tools", &tools)
            .finish_non_exhaustive()
    }
}
