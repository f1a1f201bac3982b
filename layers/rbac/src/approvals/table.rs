use std::{collections::HashMap, time::Duration};

use bartizan_core::{Call, Principal};

use super::{ApprovalId, bound::Bound};
use crate::moment::{Moment, Now};

/// What was asked for, by what it would be for.
#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<Bound, Entry>,
    first_end: Moment,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: ApprovalId,
    pub(super) principal: Principal,
    pub(super) call: Call,
    pub(super) asked_at: Duration,
    pub(super) ends: Moment,
    pub(super) state: State,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    Pending,
    Approved { by: Principal },
    Denied,
}

/// Why there is no place for another one, and how long it takes until there may be.
pub(super) enum Crowded {
    /// The account has its share.
    Share(Duration),
    /// There are as many as there may be.
    Room,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            first_end: Moment::NEVER,
        }
    }

    /// Takes out what is over.
    pub(super) fn sweep(&mut self, now: &Now) -> Vec<Entry> {
        if !self.first_end.has_come(now) {
            return Vec::new();
        }
        let over = self.entries.extract_if(|_, entry| entry.ends.has_come(now));
        let over = over.map(|(_, entry)| entry).collect();
        let ends = self.entries.values().map(|entry| entry.ends);
        self.first_end = ends.fold(Moment::NEVER, Moment::earlier);
        over
    }

    pub(super) fn get(&self, bound: &Bound) -> Option<&Entry> {
        self.entries.get(bound)
    }

    pub(super) fn find(&self, id: ApprovalId) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.id == id)
    }

    /// Takes it out if it is still the one of this id.
    pub(super) fn take(&mut self, bound: &Bound, id: ApprovalId) -> Option<Entry> {
        self.get(bound).filter(|entry| entry.id == id)?;
        self.entries.remove(bound)
    }

    /// Puts one in, where there is none yet for the same.
    pub(super) fn put(
        &mut self,
        bound: Bound,
        entry: Entry,
        (room, share): (usize, usize),
        now: &Now,
    ) -> Result<(), Crowded> {
        // Whoever registers clients has no more of them.
        let account = entry.principal.account();
        let own = self.entries.values();
        let own = own.filter(|other| other.principal.account() == account);
        let (count, first) = own.fold((0, Duration::MAX), |(count, first), other| {
            (count + 1, first.min(other.ends.left(now)))
        });
        if count >= share {
            return Err(Crowded::Share(first));
        }
        if self.entries.len() >= room {
            return Err(Crowded::Room);
        }
        self.first_end = self.first_end.earlier(entry.ends);
        self.entries.insert(bound, entry);
        Ok(())
    }

    /// Decides one that is pending.
    pub(super) fn decide(&mut self, id: ApprovalId, state: State, ends: Moment) -> Option<Entry> {
        let mut entries = self.entries.values_mut();
        let entry = entries.find(|entry| entry.id == id)?;
        if !matches!(entry.state, State::Pending) {
            return None;
        }
        entry.state = state;
        entry.ends = ends;
        self.first_end = self.first_end.earlier(ends);
        Some(entry.clone())
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.values();
        entries.filter(|entry| matches!(entry.state, State::Pending))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
