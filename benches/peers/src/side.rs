//! One side of a case: a stack and what is sent to it.

use std::{
    convert::Infallible,
    ops::AddAssign,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use axum::body::Body;
use http::{Request, Response};
use rustix::time::{ClockId, clock_gettime};
use tower::Service;

use crate::common::{drive::drive, requests::Requests};

/// Requests are made outside of the timing, so many at once.
const BATCH: usize = 32;

/// A whole stack.
pub trait Answers:
    Service<Request<Body>, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    type Body: Send;
}

impl<S, B> Answers for S
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Send,
{
    type Body = B;
}

/// What is measured of a piece of work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    pub time: Duration,
    pub allocations: u64,
    pub bytes: u64,
}

/// Does the work and measures it.
pub type Gauge = fn(&mut dyn FnMut()) -> Measured;

/// Drives so many requests and says what a gauge found.
pub struct Side {
    drive: Box<dyn FnMut(usize, Gauge) -> Measured>,
    clock: Gauge,
}

impl Side {
    /// One stack for all requests. Each answer must have this status.
    pub fn new<S: Answers>(service: S, mut requests: Requests, status: u16) -> Self {
        assert_eq!(drive(&service, requests.one()), status);
        Self::of(thread_time, move |count, gauge| {
            run(&service, &mut requests, count, status, gauge)
        })
    }

    /// The same, after each token was sent once.
    pub fn warmed<S: Answers>(service: S, requests: Requests, status: u16) -> Self {
        let tokens = requests.tokens();
        let mut side = Self::new(service, requests, status);
        side.time(tokens);
        side
    }

    /// A new stack whenever all tokens were sent once, so that none is ever sent to one twice.
    pub fn renewed<S: Answers>(
        make: impl Fn() -> S + 'static,
        mut requests: Requests,
        status: u16,
    ) -> Self {
        let tokens = requests.tokens();
        let (mut service, mut left) = (make(), tokens);
        Self::of(thread_time, move |mut count, gauge| {
            let mut sum = Measured::default();
            while count > 0 {
                if left == 0 {
                    (service, left) = (make(), tokens);
                }
                let some = count.min(left);
                sum += run(&service, &mut requests, some, status, gauge);
                left -= some;
                count -= some;
            }
            sum
        })
    }

    /// Two threads at once, each with so many requests; what is measured is their mean. By the
    /// clock on the wall, so that waiting for each other counts.
    pub fn two_threads<S: Answers>(service: S, requests: Requests, status: u16) -> Self {
        Self::of(wall_time, move |count, gauge| {
            let start = Barrier::new(2);
            let one = || {
                let mut requests = requests.clone();
                start.wait();
                run(&service, &mut requests, count, status, gauge)
            };
            let (a, b) = thread::scope(|scope| {
                let other = scope.spawn(one);
                (one(), other.join().unwrap())
            });
            Measured {
                time: (a.time + b.time) / 2,
                allocations: u64::midpoint(a.allocations, b.allocations),
                bytes: u64::midpoint(a.bytes, b.bytes),
            }
        })
    }

    fn of(clock: Gauge, drive: impl FnMut(usize, Gauge) -> Measured + 'static) -> Self {
        Self {
            drive: Box::new(drive),
            clock,
        }
    }

    /// How long so many requests take.
    pub fn time(&mut self, count: usize) -> Duration {
        self.run(count, self.clock).time
    }

    pub fn run(&mut self, count: usize, gauge: Gauge) -> Measured {
        (self.drive)(count, gauge)
    }
}

fn run<S: Answers>(
    service: &S,
    requests: &mut Requests,
    mut count: usize,
    status: u16,
    gauge: Gauge,
) -> Measured {
    let mut sum = Measured::default();
    while count > 0 {
        let batch = requests.batch(count.min(BATCH));
        count -= batch.len();
        let mut batch = batch.into_iter();
        sum += gauge(&mut || {
            for request in &mut batch {
                assert_eq!(drive(service, request), status);
            }
        });
    }
    sum
}

/// The time that this thread had the processor. Nothing here waits, so on an idle machine it is
/// the time on the wall; on a busy one it leaves the others' turns out.
fn thread_time(work: &mut dyn FnMut()) -> Measured {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap()
    };
    let begun = now();
    work();
    Measured {
        time: now() - begun,
        ..Measured::default()
    }
}

fn wall_time(work: &mut dyn FnMut()) -> Measured {
    let begun = Instant::now();
    work();
    Measured {
        time: begun.elapsed(),
        ..Measured::default()
    }
}

impl AddAssign for Measured {
    fn add_assign(&mut self, more: Self) {
        self.time += more.time;
        self.allocations += more.allocations;
        self.bytes += more.bytes;
    }
}
