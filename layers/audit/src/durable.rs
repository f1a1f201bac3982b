use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Resolves when a record is durable, or can't become so.
///
/// Returned by [`AuditSink::write_durably`](crate::AuditSink::write_durably). Dropping it changes nothing of
/// the record.
#[must_use = "futures do nothing unless polled"]
pub struct Durable {
    /// Of each sink that may make it durable: one is enough.
    awaited: Vec<Arc<Slot>>,
}

/// A sink's promise to tell whether a record became durable. Dropped without a word, it did not.
pub struct Confirm(Arc<Slot>);

/// The record may not be there after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotDurable(());

struct Slot(Mutex<State>);

enum State {
    Waiting(Option<Waker>),
    Over { is_durable: bool },
}

impl Durable {
    /// One that its sink will tell about, and what it tells by.
    pub fn awaited() -> (Confirm, Self) {
        let slot = Arc::new(Slot(Mutex::new(State::Waiting(None))));
        let awaited = vec![Arc::clone(&slot)];
        (Confirm(slot), Self { awaited })
    }

    /// Of a sink that makes nothing durable.
    pub fn never() -> Self {
        Self {
            awaited: Vec::new(),
        }
    }

    /// Durable once either is.
    pub fn or(mut self, other: Self) -> Self {
        self.awaited.extend(other.awaited);
        self
    }
}

impl Confirm {
    /// The record is durable.
    pub fn confirm(self) {
        self.0.end(true);
    }
}

impl Drop for Confirm {
    fn drop(&mut self) {
        self.0.end(false);
    }
}

impl Slot {
    /// What is said first counts.
    fn end(&self, is_durable: bool) {
        let mut state = self.state();
        if let State::Waiting(waker) = &mut *state {
            let waker = mem::take(waker);
            *state = State::Over { is_durable };
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Durable {
    type Output = Result<(), NotDurable>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut is_durable = false;
        self.awaited.retain(|slot| match &mut *slot.state() {
            State::Waiting(waker) => {
                *waker = Some(cx.waker().clone());
                true
            }
            State::Over { is_durable: this } => {
                is_durable |= *this;
                false
            }
        });
        if is_durable {
            return Poll::Ready(Ok(()));
        }
        if self.awaited.is_empty() {
            return Poll::Ready(Err(NotDurable(())));
        }
        Poll::Pending
    }
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable")
            .field("awaited", &self.awaited.len())
            .finish()
    }
}

impl fmt::Debug for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirm").finish_non_exhaustive()
    }
}

impl fmt::Display for NotDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the audit record did not become durable")
    }
}

impl Error for NotDurable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(durable: &mut Durable) -> Poll<Result<(), NotDurable>> {
        Pin::new(durable).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn it_is_durable_once_one_sink_says_so_and_never_if_none_can() {
        let (one, first) = Durable::awaited();
        let (other, second) = Durable::awaited();
        let mut both = first.or(second).or(Durable::never());
        assert!(poll(&mut both).is_pending());
        drop(one);
        assert!(poll(&mut both).is_pending());
        other.confirm();
        assert_eq!(poll(&mut both), Poll::Ready(Ok(())));

        let (dropped, mut durable) = Durable::awaited();
        drop(dropped);
        assert!(matches!(poll(&mut durable), Poll::Ready(Err(_))));
        assert!(matches!(poll(&mut Durable::never()), Poll::Ready(Err(_))));
    }
}
