use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bartizan_core::{Event, Events, Severity};
use bartizan_redis::{Cmd, Redis, RedisFault, Value};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{OwnerKey, Reply, TaskKey, TaskOwners, Unclaimed};
use crate::SessionConfigError;

/// Owners of tasks in a Redis that several nodes share (feature `redis`). Clones are cheap.
///
/// Each wait is bounded by the connection's own limits. While Redis is away, requests about tasks and
/// calls that begin one are answered 503, and nothing else is.
///
/// ```
/// use bartizan_redis::Redis;
/// use bartizan_session::{RedisOwners, TaskOwnerLayer};
/// let redis = Redis::builder("redis://127.0.0.1:6379/").build()?;
/// let layer = TaskOwnerLayer::new(RedisOwners::new(redis));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedisOwners(Arc<Shared>);

#[derive(Clone)]
struct Shared {
    redis: Redis,
    prefix: String,
    share: usize,
    events: Events,
    /// So that an outage is told once, and its end.
    away: Arc<AtomicBool>,
}

/// Keeps a task in one step. The time is that of Redis, the same for all nodes. Of each owner's
/// tasks the times are kept, so that they can be counted.
const CLAIM: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = tonumber(ARGV[2])
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return {0, 0} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if not held and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  return {1, tonumber(first[2]) - now}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', life)
redis.call('ZADD', KEYS[2], now + life, KEYS[1])
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[2], tonumber(last[2]) - now)
return {2, 0}
";

impl RedisOwners {
    /// Longest prefix, in bytes.
    pub const MAX_PREFIX_BYTES: usize = 64;

    /// Owners under keys that begin with `bartizan:tasks:`, at most 1000 tasks of each.
    pub fn new(redis: Redis) -> Self {
        Self(Arc::new(Shared {
            redis,
            prefix: "bartizan:tasks:".to_owned(),
            share: super::MemoryOwners::DEFAULT_SHARE,
            events: Events::default(),
            away: Arc::default(),
        }))
    }

    /// Keys begin so. Servers whose tasks are not the same need one each.
    ///
    /// # Errors
    ///
    /// If it is empty, longer than [`MAX_PREFIX_BYTES`](Self::MAX_PREFIX_BYTES), or not visible ASCII.
    pub fn prefix(self, prefix: &str) -> Result<Self, SessionConfigError> {
        let is_legal = prefix.bytes().all(|b| b.is_ascii_graphic());
        if !is_legal || !(1..=Self::MAX_PREFIX_BYTES).contains(&prefix.len()) {
            let problem = "is not 1 to 64 characters of visible ASCII";
            return Err(SessionConfigError::new("prefix", prefix, problem));
        }
        Ok(self.with(|shared| prefix.clone_into(&mut shared.prefix)))
    }

    /// How many tasks one owner may have, so that nobody fills Redis for the others.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn share(self, tasks: usize) -> Result<Self, SessionConfigError> {
        if tasks == 0 {
            return Err(SessionConfigError::new("share", "0", "is not at least 1"));
        }
        Ok(self.with(|shared| shared.share = tasks))
    }

    /// Where it is told that Redis is away (`task_owners_away`), and that it is back
    /// (`task_owners_back`).
    #[must_use]
    pub fn events(self, events: Events) -> Self {
        self.with(|shared| shared.events = events)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Runs a command, and reads its answer.
    fn ask<T: Send + 'static>(
        &self,
        command: Cmd,
        read: impl FnOnce(Value) -> Option<Result<T, Unclaimed>> + Send + 'static,
    ) -> Reply<Result<T, Unclaimed>> {
        let shared = Arc::clone(&self.0);
        Reply::Later(Box::pin(async move {
            match shared.redis.run(&command).await {
                Ok(answer) => {
                    let read = read(answer);
                    shared.told(read.is_none().then(|| "an answer that is none".to_owned()));
                    read.unwrap_or(Err(Unclaimed::Down))
                }
                Err(fault) => {
                    shared.told(Some(RedisFault::to_string(&fault)));
                    Err(Unclaimed::Down)
                }
            }
        }))
    }
}

impl Shared {
    fn task(&self, task: &TaskKey) -> String {
        format!("{}t:{}", self.prefix, encoded(task.as_bytes()))
    }

    fn told(&self, fault: Option<String>) {
        let is_away = fault.is_some();
        if self.away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        let (severity, kind) = match is_away {
            true => (Severity::Error, "task_owners_away"),
            false => (Severity::Info, "task_owners_back"),
        };
        let detail = fault.unwrap_or_else(|| "Redis answers".to_owned());
        self.events
            .emit(&Event::new("session", severity, kind, detail));
    }
}

fn encoded(key: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

impl TaskOwners for RedisOwners {
    fn claim(
        &self,
        task: TaskKey,
        owner: OwnerKey,
        life: Duration,
    ) -> Reply<Result<(), Unclaimed>> {
        let owner = encoded(owner.as_bytes());
        let of_owner = format!("{}o:{owner}", self.0.prefix);
        let mut command = Cmd::new();
        command.arg("EVAL").arg(CLAIM).arg(2);
        command.arg(self.0.task(&task)).arg(of_owner);
        // Redis takes no life of nothing.
        let millis = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1);
        command.arg(owner).arg(millis).arg(self.0.share);
        self.ask(command, |answer| match claimed(&answer)? {
            (0, _) => Some(Err(Unclaimed::Taken)),
            (1, wait) => Some(Err(Unclaimed::Share(Duration::from_millis(wait)))),
            (2, _) => Some(Ok(())),
            _ => None,
        })
    }

    fn owned(&self, tasks: Vec<TaskKey>, owner: OwnerKey) -> Reply<Result<Vec<bool>, Unclaimed>> {
        if tasks.is_empty() {
            return Reply::Now(Ok(Vec::new()));
        }
        let owner = encoded(owner.as_bytes()).into_bytes();
        let mut command = Cmd::new();
        command.arg("MGET");
        for task in &tasks {
            command.arg(self.0.task(task));
        }
        self.ask(command, move |answer| {
            let Value::Array(held) = answer else {
                return None;
            };
            let is_own = |held: &Value| matches!(held, Value::BulkString(by) if *by == owner);
            (held.len() == tasks.len()).then(|| Ok(held.iter().map(is_own).collect()))
        })
    }
}

fn claimed(answer: &Value) -> Option<(i64, u64)> {
    match answer {
        Value::Array(parts) => match &**parts {
            [Value::Int(outcome), Value::Int(wait)] => {
                Some((*outcome, u64::try_from(*wait).unwrap_or(0)))
            }
            _ => None,
        },
        _ => None,
    }
}

impl fmt::Debug for RedisOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOwners")
            .field("redis", &self.0.redis)
            .field("prefix", &self.0.prefix)
            .field("share", &self.0.share)
            .finish_non_exhaustive()
    }
}
