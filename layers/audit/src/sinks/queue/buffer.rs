use std::{
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use bartizan_core::{Event, Events, Severity};

use super::overflow::{Policy, Spilled};
use crate::{durable::Confirm, gaps::report, record::Parcel};

/// Records that wait for their writer, and the room that is reserved for more.
pub(super) struct Buffer {
    capacity: AtomicUsize,
    /// Records that wait, are being written, or have their room reserved.
    taken: AtomicUsize,
    /// Bytes that wait or are being written. Changed under the lock only.
    bytes: AtomicUsize,
    /// Records that found no room: of events, which can't reserve it, or by the policy.
    lost: AtomicUsize,
    spilled: AtomicUsize,
    is_overflow_told: AtomicBool,
    is_loss_told: AtomicBool,
    /// What becomes of records beyond the capacity; unset, requests are refused.
    overflow: OnceLock<Policy>,
    /// The writer's, once it runs.
    writer: OnceLock<ThreadId>,
    /// There is no writer any more, and so no room. Set under the lock, for those who wait.
    is_over: AtomicBool,
    state: Mutex<State>,
    /// Signals the writer.
    work: Condvar,
    /// Signals those who wait for the writer.
    done: Condvar,
    events: Mutex<Events>,
}

/// What the next line tells of records that did not come through the queue.
pub(super) struct Untold {
    pub(super) lost: u64,
    pub(super) spilled: u64,
}

/// What the writer is to do.
pub(super) enum Next {
    Records,
    /// Nothing came until the time.
    Due,
    /// No more records will come.
    Over,
}

struct State {
    waiting: Parcel,
    /// Records appended, and records written, since the beginning.
    appended: u64,
    written: u64,
    /// The writer sleeps until somebody wakes it.
    is_asleep: bool,
    /// Somebody waits for the writer, or much is to be written: it is not to linger.
    is_urgent: bool,
    /// Until when anybody waits for room: of the first one who does since some was last freed.
    stalled_until: Option<Instant>,
    closing: Option<Instant>,
}

/// Bytes that may wait before there is no room, whatever the capacity.
const MAX_BYTES: usize = 64 << 20;

/// Bytes that are worth a wake before the writer has lingered.
const MANY_BYTES: usize = 1 << 20;

/// How long the writer lets records gather once it has work, so that it need not be woken for each.
const LINGER: Duration = Duration::from_millis(20);

impl Buffer {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: AtomicUsize::new(capacity),
            taken: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            spilled: AtomicUsize::new(0),
            is_overflow_told: AtomicBool::new(false),
            is_loss_told: AtomicBool::new(false),
            overflow: OnceLock::new(),
            writer: OnceLock::new(),
            is_over: AtomicBool::new(false),
            state: Mutex::new(State {
                waiting: Parcel::with_room(),
                appended: 0,
                written: 0,
                is_asleep: false,
                is_urgent: false,
                stalled_until: None,
                closing: None,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            events: Mutex::default(),
        }
    }

    pub(super) fn set_capacity(&self, records: usize) {
        self.capacity.store(records, Ordering::Relaxed);
    }

    pub(super) fn set_events(&self, events: Events) {
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = events;
    }

    pub(super) fn events(&self) -> Events {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clone()
    }

    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn has_room(&self) -> bool {
        self.takes_more()
            && self.taken.load(Ordering::Relaxed) < self.capacity.load(Ordering::Relaxed)
    }

    /// `Err` if it is set already.
    pub(super) fn set_overflow(&self, policy: Policy) -> Result<(), Policy> {
        self.overflow.set(policy)
    }

    /// This thread is the writer.
    pub(super) fn begin(&self) {
        let _ = self.writer.set(thread::current().id());
    }

    pub(super) fn reserve(&self) -> bool {
        if self.try_reserve() {
            return true;
        }
        match self.overflow.get() {
            None => false,
            Some(Policy::Wait(patience)) => self.wait_for_room(*patience),
            // What finds no room by then goes elsewhere.
            Some(Policy::Spill(_) | Policy::Drop) => {
                let is_open = !self.is_over.load(Ordering::Relaxed);
                self.taken
                    .fetch_add(usize::from(is_open), Ordering::Relaxed);
                is_open
            }
        }
    }

    fn try_reserve(&self) -> bool {
        if !self.takes_more() {
            return false;
        }
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let room = before < self.capacity.load(Ordering::Relaxed);
        if !room {
            self.release(1);
        }
        room
    }

    /// While nothing moves, all who wait end with the first: one after the other on a thread, each for as long
    /// as it may, they would stop what else runs there for as long as they come.
    fn wait_for_room(&self, patience: Duration) -> bool {
        // What an event or a watcher records there would wait for itself.
        if self.writer.get() == Some(&thread::current().id()) {
            return false;
        }
        let mine = Instant::now() + patience;
        let mut state = self.state();
        loop {
            if self.try_reserve() {
                return true;
            }
            let end = mine.min(*state.stalled_until.get_or_insert(mine));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_over.load(Ordering::Relaxed) {
                return false;
            }
            state.is_urgent = true;
            self.work.notify_one();
            let waited = self.done.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether there is room, whatever the capacity.
    fn takes_more(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < MAX_BYTES && !self.is_over.load(Ordering::Relaxed)
    }

    /// Whether less than a quarter of the room is left.
    pub(super) fn is_scarce(&self) -> bool {
        let is_scarce = |taken: usize, all: usize| taken.saturating_mul(4) > all.saturating_mul(3);
        let capacity = self.capacity.load(Ordering::Relaxed);
        is_scarce(self.taken.load(Ordering::Relaxed), capacity)
            || is_scarce(self.bytes.load(Ordering::Relaxed), MAX_BYTES)
    }

    fn release(&self, records: usize) {
        self.taken.fetch_sub(records, Ordering::Relaxed);
    }

    /// Gives a reservation back that no record will use, to who waits for it.
    pub(super) fn give_back(&self) {
        self.release(1);
        if let Some(Policy::Wait(_)) = self.overflow.get() {
            self.state().stalled_until = None;
            self.done.notify_all();
        }
    }

    /// Appends a record into reserved room. If there is none after all, which only some policies allow, it
    /// is dropped or spilled; `line` makes its line for that.
    pub(super) fn append(
        &self,
        pack: impl FnOnce(&mut Parcel),
        confirm: Option<Confirm>,
        line: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut state = self.state();
        if let Some(policy @ (Policy::Spill(_) | Policy::Drop)) = self.overflow.get()
            && self.is_full(&state)
        {
            drop(state);
            self.release(1);
            return self.overflow(policy, line);
        }
        let before = state.waiting.bytes();
        pack(&mut state.waiting);
        let is_awaited = confirm.is_some();
        if let Some(confirm) = confirm {
            state.waiting.confirm_last(confirm);
        }
        let bytes = state.waiting.bytes();
        state.appended += 1;
        let all = self.bytes.load(Ordering::Relaxed) + (bytes - before);
        self.bytes.store(all, Ordering::Relaxed);
        let is_many = (bytes >= MANY_BYTES || is_awaited) && !state.is_urgent;
        state.is_urgent |= is_many;
        let wake = mem::take(&mut state.is_asleep) || is_many;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    fn is_full(&self, state: &State) -> bool {
        let waiting = usize::try_from(state.appended - state.written).unwrap_or(usize::MAX);
        waiting >= self.capacity.load(Ordering::Relaxed) || !self.takes_more()
    }

    fn overflow(&self, policy: &Policy, line: impl FnOnce(&mut Vec<u8>)) {
        let (is_told, detail) = match policy {
            Policy::Spill(spill) => match spill.write(line) {
                Spilled::Kept => {
                    self.spilled.fetch_add(1, Ordering::Relaxed);
                    let detail = "there is no room for records: they go to the spill file";
                    (&self.is_overflow_told, detail)
                }
                Spilled::Lost => {
                    self.lose();
                    let detail = "there is no room for records, and the spill file takes none: \
                                  they are dropped";
                    (&self.is_loss_told, detail)
                }
            },
            Policy::Drop | Policy::Wait(_) => {
                self.lose();
                let detail = "there is no room for records: they are dropped";
                (&self.is_loss_told, detail)
            }
        };
        if !is_told.swap(true, Ordering::Relaxed) {
            let event = Event::new("audit", Severity::Error, "queue_full", detail);
            report(&self.events(), &event);
        }
    }

    /// Counts a record that is not written.
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// What came by no line since this was asked last, if anything.
    pub(super) fn take_untold(&self) -> Option<Untold> {
        let take = |counter: &AtomicUsize| match counter.load(Ordering::Relaxed) {
            0 => 0,
            _ => u64::try_from(counter.swap(0, Ordering::Relaxed)).unwrap_or(u64::MAX),
        };
        let untold = Untold {
            lost: take(&self.lost),
            spilled: take(&self.spilled),
        };
        if untold.lost == 0 && untold.spilled == 0 {
            return None;
        }
        self.is_overflow_told.store(false, Ordering::Relaxed);
        self.is_loss_told.store(false, Ordering::Relaxed);
        Some(untold)
    }

    /// Takes all records that wait, in exchange for an empty parcel; waits for one until the time.
    pub(super) fn next(&self, taken: &mut Parcel, due: Option<Instant>) -> Next {
        let written = taken.bytes();
        taken.clear();
        let mut state = self.state();
        let left = self.bytes.load(Ordering::Relaxed) - written;
        self.bytes.store(left, Ordering::Relaxed);
        // Records gather while the writer lingers; only one that found none sleeps until it is woken.
        let lingering = |state: &mut State| !state.is_urgent && state.closing.is_none();
        let lingered = self.work.wait_timeout_while(state, LINGER, lingering);
        state = lingered.unwrap_or_else(PoisonError::into_inner).0;
        while state.waiting.is_empty() {
            if state.closing.is_some() {
                return Next::Over;
            }
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                state.is_asleep = false;
                return Next::Due;
            }
            state.is_urgent = false;
            state.is_asleep = true;
            state = match left {
                Some(left) => {
                    let woken = self.work.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.work.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        state.is_asleep = false;
        state.is_urgent = false;
        mem::swap(&mut state.waiting, taken);
        Next::Records
    }

    /// So many records are written: their room is free.
    pub(super) fn written(&self, records: usize) {
        self.release(records);
        let mut state = self.state();
        state.written += u64::try_from(records).unwrap_or_default();
        state.stalled_until = None;
        drop(state);
        self.done.notify_all();
    }

    /// Waits between two attempts; `false` if it is too late for another.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let mut state = self.state();
        if state.closing.is_none() {
            let open = |state: &mut State| state.closing.is_none();
            let waited = self.work.wait_timeout_while(state, pause, open);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        } else {
            drop(state);
            thread::sleep(pause.min(LINGER));
            state = self.state();
        }
        state.closing.is_none_or(|end| Instant::now() < end)
    }

    /// Waits until what was appended is written; `false` if that takes too long.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut state = self.state();
        let target = state.appended;
        if state.written < target {
            state.is_urgent = true;
            self.work.notify_one();
        }
        let waiting =
            |state: &mut State| state.written < target && !self.is_over.load(Ordering::Relaxed);
        let waited = self.done.wait_timeout_while(state, patience, waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.written >= target
    }

    /// No more lines will come. Waits for the writer; returns how many records it did not take.
    pub(super) fn close(&self, patience: Duration) -> u64 {
        let mut state = self.state();
        state.closing = Some(Instant::now() + patience);
        drop(state);
        self.work.notify_one();
        let running = |_: &mut State| !self.is_over.load(Ordering::Relaxed);
        let ended = self
            .done
            .wait_timeout_while(self.state(), patience, running);
        let (state, _) = ended.unwrap_or_else(PoisonError::into_inner);
        state.appended.saturating_sub(state.written)
    }

    /// Nobody is there any more who could spill: the file can be opened again at once, and not when the writer's thread
    /// has come to its end.
    pub(super) fn close_spill(&self) {
        if let Some(Policy::Spill(spill)) = self.overflow.get() {
            spill.close();
        }
    }

    /// The writer is gone.
    pub(super) fn end(&self) {
        let state = self.state();
        self.is_over.store(true, Ordering::Relaxed);
        drop(state);
        self.done.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, gaps::Missing};

    fn record() -> Record<'static> {
        let missing = Missing {
            refused: 1,
            ..Missing::default()
        };
        Record::gap(Duration::ZERO, missing, &[])
    }

    #[test]
    fn without_a_writer_there_is_no_room_whatever_the_capacity() {
        let buffer = Buffer::new(10);
        assert!(buffer.reserve());
        buffer.end();
        buffer.set_capacity(10);
        assert!(!buffer.reserve());
        #[cfg(feature = "tracing-subscriber")]
        assert!(!buffer.has_room());
        // Nor does anybody wait for it.
        buffer.append(|waiting| waiting.pack(&record()), None, |_| {});
        assert!(!buffer.flush(Duration::from_secs(10)));
    }

    #[test]
    fn by_wait_a_record_that_has_its_room_is_taken_whatever_came_meanwhile() {
        let buffer = Buffer::new(1);
        let wait = Policy::Wait(Duration::from_millis(10));
        assert!(buffer.set_overflow(wait).is_ok());
        assert!(buffer.reserve());
        buffer.bytes.fetch_add(MAX_BYTES, Ordering::Relaxed);
        buffer.append(|waiting| waiting.pack(&record()), None, |_| {});
        assert_eq!(buffer.state().appended, 1);
        assert!(buffer.take_untold().is_none());
        assert!(!buffer.reserve());
    }
}
