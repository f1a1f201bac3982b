use std::{mem, time::Duration};

use bartizan_core::{
    Event, Events, Severity,
    auth::{Feed, NotRevoked, Revocations},
};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    RedisFault,
    entry::Fault,
    log::{Log, PAGE},
    page::Page,
};

/// Brings what stands in the stream into the list, for as long as it lives.
pub(crate) struct Follower {
    pub(crate) log: Log,
    pub(crate) list: Revocations,
    /// Of a list that believes nobody while it is out of touch.
    pub(crate) feed: Option<Feed>,
    /// After how long without an answer it is.
    pub(crate) patience: Duration,
    /// How often the list was known to be complete.
    pub(crate) touched: watch::Sender<u64>,
}

/// Why the stream is not followed any more.
enum Trouble {
    Redis(RedisFault),
    /// The list has no room for what stands in the stream.
    Full,
    /// Entries stood in it whose form is not known here. Maybe they are gone.
    Newer,
}

/// What was said of the stream since it was last followed. An outage is told once, and so is what was read
/// in it: a Redis that lets it be read and not be followed would be told of over and over.
#[derive(Default)]
struct Told {
    trouble: bool,
    loaded: bool,
    is_followed: bool,
}

impl From<RedisFault> for Trouble {
    fn from(fault: RedisFault) -> Self {
        Self::Redis(fault)
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_BLOCK: Duration = Duration::from_secs(5);
/// After how long a stream with entries of an unknown form is read from its beginning again.
const NEWER_PAUSE: Duration = Duration::from_secs(30);

impl Follower {
    pub(crate) async fn run(self) {
        let watch = watch_touch(
            self.touched.subscribe(),
            self.patience,
            self.feed.is_some(),
            self.log.events.clone(),
        );
        select! {
            () = self.follow() => {}
            () = watch => {}
        }
    }

    async fn follow(&self) {
        // So that one that is back is noticed before it is missed for long.
        let longest = LONGEST_PAUSE.min(self.patience / 2).max(SHORTEST_PAUSE);
        let mut pause = SHORTEST_PAUSE;
        let mut told = Told::default();
        loop {
            let trouble = match self.read_on(&mut told).await {
                Ok(never) => match never {},
                Err(trouble) => trouble,
            };
            if mem::take(&mut told.is_followed) {
                pause = SHORTEST_PAUSE;
            }
            match &trouble {
                // That was told when they were read, and what comes of reading them again need not be.
                Trouble::Newer => told.loaded = true,
                _ if mem::replace(&mut told.trouble, true) => {}
                Trouble::Redis(fault) => self.tell_not_followed(fault),
                Trouble::Full => self.tell_full(),
            }
            let jitter = 0.5 + fastrand::f64() / 2.0;
            sleep(pause.mul_f64(jitter)).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Reads the stream from its beginning, also where it was read before: it may be another one, whose ids say
    /// nothing of what was read of the last, and nothing is done by reading twice.
    async fn read_on(&self, told: &mut Told) -> Result<std::convert::Infallible, Trouble> {
        let block = LONGEST_BLOCK.min(self.patience / 3);
        let mut connection = self.log.redis.dedicated(block).await?;
        let mut last = "0-0".to_owned();
        let mut count = 0;
        let mut is_loaded = false;
        let mut newer_since = None;
        loop {
            let wait = is_loaded.then_some(block);
            let page = self.log.read(&mut connection, &last, wait).await?;
            if is_loaded && !told.is_followed {
                *told = Told {
                    is_followed: true,
                    ..Told::default()
                };
            }
            if self.apply(&page)? && newer_since.is_none() {
                newer_since = Some(Instant::now());
                self.tell_newer();
            }
            count += page.entries.len();
            let is_all = page.entries.len() < PAGE;
            if let Some(id) = page.last {
                last = id;
            }
            if is_all {
                match newer_since {
                    // What they revoke is not known: the list is not complete.
                    Some(since) if self.feed.is_some() => {
                        if since.elapsed() >= NEWER_PAUSE {
                            return Err(Trouble::Newer);
                        }
                    }
                    _ => self.touch(),
                }
                if !mem::replace(&mut is_loaded, true) && !mem::replace(&mut told.loaded, true) {
                    let detail = format!("{count} entries of the stream `{}`", self.log.key);
                    self.log.emit(Severity::Info, "revocations_loaded", detail);
                }
            }
        }
    }

    /// Whether there were entries of a form that is not known.
    fn apply(&self, page: &Page) -> Result<bool, Trouble> {
        let mut skipped = 0;
        let mut fault = "";
        let mut has_newer = false;
        for entry in &page.entries {
            match entry.as_ref().map(|entry| entry.apply(&self.list)) {
                // What is over needs no revocation.
                Ok(Ok(()) | Err(NotRevoked::Past)) => {}
                Ok(Err(_)) => return Err(Trouble::Full),
                Err(why) => {
                    skipped += 1;
                    fault = why.text();
                    has_newer |= matches!(why, Fault::Newer(_));
                }
            }
        }
        if skipped > 0 {
            let detail = format!(
                "{skipped} entries of the stream `{}`; of the last, {fault}",
                self.log.key
            );
            self.log
                .emit(Severity::Warning, "revocations_skipped", detail);
        }
        Ok(has_newer)
    }

    fn tell_newer(&self) {
        let effect = match &self.feed {
            Some(_) => "the list counts as out of touch",
            None => "what they revoke has no effect here",
        };
        let detail = format!(
            "the stream `{}` has entries of a version or kind that is not known: {effect}",
            self.log.key
        );
        self.log.emit(Severity::Error, "revocations_newer", detail);
    }

    fn touch(&self) {
        if let Some(feed) = &self.feed {
            feed.touch();
        }
        self.touched.send_modify(|times| *times += 1);
    }

    fn tell_not_followed(&self, fault: &RedisFault) {
        let detail = format!("the stream `{}` is not followed: {fault}", self.log.key);
        self.log
            .emit(Severity::Warning, "revocations_not_followed", detail);
    }

    fn tell_full(&self) {
        let detail = "the list has no room for what other nodes revoked".to_owned();
        self.log.emit(Severity::Error, "revocations_full", detail);
    }
}

/// Tells when the list gets out of touch, and is in touch again.
async fn watch_touch(
    mut touched: watch::Receiver<u64>,
    patience: Duration,
    refuses: bool,
    events: Events,
) {
    let effect = if refuses {
        "credentials are refused with 503"
    } else {
        "what other nodes revoke has no effect here"
    };
    let mut is_out = false;
    loop {
        let (severity, kind, detail) = match timeout(patience, touched.changed()).await {
            Ok(Err(_)) => return,
            Ok(Ok(())) if mem::take(&mut is_out) => {
                let detail = "what other nodes revoke is known again".to_owned();
                (Severity::Info, "revocations_in_touch", detail)
            }
            Err(_) if !mem::replace(&mut is_out, true) => {
                let detail = format!("nothing heard of Redis for {patience:?}: {effect}");
                (Severity::Error, "revocations_out_of_touch", detail)
            }
            _ => continue,
        };
        events.emit(&Event::new("redis", severity, kind, detail));
    }
}
