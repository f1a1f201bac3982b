//! How often, at the real server.

use std::time::Duration;

use bartizan::ratelimit::{Quota, RateLimits};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use serde_json::{Value, json};

use crate::{
    answers::send,
    server::{Mode, Server},
    workspace::{read, root},
};

fn whoami() -> McpRequest {
    call_tool(Revision::V2026_07_28, "whoami", json!({}))
}

#[tokio::test]
async fn rl_2_after_the_burst_comes_429_and_after_retry_after_200() {
    let server = Server::with_burst(Mode::Json, 3).await;
    let (ann, bob) = (server.token("ann").encode(), server.token("bob").encode());
    for _ in 0..3 {
        assert_eq!(send(&server, whoami().bearer(&ann)).await.status(), 200);
    }
    let refused = send(&server, whoami().bearer(&ann)).await;
    assert_eq!(refused.status(), 429);
    let wait = refused.headers()["retry-after"].to_str().unwrap();
    let wait: u64 = wait.parse().unwrap();
    assert!(wait >= 1);
    assert!(refused.headers().contains_key("ratelimit"));
    assert_eq!(refused.headers()["cache-control"], "no-store");
    let sent: Value = {
        let body = whoami().bearer(&ann).build().into_body();
        let body = http_body_util::BodyExt::collect(body).await.unwrap();
        serde_json::from_slice(&body.to_bytes()).unwrap()
    };
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["id"], sent["id"]);

    let discover = post(Revision::V2026_07_28, "server/discover", json!({}));
    let discover = send(&server, discover.bearer(&ann)).await;
    assert_eq!(discover.status(), 200, "RL-10");
    assert_eq!(send(&server, whoami().bearer(&bob)).await.status(), 200);

    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(send(&server, whoami().bearer(&ann)).await.status(), 200);
}

/// RL-5: what somebody claims to be is charged to nobody.
#[tokio::test]
async fn rl_5_bad_tokens_that_claim_a_victims_name_leave_its_bucket_alone() {
    let server = Server::with_burst(Mode::Json, 2).await;
    let forged = server.token("ann").encode_spoiled();
    for _ in 0..20 {
        assert_eq!(send(&server, whoami().bearer(&forged)).await.status(), 401);
    }
    let answer = send(&server, whoami().bearer(server.token("ann").encode())).await;
    assert_eq!(answer.status(), 200);
    assert!(
        answer.headers()["ratelimit"]
            .to_str()
            .unwrap()
            .contains(";r=1;")
    );
}

#[tokio::test]
async fn oh_7_a_page_may_read_what_a_limit_says() {
    let server = Server::with_burst(Mode::Json, 1).await;
    let token = server.token("ann").encode();
    let ask = || {
        whoami()
            .bearer(&token)
            .origin(crate::server::ALLOWED_ORIGIN)
    };
    for status in [200, 429] {
        let answer = send(&server, ask()).await;
        assert_eq!(answer.status(), status);
        let exposed = answer.headers()["access-control-expose-headers"].to_str();
        let exposed = exposed.unwrap().to_lowercase();
        for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
            assert!(
                exposed.split(',').any(|e| e.trim() == name),
                "{name} in {exposed}"
            );
        }
    }
}

/// The flaw: samples that do not run. Their limits, as they were meant: a rate and a burst for all,
/// for each user and for each API key, and statistics.
#[test]
fn seed_r1_the_limits_of_the_samples_run_and_count() {
    let quota = |rate, burst| {
        let quota = Quota::per_minute(rate).and_then(|quota| quota.burst(burst));
        quota.unwrap()
    };
    let limits = RateLimits::builder()
        .global(quota(60, 10))
        .account(quota(30, 5))
        .api_key(quota(120, 20))
        .build()
        .unwrap();
    let mut statistics = limits.statistics();
    statistics.retain(|tier| tier.tier != "discovery");
    let bursts = statistics.iter().map(|tier| (tier.tier, tier.burst_size));
    assert!(bursts.eq([("account", 5), ("api_key", 20), ("global", 10)]));
    let global = &statistics[2];
    assert_eq!(global.current_tokens, Some(10));
    assert!((global.requests_per_minute - 60.0).abs() < 1e-9);
    assert!((global.success_rate - 100.0).abs() < 1e-9);
}

#[tokio::test]
async fn seed_r7_limits_count_in_one_process_and_the_papers_say_so() {
    let (one, other) = (
        Server::with_burst(Mode::Json, 1).await,
        Server::with_burst(Mode::Json, 1).await,
    );
    for server in [one, other] {
        let token = server.token("ann").encode();
        for status in [200, 429] {
            let answer = send(&server, whoami().bearer(&token)).await;
            assert_eq!(answer.status(), status);
        }
    }
    let readme = read(&root().join("layers/ratelimit/README.md"));
    assert!(readme.contains("Counted in one process"));
}
