use std::{mem, time::Duration};

use bartizan_core::{
    Event, Events, Severity,
    auth::{Feed, Revocations},
};
use tokio::{
    select,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    RedisFault,
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
}

impl From<RedisFault> for Trouble {
    fn from(fault: RedisFault) -> Self {
        Self::Redis(fault)
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_BLOCK: Duration = Duration::from_secs(5);

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
        let mut is_told = false;
        loop {
            let mut is_loaded = false;
            let trouble = match self.read_on(&mut is_loaded).await {
                Ok(never) => match never {},
                Err(trouble) => trouble,
            };
            if is_loaded {
                (pause, is_told) = (SHORTEST_PAUSE, false);
            }
            if !mem::replace(&mut is_told, true) {
                self.tell(&trouble);
            }
            let jitter = 0.5 + fastrand::f64() / 2.0;
            sleep(pause.mul_f64(jitter)).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Reads the stream from its beginning, also where it was read before: it may be another one, whose ids say
    /// nothing of what was read of the last, and nothing is done by reading twice.
    async fn read_on(&self, is_loaded: &mut bool) -> Result<std::convert::Infallible, Trouble> {
        let block = LONGEST_BLOCK.min(self.patience / 3);
        let mut connection = self.log.redis.dedicated(block).await?;
        let mut last = "0-0".to_owned();
        let mut count = 0;
        loop {
            let wait = is_loaded.then_some(block);
            let page = self.log.read(&mut connection, &last, wait).await?;
            self.apply(&page)?;
            count += page.entries.len();
            let is_all = page.entries.len() < PAGE;
            if let Some(id) = page.last {
                last = id;
            }
            if is_all {
                self.touch();
                if !mem::replace(is_loaded, true) {
                    let detail = format!("{count} entries of the stream `{}`", self.log.key);
                    self.log.emit(Severity::Info, "revocations_loaded", detail);
                }
            }
        }
    }

    fn apply(&self, page: &Page) -> Result<(), Trouble> {
        let mut skipped = 0;
        let mut fault = "";
        for entry in &page.entries {
            match entry {
                Ok(entry) => entry.apply(&self.list).map_err(|_| Trouble::Full)?,
                Err(why) => {
                    skipped += 1;
                    fault = why;
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
        Ok(())
    }

    fn touch(&self) {
        if let Some(feed) = &self.feed {
            feed.touch();
        }
        self.touched.send_modify(|times| *times += 1);
    }

    fn tell(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Redis(fault) => {
                let detail = format!("the stream `{}` is not followed: {fault}", self.log.key);
                self.log
                    .emit(Severity::Warning, "revocations_not_followed", detail);
            }
            Trouble::Full => {
                let detail = "the list has no room for what other nodes revoked".to_owned();
                self.log.emit(Severity::Error, "revocations_full", detail);
            }
        }
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
