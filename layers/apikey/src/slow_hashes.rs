use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use argon2::{Algorithm, Argon2, Params, Version};
use bartizan_lookup::Interest;
use subtle::ConstantTimeEq;
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};
use zeroize::Zeroizing;

use crate::{Argon2idCost, Argon2idHash, BcryptHash, SecretHash};

/// Runs slow hashes on the runtime's threads for blocking work: so many at a time, each when its turn comes.
pub(crate) struct SlowHashes {
    turns: Arc<Semaphore>,
    /// Of those that run and those that wait.
    seats: Arc<Semaphore>,
    /// How many have begun.
    begun: Arc<AtomicU64>,
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// As many wait as may.
    Full,
    /// Its turn did not come in time.
    Late,
    /// It has begun, and did not end in time, or at all.
    Unfinished,
    /// Nobody waits for it.
    Unwanted,
}

impl NotRun {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Full => "too many slow hashes wait",
            Self::Late => "the turn of the slow hash did not come in time",
            Self::Unfinished => "the slow hash did not end in time",
            Self::Unwanted => "nobody waits for the slow hash",
        }
    }
}

impl SlowHashes {
    pub(crate) fn new(at_a_time: usize, waiting: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(at_a_time)),
            seats: Arc::new(Semaphore::new(at_a_time.saturating_add(waiting))),
            begun: Arc::default(),
        }
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// What `work` returns, if its turn comes and it ends in time. Work that has begun keeps its turn until it ends,
    /// so there is never more of it than may be.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        until: Instant,
        interest: Option<&Interest>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotRun> {
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        let seat = seat.map_err(|_| NotRun::Full)?;
        let turn = timeout_at(until, Arc::clone(&self.turns).acquire_owned());
        let turn = unless_gone(turn, interest).await.ok_or(NotRun::Unwanted)?;
        let Ok(Ok(turn)) = turn else {
            return Err(NotRun::Late);
        };
        let interest = interest.cloned();
        let begun = Arc::clone(&self.begun);
        // Goes with this future.
        let asked = Arc::new(());
        let still_asked = Arc::downgrade(&asked);
        let running = spawn_blocking(move || {
            let _held = (seat, turn);
            // Threads for blocking work may have been busy with other things.
            if still_asked.strong_count() == 0 || interest.is_some_and(|who| who.is_gone()) {
                return None;
            }
            begun.fetch_add(1, Ordering::Relaxed);
            Some(work())
        });
        let result = timeout_at(until, running).await;
        drop(asked);
        match result {
            Ok(Ok(Some(result))) => Ok(result),
            Ok(Ok(None)) => Err(NotRun::Unwanted),
            Ok(Err(_)) | Err(_) => Err(NotRun::Unfinished),
        }
    }
}

