mod accounts;
mod honey;
mod networks;
mod rates;
#[cfg(test)]
mod tests;
mod uses;

use std::{
    fmt,
    hash::RandomState,
    time::{Duration, Instant},
};

use bartizan_audit::{Adding, Record, Text, Watcher};

use crate::{
    Detector, DetectorsBuilder,
    account::Account,
    builder::Settings,
    closings::Closings,
    credential::{Refused, Used},
    origin::Origin,
    rate::Rate,
    seen::Seen,
    table::Table,
    telling::Telling,
    time::Time,
};

/// Looks at every record as it is written, and adds a record of type `anomaly` for what is unusual.
///
/// See the [crate](crate) for what it looks for, and what it misses.
pub struct Detectors {
    settings: Settings,
    key: RandomState,
    time: Time,
    accounts: Table<Account>,
    origins: Table<Origin>,
    refused: Table<Refused>,
    used: Table<Used>,
    /// Of all that is refused.
    surge: Rate,
    closings: Closings,
    /// When the first window ends, by the records' time and by the system's clock.
    due: Option<(u64, Instant)>,
}

impl Detectors {
    /// Accounts, networks and credentials that are remembered at a time, of each.
    pub const DEFAULT_SUBJECTS: usize = 8192;

    /// All of them, as usual.
    pub fn new() -> Self {
        Self::of(Settings::default())
    }

    /// Set otherwise.
    pub fn builder() -> DetectorsBuilder {
        DetectorsBuilder::new()
    }

    pub(crate) fn of(settings: Settings) -> Self {
        Self {
            key: RandomState::new(),
            time: Time::default(),
            accounts: Table::new(settings.accounts),
            origins: Table::new(settings.networks),
            refused: Table::new(settings.credentials),
            used: Table::new(settings.credentials),
            surge: Rate::default(),
            closings: Closings::default(),
            due: None,
            settings,
        }
    }

    /// Looks at what was seen.
    fn look(&mut self, seen: &Seen, record: Option<&Record<'_>>, adding: &mut Adding<'_>) {
        let network = seen
            .address
            .map(|address| self.settings.prefixes.of(address));
        if let Some(network) = network {
            self.look_at_network(seen, network, record, adding);
        }
        if seen.refused.is_some() && self.settings.is_on(Detector::RefusalSurge) {
            self.look_at_all(record, adding);
        }
        if let Some(account) = seen.account {
            self.look_at_account(account, seen, record, adding);
        }
        if let (Some(credential), Some(network)) = (seen.credential, network) {
            self.look_at_use(credential, network, record, adding);
        }
    }

    /// Tells what those windows came to that are over by then.
    fn close(&mut self, by: u64, shown_at: u64, adding: &mut Adding<'_>) {
        while adding.left() > 0 {
            let Some((detector, open)) = self.closings.over(by) else {
                break;
            };
            let value = format!("{} in all", open.value);
            let mut telling = Telling {
                record: None,
                adding,
                closings: &mut self.closings,
                now: shown_at,
            };
            telling.tell(detector, &value, &open.baseline, &open.about);
        }
        self.due = self.closings.next_end().map(|end| match self.due {
            Some(due) if due.0 == end => due,
            _ => {
                let left = Duration::from_millis(end.saturating_sub(by));
                (end, Instant::now() + left)
            }
        });
    }
}

/// What the detectors see in a record that is none of their own kind.
fn is_looked_at(record: &Record<'_>) -> bool {
    !matches!(record.event_type, "anomaly" | "alert" | "intent")
}

/// On one line.
fn shown(text: Text<'_>) -> String {
    shortened(text.as_str())
}

fn shortened(text: &str) -> String {
    bartizan_core::printable(text, 120).to_string()
}

impl Watcher for Detectors {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        if !is_looked_at(record) {
            return;
        }
        let now = self.time.follow(record);
        self.look_for_honey(record, adding);
        let seen = Seen::of(record, &self.key);
        self.look(&seen, Some(record), adding);
        self.close(now, now, adding);
    }

    fn due(&self) -> Option<Instant> {
        self.due.map(|due| due.1)
    }

    fn wake(&mut self, adding: &mut Adding<'_>) {
        let end = self.due.take().map_or(0, |due| due.0);
        // By the records' own time nothing has happened.
        self.close(end, end.max(self.time.now()), adding);
    }

    /// What windows came to that are still open.
    fn end(&mut self, adding: &mut Adding<'_>) {
        self.close(u64::MAX, self.time.now(), adding);
    }
}

impl Default for Detectors {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Detectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detectors")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
