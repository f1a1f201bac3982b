use bartizan_redis::{Script, Value};
use itoa::Buffer;

use crate::asked::Ask;

/// Decides about several buckets at once.
pub(super) const DECIDE: Script = Script::new(
    include_str!("decide.lua"),
    "0c819bb7181b15cb88a784977283fb3b692b66ac",
);

/// Of each bucket.
const ARGUMENTS: usize = 7;

/// What Redis said of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) is_admitted: bool,
    /// Buckets that held what is none.
    pub(super) unreadable: u64,
    /// Of each bucket, in order.
    pub(super) buckets: Vec<Bucket>,
}

/// What Redis said of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Nanoseconds that it lacked before.
    pub(super) owed: u64,
    /// Requests that were charged in advance.
    pub(super) granted: u32,
}

/// What the script is told of buckets, in microseconds.
pub(super) fn arguments(asks: &[Ask]) -> Vec<Vec<u8>> {
    let mut arguments = Vec::with_capacity(ARGUMENTS * asks.len());
    for ask in asks {
        let (interval, full) = (ask.quota.interval(), ask.quota.full());
        let needed = u64::from(ask.cost.clamp(1, ask.quota.burst_size()));
        // A credential's rate brings no debts.
        let most = match ask.most_owed {
            u64::MAX => full,
            most => most,
        };
        let numbers = [
            micros(full.saturating_sub(interval.saturating_mul(needed))),
            micros(interval.saturating_mul(u64::from(ask.cost))),
            micros(most),
            u64::from(!ask.is_shadow),
            micros(full),
            micros(interval),
            0,
        ];
        let text = |number| Buffer::new().format::<u64>(number).as_bytes().to_vec();
        arguments.extend(numbers.map(text));
    }
    arguments
}

/// What Redis answered about so many buckets; `None` if that is no answer.
pub(super) fn read(answer: &Value, buckets: usize) -> Option<Decided> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let numbers = parts.iter().map(|part| match part {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    });
    let numbers = numbers.collect::<Option<Vec<u64>>>()?;
    let (head, rest) = numbers.split_at_checked(3)?;
    let &[verdict, unreadable, _] = head else {
        return None;
    };
    if verdict > 1 || rest.len() != 2 * buckets {
        return None;
    }
    let bucket = |pair: &[u64]| match pair {
        [owed, granted] => Some(Bucket {
            owed: owed.checked_mul(1000)?,
            granted: u32::try_from(*granted).ok()?,
        }),
        _ => None,
    };
    Some(Decided {
        is_admitted: verdict == 1,
        unreadable,
        buckets: rest.chunks(2).map(bucket).collect::<Option<_>>()?,
    })
}

/// Shared quotas are of whole microseconds.
fn micros(nanos: u64) -> u64 {
    nanos / 1000
}
