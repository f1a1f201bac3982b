//! How often, at the real server.

use std::{convert::Infallible, time::Duration};

use bartizan::{
    FakeClock, Principal, RateLimitLayer, identify,
    ratelimit::{Quota, RateLimits},
};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

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
#[tokio::test]
async fn seed_r1_the_limits_of_the_samples_run_and_count() {
    let quota = |rate, burst| {
        let quota = Quota::per_minute(rate).and_then(|quota| quota.burst(burst));
        quota.unwrap()
    };
    let limits = RateLimits::builder()
        .clock(FakeClock::at(Duration::from_secs(1_800_000_000)))
        .global(quota(60, 10))
        .account(quota(30, 5))
        .api_key(quota(120, 7))
        .build()
        .unwrap();
    let service = RateLimitLayer::new(limits.clone()).layer(service_fn(|_| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let user = |name: &str| Principal::user("https://auth.example.com", name).build("jwt");
    let robot = Principal::service("keys", "robot").credential_id("key-1");
    let robot = robot.build("apikey");
    // Of a user six, of which the last is refused; of a key as many as all together still have, and one.
    let mut statuses = Vec::new();
    for caller in [vec![user("ann"); 6], vec![robot; 4], vec![user("bob"); 3]].concat() {
        let (parts, _) = whoami().build().into_parts();
        let mut request = Request::from_parts(parts, Full::new(whoami().bytes()));
        identify(&mut request, caller).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    let expected = [[200; 5].as_slice(), &[429], &[200; 4], &[200, 429, 429]].concat();
    assert_eq!(statuses, expected);
    let mut statistics = limits.statistics();
    statistics.retain(|tier| !["discovery", "ping"].contains(&&*tier.tier));
    let counts = statistics.iter().map(|tier| {
        let counts = (tier.total_requests, tier.rejected_requests);
        (&*tier.tier, tier.burst_size, counts, tier.current_tokens)
    });
    let counted = [
        ("account", 5, (11, 1), None),
        ("api_key", 7, (4, 0), None),
        ("global", 10, (12, 2), Some(0)),
    ];
    assert!(counts.eq(counted), "{statistics:?}");
    let global = &statistics[2];
    assert!((global.requests_per_minute - 60.0).abs() < 1e-9);
    assert!((global.success_rate - 1000.0 / 12.0).abs() < 1e-9);
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
