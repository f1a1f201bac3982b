//! A fetch that lands at any moment of a judgement.

use std::thread::{self, ThreadId};

use bartizan_core::Clock;

use super::{
    fetching::{JWKS, Next, Scripted, remote},
    *,
};

/// A clock that lets something happen when one thread reads it for the n-th time.
#[derive(Clone)]
struct Interrupted {
    clock: FakeClock,
    plan: Arc<Mutex<Option<Plan>>>,
}

struct Plan {
    thread: ThreadId,
    reads: usize,
    act: Box<dyn FnOnce() + Send>,
}

impl Interrupted {
    fn at_read(&self, reads: usize, act: impl FnOnce() + Send + 'static) {
        let act = Box::new(act);
        let thread = thread::current().id();
        *self.plan.lock().unwrap() = Some(Plan { thread, reads, act });
    }

    fn is_due(&self) -> bool {
        self.plan.lock().unwrap().is_some()
    }

    fn count(&self) {
        let mut plan = self.plan.lock().unwrap();
        match plan.as_mut() {
            Some(due) if due.thread != thread::current().id() => {}
            Some(due) if due.reads > 1 => due.reads -= 1,
            _ => {
                let due = plan.take();
                drop(plan);
                if let Some(due) = due {
                    (due.act)();
                }
            }
        }
    }
}

impl std::fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupted(..)")
    }
}

impl Clock for Interrupted {
    fn wall(&self) -> Duration {
        self.clock.wall()
    }

    fn monotonic(&self) -> Duration {
        self.count();
        self.clock.monotonic()
    }
}

/// Verifies on a thread and a runtime of its own.
fn elsewhere(verifier: &JwtVerifier, token: &str) -> String {
    let (verifier, token) = (verifier.clone(), token.to_owned());
    let verify = move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async { reason(verifier.verify(&token).await) })
    };
    thread::spawn(verify).join().unwrap()
}

/// Judges a good token of the rotated keys while another request's fetch lands at each reading of the
/// clock in turn, with the old keys in hand, or with none.
fn judge_while_keys_land(is_cold: bool) {
    for reads in 1..100 {
        let clock = clock();
        let mint = mint(&clock).impostor();
        let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
        let interrupted = Interrupted {
            clock: clock.clone(),
            plan: Arc::default(),
        };
        let verifier = remote(&clock, &fetcher).jwks_url(JWKS);
        let verifier = verifier.clock(interrupted.clone()).build().unwrap();
        // Fetches run on its other thread.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        if !is_cold {
            runtime.block_on(verifier.warm_up()).unwrap();
            mint.rotate();
            fetcher.then(Next::Answer(mint.jwks().to_string()));
            clock.advance(Duration::from_secs(31));
        }
        let token = mint.token().encode();
        let (other, same) = (verifier.clone(), token.clone());
        interrupted.at_read(reads, move || {
            assert_eq!(elsewhere(&other, &same), "accepted");
        });
        let verdict = reason(runtime.block_on(verifier.verify(&token)));
        assert_eq!(verdict, "accepted", "cold: {is_cold}, at read {reads}");
        if interrupted.is_due() {
            assert!(reads > 2, "the clock was read");
            return;
        }
    }
    panic!("the clock is read for ever");
}

#[test]
fn keys_that_land_while_a_token_of_the_new_key_is_judged_are_used() {
    judge_while_keys_land(false);
}

#[test]
fn the_first_keys_that_land_while_a_token_is_judged_are_used() {
    judge_while_keys_land(true);
}
