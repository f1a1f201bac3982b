use bartizan_redis::{Script, Value};
use itoa::Buffer;

use super::leases::Unspent;
use crate::asked::Ask;

/// Decides about several buckets at once.
pub(super) const DECIDE: Script = Script::new(
    include_str!("decide.lua"),
    "0c819bb7181b15cb88a784977283fb3b692b66ac",
);

/// Returns what leases did not spend.
pub(super) const RETURN: Script = Script::new(
    include_str!("return.lua"),
    "0b3238a9f0900715bba18be25be2e6d586dd761e",
);

/// Of each bucket.
const ARGUMENTS: usize = 7;

/// What Redis said of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) is_admitted: bool,
    /// The server's clock, in microseconds.
    pub(super) now: u64,
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

/// What the script is told of buckets, and how many are wanted of each in advance.
pub(super) fn arguments<'a>(asks: impl IntoIterator<Item = (&'a Ask, u32)>) -> Vec<Vec<u8>> {
    let mut arguments = Vec::with_capacity(4 * ARGUMENTS);
    for (ask, wanted) in asks {
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
            u64::from(wanted),
        ];
        arguments.extend(numbers.map(text));
    }
    arguments
}

/// What the other one is told of leases that end.
pub(super) fn returned(unspent: &[Unspent]) -> Vec<Vec<u8>> {
    let numbers = unspent.iter().flat_map(|unspent| {
        [
            u64::from(unspent.requests),
            unspent.server_full_at,
            micros(unspent.interval),
        ]
    });
    numbers.map(text).collect()
}

fn text(number: u64) -> Vec<u8> {
    Buffer::new().format(number).as_bytes().to_vec()
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
    let &[verdict, unreadable, now] = head else {
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
        now,
        unreadable,
        buckets: rest.chunks(2).map(bucket).collect::<Option<_>>()?,
    })
}

/// Shared quotas are of whole microseconds.
fn micros(nanos: u64) -> u64 {
    nanos / 1000
}
