use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bartizan_core::{Severity, guarded};

use super::thread::Writer;
use crate::{Adding, Outlet, Record, Watcher};

/// Who looks at the records of a queue, in their order.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Vec<Watching>>>);

pub(super) struct Watching {
    watcher: Box<dyn Watcher>,
    /// It panicked, and has not got through anything since.
    is_failing: bool,
}

impl Watchers {
    pub(super) fn add(&self, watcher: Box<dyn Watcher>) {
        self.with(|all| {
            all.push(Watching {
                watcher,
                is_failing: false,
            });
        });
    }

    pub(super) fn with<R>(&self, run: impl FnOnce(&mut Vec<Watching>) -> R) -> R {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let due = |it: &mut Watching| guarded(|| it.watcher.due()).flatten();
        self.with(|all| all.iter_mut().filter_map(due).min())
    }
}

impl<O: Outlet> Writer<O> {
    /// Shows a record to these: to the last one first, so that what an earlier one adds comes to a later one when
    /// it has seen the record.
    pub(super) fn show(&mut self, record: &Record<'_>, watchers: &mut [Watching]) {
        self.each(watchers, |watcher, adding| watcher.see(record, adding));
    }

    /// Wakes those that are due.
    pub(super) fn wake(&mut self, watchers: &mut [Watching]) {
        let now = Instant::now();
        self.each(watchers, |watcher, adding| {
            if watcher.due().is_some_and(|due| due <= now) {
                watcher.wake(adding);
            }
        });
    }

    /// Tells them that no more will come.
    pub(super) fn end(&mut self, watchers: &mut [Watching]) {
        self.each(watchers, |watcher, adding| watcher.end(adding));
    }

    fn each(
        &mut self,
        watchers: &mut [Watching],
        mut run: impl FnMut(&mut dyn Watcher, &mut Adding<'_>),
    ) {
        for place in (0..watchers.len()).rev() {
            let from_here = watchers.get_mut(place..).unwrap_or_default();
            if let Some((this, later)) = from_here.split_first_mut() {
                let run = |watcher: &mut dyn Watcher, adding: &mut Adding<'_>| run(watcher, adding);
                self.run_one(this, later, run);
            }
        }
    }

    fn run_one(
        &mut self,
        this: &mut Watching,
        later: &mut [Watching],
        run: impl FnOnce(&mut dyn Watcher, &mut Adding<'_>),
    ) {
        let is_done = guarded(|| {
            let mut take = |record: Record<'_>| {
                let record = self.numbered(record);
                self.make_line(&record);
                self.show(&record, later);
            };
            run(&mut *this.watcher, &mut Adding::to(&mut take));
        });
        if is_done.is_some() {
            this.is_failing = false;
        } else if !std::mem::replace(&mut this.is_failing, true) {
            let detail = "a watcher panicked at a record".to_owned();
            self.report(Severity::Error, "watcher_failed", detail);
        }
    }
}
