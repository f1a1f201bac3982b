use std::time::Duration;

use bartizan_core::{Event, Events, Severity};
use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};

use crate::{
    Redis, RedisFault, RedisFaultKind,
    entry::{self, Entry},
    page::Page,
};

/// The stream in which revocations stand.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) redis: Redis,
    pub(crate) key: String,
    pub(crate) max_entries: usize,
    pub(crate) max_age: Duration,
    pub(crate) events: Events,
}

/// Entries that are read at a time.
pub(crate) const PAGE: usize = 1000;

const TRIED_AGAIN: [RedisFaultKind; 2] = [RedisFaultKind::Unreachable, RedisFaultKind::TimedOut];

/// Entries stay so much longer than they may matter, since clocks differ.
const SLACK: Duration = Duration::from_secs(3600);

impl Log {
    /// Adds an entry, and trims what is too much or too old.
    pub(crate) async fn publish(&self, entry: &Entry) -> Result<(), RedisFault> {
        let answer = match self.add(entry).await {
            // The connection may have broken long ago, unnoticed. An entry that is there twice is one.
            Err(fault) if TRIED_AGAIN.contains(&fault.kind()) => self.add(entry).await,
            answer => answer,
        };
        let answers = answer?;
        let [id, Value::Int(length)] = answers.as_slice() else {
            return Err(RedisFault::unreadable("no answer to XADD"));
        };
        let id = entry::text(id).ok_or_else(|| RedisFault::unreadable("no id of XADD"))?;
        if usize::try_from(*length).is_ok_and(|length| length >= self.max_entries) {
            let detail = format!(
                "the stream `{}` is full: the oldest revocations are dropped, and nodes that start do not learn of them",
                self.key
            );
            self.emit(Severity::Warning, "revocation_log_full", detail);
        }
        // What fails here is done with the next entry.
        let _ = self.trim(id).await;
        Ok(())
    }

    async fn add(&self, entry: &Entry) -> Result<Vec<Value>, RedisFault> {
        let mut commands = Pipeline::with_capacity(2);
        let add = commands.cmd("XADD").arg(&self.key);
        add.arg("MAXLEN").arg("~").arg(self.max_entries).arg("*");
        for (name, value) in entry.fields() {
            add.arg(name).arg(value);
        }
        commands.cmd("XLEN").arg(&self.key);
        self.redis.run_all(&commands).await
    }

    /// By the clock that made the ids, which is the server's, so that no node's clock drops what others need.
    async fn trim(&self, newest: &str) -> Result<(), RedisFault> {
        let newest = newest.split('-').next().and_then(|ms| ms.parse().ok());
        let newest = Duration::from_millis(newest.unwrap_or_default());
        let oldest = newest.saturating_sub(self.max_age.saturating_add(SLACK));
        let mut trim = redis::cmd("XTRIM");
        trim.arg(&self.key).arg("MINID").arg("~");
        trim.arg(oldest.as_millis().to_string());
        self.redis.run(&trim).await.map(drop)
    }

    /// What follows `last`; waits up to `block` for it to come.
    pub(crate) async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        last: &str,
        block: Option<Duration>,
    ) -> Result<Page, RedisFault> {
        let mut read = Cmd::new();
        read.arg("XREAD").arg("COUNT").arg(PAGE);
        if let Some(block) = block {
            // Zero would be for ever.
            read.arg("BLOCK").arg(block.as_millis().max(1).to_string());
        }
        read.arg("STREAMS").arg(&self.key).arg(last);
        let answer = connection.send_packed_command(&read).await?;
        Page::read(&answer.extract_error()?)
    }

    pub(crate) fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events
            .emit(&Event::new("redis", severity, kind, detail));
    }
}