/// `None` if all who waited left before.
async fn unless_gone<F: Future>(future: F, interest: Option<&Interest>) -> Option<F::Output> {
    let Some(interest) = interest else {
        return Some(future.await);
    };
    let (mut future, mut gone) = (pin!(future), pin!(interest.gone()));
    poll_fn(|context| {
        if gone.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Whether the hash is that of the secret, told in time that does not tell where they differ; `None` if it can't be
/// run, for want of memory or because bcrypt would cut the secret. It blocks for as long as the hash takes, which is
/// the caller's to have checked.
pub(crate) fn is_hash_of(hash: &SecretHash, secret: &[u8]) -> Option<bool> {
    match hash {
        SecretHash::Hmac { .. } | SecretHash::Honey { .. } => None,
        SecretHash::Argon2id(hash) => {
            let mut output = Zeroizing::new(vec![0; hash.output.len()]);
            run_argon2id(hash.cost, &hash.salt, secret, &mut output)?;
            Some(output.ct_eq(&hash.output).into())
        }
        SecretHash::Bcrypt(hash) => {
            let output = run_bcrypt(hash, secret)?;
            let output: &[u8; BcryptHash::OUTPUT] = output.first_chunk()?;
            Some(output.ct_eq(&hash.output).into())
        }
    }
}

/// A new hash of a secret; `None` if the system has no random bytes, or no memory.
pub(crate) fn hash_argon2id(cost: Argon2idCost, secret: &[u8]) -> Option<SecretHash> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).ok()?;
    let mut output = [0; 32];
    run_argon2id(cost, &salt, secret, &mut output)?;
    Some(SecretHash::Argon2id(Argon2idHash {
        cost,
        salt: salt.into(),
        output: output.into(),
    }))
}

fn run_argon2id(cost: Argon2idCost, salt: &[u8], secret: &[u8], output: &mut [u8]) -> Option<()> {
    let Argon2idCost {
        memory_kib,
        passes,
        lanes,
    } = cost;
    let params = Params::new(memory_kib, passes, lanes, Some(output.len())).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(secret, salt, output).ok()
}

/// `None` for a secret that bcrypt would cut or end early.
fn run_bcrypt(hash: &BcryptHash, secret: &[u8]) -> Option<[u8; 24]> {
    if secret.len() > BcryptHash::LONGEST_SECRET || secret.contains(&0) {
        return None;
    }
    // The end of a C string is hashed too, if there is room for it.
    let mut ended = Zeroizing::new([0; BcryptHash::LONGEST_SECRET]);
    ended.get_mut(..secret.len())?.copy_from_slice(secret);
    let length = BcryptHash::LONGEST_SECRET.min(secret.len() + 1);
    Some(bcrypt::bcrypt(
        hash.cost.into(),
        hash.salt,
        ended.get(..length)?,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hash(text: &str) -> SecretHash {
        text.parse().unwrap()
    }

    /// From the reference implementation's `test.c` and from the tests of other systems.
    const KNOWN: [(&str, &str); 5] = [
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ),
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        ),
        (
            "password",
            "$2b$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96",
        ),
        (
            "correctbatteryhorsestapler",
            "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
        ),
        // 72 bytes: with one more it is the same to bcrypt, and not to us.
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "$2b$05$......................YgIDy4hFBdVlc/6LHnD9mX488r9cLd2",
        ),
    ];

    #[test]
    fn hashes_of_other_systems_verify_their_own_secrets_and_no_longer_ones() {
        for (secret, text) in KNOWN {
            let hash = hash(text);
            assert_eq!(is_hash_of(&hash, secret.as_bytes()), Some(true), "{text}");
            for wrong in [
                "",
                "Password",
                &format!("{secret}x"),
                &format!("{secret}\0"),
            ] {
                let verified = is_hash_of(&hash, wrong.as_bytes());
                assert_ne!(verified, Some(true), "{text}: {wrong}");
            }
        }
    }

    #[test]
    fn what_is_hashed_here_verifies() {
        let cost = Argon2idCost {
            memory_kib: 16,
            passes: 1,
            lanes: 2,
        };
        let hash = hash_argon2id(cost, b"a").unwrap();
        assert_eq!(is_hash_of(&hash, b"a"), Some(true));
        assert_eq!(is_hash_of(&hash, b"b"), Some(false));
        assert_ne!(hash_argon2id(cost, b"a").unwrap(), hash);
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn no_more_run_and_wait_than_may_and_the_turn_is_kept_until_the_end() {
        let slow = Arc::new(SlowHashes::new(1, 1));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = {
            let slow = Arc::clone(&slow);
            // Given up before it ends.
            tokio::spawn(async move {
                let until = Instant::now() + Duration::from_millis(20);
                slow.run(until, None, move || held.recv()).await.map(drop)
            })
        };
        while slow.begun() == 0 {
            tokio::task::yield_now().await;
        }
        let second = {
            let slow = Arc::clone(&slow);
            tokio::spawn(async move { slow.run(soon(), None, || 2).await })
        };
        assert_eq!(first.await.unwrap(), Err(NotRun::Unfinished));
        while slow.seats.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let third = slow.run(soon(), None, || 3).await;
        assert_eq!(third, Err(NotRun::Full));
        assert_eq!(slow.begun(), 1, "the first one has not ended");
        release.send(()).unwrap();
        assert_eq!(second.await.unwrap(), Ok(2));
        assert_eq!(slow.begun(), 2);
    }

    #[tokio::test]
    async fn one_whose_turn_does_not_come_in_time_never_begins() {
        let slow = SlowHashes::new(1, 1);
        let turn = Arc::clone(&slow.turns).acquire_owned().await.unwrap();
        let until = Instant::now() + Duration::from_millis(5);
        assert_eq!(slow.run(until, None, || ()).await, Err(NotRun::Late));
        drop(turn);
        assert_eq!(slow.run(soon(), None, || ()).await, Ok(()));
        assert_eq!(slow.begun(), 1);
    }
}
