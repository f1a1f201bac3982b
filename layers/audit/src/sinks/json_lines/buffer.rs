use std::{
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bartizan_core::Events;

/// Lines that wait for their writer, and the room that is reserved for more.
pub(super) struct Buffer {
    capacity: AtomicUsize,
    /// Records that wait, are being written, or have their room reserved.
    taken: AtomicUsize,
    /// Bytes that wait or are being written.
    bytes: AtomicUsize,
    /// Records that found no room though nobody asked them to reserve it.
    lost: AtomicUsize,
    state: Mutex<State>,
    /// Signals the writer.
    work: Condvar,
    /// Signals those who wait for the writer.
    done: Condvar,
    events: Mutex<Events>,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    count: usize,
    /// Records appended, and records written, since the beginning.
    appended: u64,
    written: u64,
    /// The writer sleeps until somebody wakes it.
    is_asleep: bool,
    /// Somebody waits for the writer, or much is to be written: it is not to linger.
    is_urgent: bool,
    closing: Option<Instant>,
    /// There is no writer any more.
    is_over: bool,
}

/// Lines that go to the writer at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<u8>,
    count: usize,
    bytes: usize,
}

/// Bytes that may wait before there is no room, whatever the capacity.
const MAX_BYTES: usize = 64 << 20;

/// Bytes that are worth a wake before the writer has lingered.
const MANY_BYTES: usize = 1 << 20;

/// How long the writer lets lines gather once it has work, so that it need not be woken for each.
const LINGER: Duration = Duration::from_millis(20);

/// What a buffer keeps of its size when it is empty again.
const KEPT_BYTES: usize = 1 << 20;

impl Buffer {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: AtomicUsize::new(capacity),
            taken: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            state: Mutex::default(),
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
        self.bytes.load(Ordering::Relaxed) < MAX_BYTES
            && self.taken.load(Ordering::Relaxed) < self.capacity.load(Ordering::Relaxed)
    }

    pub(super) fn reserve(&self) -> bool {
        if self.bytes.load(Ordering::Relaxed) >= MAX_BYTES {
            return false;
        }
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let room = before < self.capacity.load(Ordering::Relaxed);
        if !room {
            self.release(1);
        }
        room
    }

    pub(super) fn release(&self, records: usize) {
        self.taken.fetch_sub(records, Ordering::Relaxed);
    }

    /// Appends a line into reserved room.
    pub(super) fn append(&self, line: &[u8]) {
        let mut state = self.state();
        state.lines.extend_from_slice(line);
        state.count += 1;
        state.appended += 1;
        self.bytes.fetch_add(line.len(), Ordering::Relaxed);
        let is_many = state.lines.len() >= MANY_BYTES && !state.is_urgent;
        state.is_urgent |= is_many;
        let wake = mem::take(&mut state.is_asleep) || is_many;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Counts a record that is not written.
    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many records were lost since this was asked last.
    pub(super) fn take_lost(&self) -> usize {
        if self.lost.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Waits for lines and takes all of them into the empty batch; `None` if no more will come.
    pub(super) fn next(&self, batch: &mut Batch) -> Option<()> {
        batch.lines.clear();
        batch.lines.shrink_to(KEPT_BYTES);
        let mut state = self.state();
        // Lines gather while the writer lingers; only one that found none sleeps until it is woken.
        let lingering = |state: &mut State| !state.is_urgent && state.closing.is_none();
        let lingered = self.work.wait_timeout_while(state, LINGER, lingering);
        state = lingered.unwrap_or_else(PoisonError::into_inner).0;
        while state.count == 0 {
            if state.closing.is_some() {
                return None;
            }
            state.is_urgent = false;
            state.is_asleep = true;
            let woken = self.work.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        state.is_asleep = false;
        state.is_urgent = false;
        mem::swap(&mut state.lines, &mut batch.lines);
        batch.count = mem::take(&mut state.count);
        batch.bytes = batch.lines.len();
        Some(())
    }

    /// The batch is written: its room is free.
    pub(super) fn written(&self, batch: &Batch) {
        self.release(batch.count);
        self.bytes.fetch_sub(batch.bytes, Ordering::Relaxed);
        let mut state = self.state();
        state.written += u64::try_from(batch.count).unwrap_or_default();
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
            std::thread::sleep(pause.min(LINGER));
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
        let waiting = |state: &mut State| state.written < target;
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
        let running = |state: &mut State| !state.is_over;
        let ended = self
            .done
            .wait_timeout_while(self.state(), patience, running);
        let (state, _) = ended.unwrap_or_else(PoisonError::into_inner);
        state.appended.saturating_sub(state.written)
    }

    /// The writer is gone.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.done.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
