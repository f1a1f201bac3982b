//! Who asks for the list, and who may.

use std::{
    fmt,
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bartizan_core::SecurityContext;
use foldhash::quality::RandomState;
use http::HeaderMap;
use tokio::{sync::watch, time::Instant};

use super::list::NoPage;

/// Of all callers that need the list one asks. What fails for one is that one's failure: the next asks at once. How many
/// ask in vain, and how often anybody does, has a bound.
pub(super) struct Asks {
    state: Mutex<State>,
    ended: watch::Sender<()>,
    /// So that nobody can choose to be taken for another.
    seed: RandomState,
    /// After so long, whoever asks does not keep others from it.
    slow: Duration,
}

#[derive(Default)]
struct State {
    under_way: Vec<UnderWay>,
    /// The last that each caller asked, of late, in the order of their ends.
    lately: Vec<Asked>,
    next: u64,
    /// When the last few began.
    begun: [Option<Instant>; MOST_CHANGES],
}

struct UnderWay {
    number: u64,
    caller: Caller,
    begun: Instant,
}

struct Asked {
    caller: Caller,
    ended: Instant,
    failed: Option<NoPage>,
}

/// Who asks, by hashes that nobody can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    own: u64,
    /// Whoever registers many clients is one account still.
    account: u64,
}

/// Whether a caller may ask.
pub(super) enum Turn {
    Ask(Asking),
    /// Once somebody who asks is done, or at that time.
    Wait(Option<Instant>),
    /// Not so soon again.
    Failed(NoPage),
}

/// Somebody asks, until it is dropped.
pub(super) struct Asking {
    asks: Arc<Asks>,
    number: u64,
    caller: Caller,
}

/// Who asked is remembered for so long.
pub(super) const LATELY: Duration = Duration::from_secs(10);

/// Most callers that ask within that time without need: because of a name that is not known, or although it failed for
/// others.
const MOST_LATELY: usize = 16;

/// Of these, most that are clients of one account.
const MOST_OF_ACCOUNT: usize = 4;

/// Most that ask at once, all but one of them slow.
const MOST_AT_ONCE: usize = 8;

/// How often the list may be asked for within that time because it changed.
const MOST_CHANGES: usize = 3;

/// Most callers that are remembered.
const REMEMBERED: usize = 64;

impl Asks {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            state: Mutex::default(),
            ended: watch::Sender::new(()),
            seed: RandomState::default(),
            slow: time / 4,
        }
    }

    /// What a caller is known by: the principal, or else the session.
    pub(super) fn key(&self, context: &SecurityContext, headers: &HeaderMap) -> Caller {
        match context.principal().filter(|who| !who.is_anonymous()) {
            Some(who) => Caller {
                own: self.seed.hash_one((who.account(), who.client_id())),
                account: self.seed.hash_one(who.account()),
            },
            None => {
                let session = headers.get("mcp-session-id").map(|id| id.as_bytes());
                let own = self.seed.hash_one(session);
                Caller { own, account: own }
            }
        }
    }

    /// The next end of somebody's asking.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }

    /// Whether somebody asks, or did in vain if it is this caller.
    pub(super) fn are_busy(&self, caller: Caller) -> bool {
        let state = self.state();
        let is_quick = |other: &UnderWay| other.begun.elapsed() < self.slow;
        let is_own = |asked: &Asked| asked.caller == caller && asked.failed.is_some();
        state.under_way.iter().any(is_quick)
            || state.lately.iter().any(is_own)
            || state.lately.len() >= MOST_LATELY
    }

    /// Whether this caller may ask without need.
    pub(super) fn admit(&self, caller: Caller) -> bool {
        let state = self.state();
        let count = state.under_way.len() + state.lately.len();
        let is_same = state.lately.iter().any(|asked| asked.caller == caller);
        let under_way = state.under_way.iter().map(|other| other.caller);
        let all = under_way.chain(state.lately.iter().map(|asked| asked.caller));
        let of_account = all.filter(|other| other.account == caller.account);
        !is_same && count < MOST_LATELY && of_account.count() < MOST_OF_ACCOUNT
    }

    /// Whether they were so often of late that a change can wait.
    pub(super) fn are_many(&self) -> bool {
        let is_late = |begun: &Instant| begun.elapsed() < LATELY;
        self.state()
            .begun
            .iter()
            .all(|begun| begun.as_ref().is_some_and(is_late))
    }

    /// `again`: after what time it may be tried again if it failed for the same caller.
    pub(super) fn turn(self: &Arc<Self>, caller: Caller, again: Duration) -> Turn {
        let mut state = self.state();
        let in_vain = |asked: &&Asked| asked.caller == caller && asked.ended.elapsed() < again;
        if let Some(why) = state.lately.iter().find(in_vain).and_then(|own| own.failed) {
            return Turn::Failed(why);
        }
        let mut failures = state.lately.iter().filter_map(|asked| asked.failed);
        if let Some(why) = failures
            .by_ref()
            .filter(|why| !why.is_callers())
            .nth(MOST_LATELY - 1)
        {
            return Turn::Failed(why);
        }
        let latest = state.under_way.iter().map(|other| other.begun).max();
        if let Some(latest) = latest.filter(|begun| begun.elapsed() < self.slow) {
            return Turn::Wait(Some(latest + self.slow));
        }
        let is_same = state.under_way.iter().any(|other| other.caller == caller);
        if is_same || state.under_way.len() >= MOST_AT_ONCE {
            return Turn::Wait(None);
        }
        let number = state.next;
        state.next = number.wrapping_add(1);
        state.under_way.push(UnderWay {
            number,
            caller,
            begun: Instant::now(),
        });
        state.begun.rotate_right(1);
        if let Some(last) = state.begun.first_mut() {
            *last = Some(Instant::now());
        }
        drop(state);
        Turn::Ask(Asking {
            asks: Arc::clone(self),
            number,
            caller,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lately.retain(|asked| asked.ended.elapsed() < LATELY);
        state
    }
}

impl Asking {
    /// It is over, and well unless it failed.
    pub(super) fn end(self, failed: Option<NoPage>) {
        let mut state = self.asks.state();
        let caller = self.caller;
        state.lately.retain(|asked| asked.caller != caller);
        if state.lately.len() >= REMEMBERED {
            state.lately.remove(0);
        }
        state.lately.push(Asked {
            caller,
            ended: Instant::now(),
            failed,
        });
    }
}

/// Also if its caller went away.
impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.asks.state();
        state.under_way.retain(|other| other.number != self.number);
        drop(state);
        self.asks.ended.send_replace(());
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}
