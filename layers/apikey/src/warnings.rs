use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use bartizan_core::{Event, Events, Severity};
use http::HeaderValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{KeyId, KeyRecord};

/// Tells of keys that end soon and are used: their holders on each answer, the operator once a day.
pub(crate) struct Warnings {
    /// How long before its end, in seconds.
    before: u64,
    events: Events,
    told: Mutex<Told>,
}

/// Of which keys it was told today.
#[derive(Default)]
struct Told {
    /// Since the Unix epoch.
    day: u64,
    keys: HashSet<KeyId>,
}

/// Most keys of a day; of those beyond no event tells.
const MOST: usize = 10_000;

const DAY: u64 = 86_400;

impl Warnings {
    pub(crate) fn new(before: u64, events: Events) -> Self {
        Self {
            before,
            events,
            told: Mutex::default(),
        }
    }

    /// What answers to the key say if it ends soon. Asked each time a record was read. Of a child, which its maker
    /// let end so, no event tells.
    pub(crate) fn of(&self, record: &KeyRecord, is_child: bool, now: u64) -> Option<HeaderValue> {
        let left = record.expires_at.saturating_sub(now);
        if left > self.before {
            return None;
        }
        let end = i64::try_from(record.expires_at).ok()?;
        let end = OffsetDateTime::from_unix_timestamp(end).ok()?;
        let end = end.format(&Rfc3339).ok()?;
        if !is_child && self.is_news(record.id, now) {
            self.tell(record, &end);
        }
        HeaderValue::try_from(end).ok()
    }

    fn is_news(&self, id: KeyId, now: u64) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let day = now / DAY;
        if told.day != day {
            *told = Told {
                day,
                keys: HashSet::new(),
            };
        }
        told.keys.len() < MOST && told.keys.insert(id)
    }

    fn tell(&self, record: &KeyRecord, end: &str) {
        let KeyRecord {
            id,
            grant,
            successor,
            ..
        } = record;
        let mut detail = format!("key `{id}` of `{}` ends at {end}", grant.owner);
        if let Some(successor) = successor {
            detail.push_str(&format!("; `{successor}` takes its place"));
        }
        let event = Event::new("apikey", Severity::Warning, "key_ends_soon", detail);
        self.events.emit(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_day_is_bounded_and_goes_with_it() {
        let warnings = Warnings::new(1, Events::default());
        let news = |from: u32, to: u32, now| {
            let id = |n: u32| {
                let mut bytes = [0; KeyId::BYTES];
                bytes[..4].copy_from_slice(&n.to_le_bytes());
                KeyId::new(bytes)
            };
            (from..to).filter(|n| warnings.is_news(id(*n), now)).count()
        };
        assert_eq!(news(0, 20_000, 0), MOST);
        assert_eq!(news(0, 30_000, DAY - 1), 0);
        assert_eq!(news(0, 7, DAY), 7);
        assert_eq!(warnings.told.lock().unwrap().keys.len(), 7);
    }
}
