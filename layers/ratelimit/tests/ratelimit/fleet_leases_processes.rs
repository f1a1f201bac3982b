//! Four processes with one Redis that pay in advance: what they admit together, whatever becomes of them or of Redis.

use std::time::{Duration, Instant};

use bartizan_kit::RedisServer;
use tokio::time::sleep;

use super::{
    fleet_driver::Processes,
    fleet_processes::{HOUR, buckets, now, outages, together},
};

/// Until nothing more is admitted for a while; what each admitted.
async fn used_up(processes: &mut Processes) -> Vec<u64> {
    let (mut before, mut quiet) = (Vec::new(), 0);
    for _ in 0..100 {
        sleep(Duration::from_millis(200)).await;
        let admitted = processes.count().await.admitted;
        quiet = if admitted == before { quiet + 1 } else { 0 };
        if quiet == 5 {
            return admitted;
        }
        before = admitted;
    }
    panic!("it is never used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_four_processes_are_of_one_bucket_and_what_is_left_of_them_returns() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let mut processes = Processes::start("leased", &redis).await;
    let begun = now(&redis);
    processes.tell("go").await;
    used_up(&mut processes).await;
    let told = together(&processes.end().await);
    let charged = (buckets(&redis).into_iter().max().unwrap() - begun) / HOUR;
    assert!(
        told.admitted <= charged && charged <= 2000,
        "{charged} charges: {told:?}"
    );
    if told.faults == 0 {
        assert_eq!(
            told.admitted, charged,
            "all that was left returned: {told:?}"
        );
        assert_eq!(told.admitted, 2000, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_a_process_that_is_killed_are_lost_for_a_time_and_admit_nobody() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let mut processes = Processes::start("leased", &redis).await;
    let begun = now(&redis);
    processes.tell("go").await;
    sleep(Duration::from_millis(200)).await;
    let of_killed = processes.count().await.admitted[0];
    processes.kill_one().await;
    let of_others: u64 = used_up(&mut processes).await.iter().sum();
    let told = together(&processes.end().await);
    assert_eq!(told.admitted, of_others);
    let charged = (buckets(&redis).into_iter().max().unwrap() - begun) / HOUR;
    let all = of_killed + told.admitted;
    assert!(
        all <= charged && charged <= 2000,
        "{of_killed}, {charged} charges: {told:?}"
    );
    // An eighth of the burst is the most that one may have of it at a time, and as much again while it asks for more.
    assert!(all + 500 + told.faults >= 2000, "{of_killed}: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_four_processes_never_exceed_a_rate() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let mut processes = Processes::start("leased-rate", &redis).await;
    let begun = Instant::now();
    processes.tell("go").await;
    sleep(Duration::from_secs(4)).await;
    let told = together(&processes.end().await);
    let most = 800 + u64::try_from(begun.elapsed().as_millis()).unwrap() * 2 / 5 + 1;
    assert!(told.admitted <= most, "at most {most}: {told:?}");
    assert!(
        told.admitted * 2 >= most,
        "half of it melted away: {told:?}"
    );
    assert!(told.limited > 100 && told.strange == 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_admit_no_more_when_redis_hangs_is_killed_and_comes_back() {
    let Some((told, lasted)) = outages("leased-closed").await else {
        return;
    };
    assert!(told.unavailable > 0, "{told:?}");
    let most = 800 + lasted / 5 + 1;
    assert!(
        told.admitted <= most,
        "{told:?} in {lasted} ms, at most {most}"
    );
}
