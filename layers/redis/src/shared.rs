use std::{error::Error, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use bartizan_core::{
    Events,
    auth::{NotRevoked, Revocations},
};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::timeout};

use crate::{
    Redis, RedisConfigError,
    entry::{self, Entry, Kind},
    follower::Follower,
    log::Log,
};

/// Revocations that hold on every node: what one revokes is brought into the list of each.
///
/// The [crate's documentation](crate) has an example. Requests are judged by the list, in memory; nothing on
/// their way asks Redis. Clones are the same; when the last of them is dropped, the list is not fed any
/// more, so keep one for as long as the server runs.
#[derive(Clone)]
pub struct SharedRevocations {
    inner: Arc<Inner>,
}

struct Inner {
    log: Log,
    list: Revocations,
    touched: watch::Receiver<u64>,
    follower: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// What a node does that has not heard of Redis for some time, 1 s to 24 h: what others revoked since then is
/// not known to it. It holds from the start: nothing was heard yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutOfTouch {
    /// Goes on by what it knows, and says so in an event: whoever revokes during an outage of Redis stops
    /// nobody at the other nodes until it is back.
    KeepGoing(Duration),
    /// Answers credentials with 503, and ends streams on which a caller listens: an outage of Redis is one
    /// of the server.
    Refuse(Duration),
}

impl OutOfTouch {
    fn after(self) -> Duration {
        match self {
            Self::KeepGoing(after) | Self::Refuse(after) => after,
        }
    }
}

/// Builds [`SharedRevocations`]; made by [`SharedRevocations::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SharedRevocationsBuilder {
    log: Log,
    list: Revocations,
    out_of_touch: OutOfTouch,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;
const AGES: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(366 * 24 * 3600);
const MAX_KEY_BYTES: usize = 512;

/// Redis trims whole nodes of a stream, which hold so many entries unless configured otherwise.
const OVERSHOOT: usize = 100;

impl SharedRevocations {
    /// Starts to share `list`, which is the one that the authenticators ask.
    pub fn builder(
        redis: Redis,
        list: Revocations,
        out_of_touch: OutOfTouch,
    ) -> SharedRevocationsBuilder {
        SharedRevocationsBuilder {
            log: Log {
                redis,
                key: "bartizan:revocations".to_owned(),
                max_entries: 50_000,
                max_age: 30 * DAY,
                events: Events::default(),
            },
            list,
            out_of_touch,
        }
    }

    /// Revokes one credential by its id, here and elsewhere; see [`Revocations::revoke_credential`].
    ///
    /// # Errors
    ///
    /// If it does not hold everywhere. The error says where it does. A future that is dropped has revoked here.
    pub async fn revoke_credential(
        &self,
        issuer: &str,
        id: &str,
        until: Duration,
    ) -> Result<(), NotShared> {
        self.revoke(Kind::Credential, issuer, id, until).await
    }

    /// Revokes all tokens of a session, here and elsewhere; see [`Revocations::revoke_session`].
    ///
    /// # Errors
    ///
    /// If it does not hold everywhere. The error says where it does. A future that is dropped has revoked here.
    pub async fn revoke_session(
        &self,
        issuer: &str,
        session: &str,
        until: Duration,
    ) -> Result<(), NotShared> {
        self.revoke(Kind::Session, issuer, session, until).await
    }

    /// Revokes whatever a subject was issued until now, here and elsewhere; see
    /// [`Revocations::revoke_subject`]. On a node that learns of it later it is until then, too.
    ///
    /// # Errors
    ///
    /// If it does not hold everywhere. The error says where it does. A future that is dropped has revoked here.
    pub async fn revoke_subject(
        &self,
        issuer: &str,
        subject: &str,
        until: Duration,
    ) -> Result<(), NotShared> {
        self.revoke(Kind::Subject, issuer, subject, until).await
    }

    /// Waits until the list holds what others have revoked before: before a server listens, say.
    ///
    /// # Errors
    ///
    /// If it does not within this time. It is tried further.
    pub async fn loaded(&self, within: Duration) -> Result<(), NotLoaded> {
        let mut touched = self.inner.touched.clone();
        let loaded = timeout(within, touched.wait_for(|times| *times > 0)).await;
        match loaded {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotLoaded),
        }
    }

    async fn revoke(
        &self,
        kind: Kind,
        issuer: &str,
        id: &str,
        until: Duration,
    ) -> Result<(), NotShared> {
        let Inner { log, list, .. } = &*self.inner;
        let now = list.now();
        if !entry::is_name(issuer) || !entry::is_name(id) {
            return Err(NotShared::nowhere(
                "a name is empty or longer than 4096 bytes",
            ));
        }
        if until > now.saturating_add(log.max_age) {
            return Err(NotShared::nowhere("`until` is later than entries are kept"));
        }
        let entry = Entry {
            kind,
            issuer: issuer.to_owned(),
            id: id.to_owned(),
            at: entry::up_to_millis(now),
            until: entry::up_to_millis(until),
        };
        let here = entry.apply(list);
        if here == Err(NotRevoked::Past) {
            return Err(NotShared::nowhere(
                "`until` is in the past, in time since the Unix epoch",
            ));
        }
        let there = log.publish(&entry).await;
        match (&here, &there) {
            (Ok(()), Ok(())) => Ok(()),
            _ => Err(NotShared {
                holds_here: here.is_ok(),
                is_shared: there.is_ok(),
                detail: there.map_or_else(
                    |fault| fault.to_string(),
                    |()| "the list of revocations has no room".to_owned(),
                ),
            }),
        }
    }
}

