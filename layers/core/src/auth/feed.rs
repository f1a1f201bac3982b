use std::{error::Error, fmt, time::Duration};

use super::Revocations;

/// What keeps a list of revocations in touch with those of other nodes; made by
/// [`Revocations::depend_on_feed`].
///
/// It says from time to time that the list holds all that the others have revoked. If it falls silent, or
/// is dropped, the list is out of touch, and credentials are not believed.
pub struct Feed {
    list: Revocations,
    patience: Duration,
}

/// The list has a feed already: if either of them fell silent, the other would hide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedTaken;

impl Feed {
    pub(super) fn new(list: Revocations, patience: Duration) -> Self {
        Self { list, patience }
    }

    /// Says that the list holds now all that was revoked elsewhere.
    pub fn touch(&self) {
        let now = self.list.monotonic();
        self.list
            .stay_in_touch_until(now.saturating_add(self.patience));
    }

    /// How long it may be silent.
    pub fn patience(&self) -> Duration {
        self.patience
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("list", &self.list)
            .field("patience", &self.patience)
            .finish()
    }
}

impl fmt::Display for FeedTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list of revocations has a feed already")
    }
}

impl Error for FeedTaken {}

#[cfg(test)]
mod tests {
    use crate::{FakeClock, Principal, auth::Distrust};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_list_whose_feed_is_silent_believes_nobody_and_knows_whom_it_knew() {
        let clock = FakeClock::at(Duration::from_secs(1_800_000_000));
        let list = Revocations::with_clock(10, clock.clone());
        let of = |id: &str| Principal::user("i", "ann").credential_id(id).build("jwt");
        let (good, bad) = (of("good"), of("bad"));
        list.revoke_credential("i", "bad", list.now() + 100 * SECOND)
            .unwrap();
        assert_eq!(list.judge(&good), Ok(()));
        let feed = list.depend_on_feed(10 * SECOND).unwrap();
        assert_eq!(list.judge(&good), Err(Distrust::OutOfTouch), "not yet");
        for _ in 0..2 {
            feed.touch();
            clock.advance(10 * SECOND - Duration::from_nanos(1));
            // However the wall clock steps.
            clock.step_wall_to(Duration::ZERO);
            assert_eq!(list.judge(&good), Ok(()));
            clock.advance(Duration::from_nanos(1));
            assert_eq!(list.judge(&good), Err(Distrust::OutOfTouch));
            assert!(matches!(list.judge(&bad), Err(Distrust::Revoked(_))));
            assert_eq!(list.judge(&Principal::anonymous()), Ok(()));
        }
        assert_eq!(list.depend_on_feed(SECOND).unwrap_err(), FeedTaken);
        drop(feed);
        assert_eq!(list.judge(&good), Err(Distrust::OutOfTouch));
        assert_eq!(list.depend_on_feed(SECOND).unwrap_err(), FeedTaken);
    }
}