impl SharedRevocationsBuilder {
    /// The key of the stream; `bartizan:revocations` by default, 1 to 512 bytes. Servers of different realms
    /// on one Redis need different ones.
    pub fn stream(mut self, key: &str) -> Self {
        self.log.key = key.to_owned();
        self
    }

    /// How many revocations the stream holds, give or take a hundred; 50,000 by default. The oldest go first,
    /// expired or not, so it has to be more than are alive at a time.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.log.max_entries = entries;
        self
    }

    /// How long an entry is kept, and so how far ahead `until` may be; 30 days by default, 1 minute to 366 days.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.log.max_age = age;
        self
    }

    /// Where events go: loaded, out of touch, entries that can't be read.
    pub fn events(mut self, events: Events) -> Self {
        self.log.events = events;
        self
    }

    /// Begins to follow the stream, in a task of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If a setting is out of range, the list has less room than the stream, or a feed already, or there is
    /// no runtime.
    pub fn start(self) -> Result<SharedRevocations, RedisConfigError> {
        let Self {
            log,
            list,
            out_of_touch,
        } = self;
        let error = |setting, value: &dyn fmt::Display, problem| {
            Err(RedisConfigError::new(setting, value, problem))
        };
        if !(1..=MAX_KEY_BYTES).contains(&log.key.len()) || log.key.contains(char::is_control) {
            let key = log.key.escape_debug();
            return error("stream", &key, "is not of 1 to 512 bytes of text");
        }
        if log.max_entries == 0 {
            return error("max_entries", &0, "holds nothing");
        }
        if list.capacity() < log.max_entries.saturating_add(OVERSHOOT) {
            let problem = "is more than the list has room for, less a hundred";
            return error("max_entries", &log.max_entries, problem);
        }
        if !AGES.contains(&log.max_age) {
            let age = format!("{:?}", log.max_age);
            return error("max_age", &age, "is not between a minute and 366 days");
        }
        let patience = out_of_touch.after();
        if !AFTER.contains(&patience) {
            let after = format!("{patience:?}");
            return error("out_of_touch", &after, "is not between 1 s and 24 h");
        }
        let Ok(runtime) = Handle::try_current() else {
            return error("runtime", &"none", "is not a tokio runtime");
        };
        let feed = match out_of_touch {
            OutOfTouch::KeepGoing(_) => None,
            OutOfTouch::Refuse(after) => match list.depend_on_feed(after) {
                Ok(feed) => Some(feed),
                Err(_) => return error("list", &"of revocations", "has a feed already"),
            },
        };
        let (touch, touched) = watch::channel(0);
        let follower = Follower {
            log: log.clone(),
            list: list.clone(),
            feed,
            patience,
            touched: touch,
        };
        Ok(SharedRevocations {
            inner: Arc::new(Inner {
                log,
                list,
                touched,
                follower: runtime.spawn(follower.run()),
            }),
        })
    }
}

impl fmt::Debug for SharedRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRevocations")
            .field("log", &self.inner.log)
            .field("list", &self.inner.list)
            .finish_non_exhaustive()
    }
}

/// A revocation that does not hold everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotShared {
    holds_here: bool,
    is_shared: bool,
    detail: String,
}

impl NotShared {
    fn nowhere(problem: &str) -> Self {
        Self {
            holds_here: false,
            is_shared: false,
            detail: problem.to_owned(),
        }
    }

    /// Whether it holds on this node.
    pub fn holds_here(&self) -> bool {
        self.holds_here
    }

    /// Whether other nodes learn of it. If not they may all the same, where Redis did not answer in time. To
    /// revoke again is safe; a subject is then revoked up to the later time.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }
}

impl fmt::Display for NotShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = match (self.holds_here, self.is_shared) {
            (true, _) => "holds on this node only",
            (false, true) => "holds on other nodes only",
            (false, false) => "holds nowhere",
        };
        write!(f, "the revocation {holds}: {}", self.detail)
    }
}

impl Error for NotShared {}

/// What others have revoked is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotLoaded;

impl fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what other nodes have revoked is not known yet")
    }
}

impl Error for NotLoaded {}
