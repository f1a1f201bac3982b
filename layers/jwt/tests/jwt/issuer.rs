use bartizan_kit::{Algorithm as Alg, Jwks};

use super::*;

const UNKNOWN: &str = "no key has the token's key id";
const DOWN: &str = "no verification keys";

struct Scene {
    issuer: Issuer,
    clock: FakeClock,
    mint: TokenMint,
}

impl Scene {
    async fn new() -> Self {
        let (issuer, clock) = (Issuer::start().await, clock());
        let mint = issuer.mint().clone().with_clock(clock.clone());
        Self {
            issuer,
            clock,
            mint,
        }
    }

    fn verifier(&self) -> JwtVerifier {
        discovering(&self.issuer, &self.clock).build().unwrap()
    }

    /// Good for days of the fake clock.
    fn token(&self) -> String {
        self.mint.token().expires_in(1_000_000).encode()
    }

    fn jwks_requests(&self) -> usize {
        self.issuer.requests(Endpoint::Jwks)
    }
}

/// Lets a refresh in the background end.
async fn settle(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(done());
}

#[tokio::test]
async fn tv_13_keys_are_discovered_once_and_kept() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    for _ in 0..10 {
        assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
    }
    assert_eq!(scene.jwks_requests(), 1);
    let rsa = scene
        .mint
        .token()
        .signed_by(&scene.mint.key(Alg::Rs256))
        .encode();
    assert_eq!(reason(verifier.verify(&rsa).await), "accepted");
}

#[tokio::test]
async fn tv_13_an_issuer_with_a_path_and_only_openid_metadata_is_found() {
    let issuer = Issuer::start_at("/tenant-1").await;
    issuer.behave(Endpoint::OauthMetadata, Behaviour::good().status(404));
    let clock = clock();
    let verifier = discovering(&issuer, &clock).build().unwrap();
    let token = issuer.mint().clone().with_clock(clock).token().encode();
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
}

#[tokio::test]
async fn tv_13_metadata_of_another_issuer_is_not_used() {
    let scene = Scene::new().await;
    scene.issuer.set_metadata("issuer", "https://evil.example");
    let (events, seen) = collected();
    let verifier = discovering(&scene.issuer, &scene.clock)
        .events(events)
        .build()
        .unwrap();
    assert_eq!(reason(verifier.verify(&scene.token()).await), DOWN);
    assert_eq!(scene.jwks_requests(), 0);
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter().any(|e| e.starts_with("discovery_refused ")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn ss_3_a_jwks_uri_without_tls_on_another_host_is_not_fetched() {
    let scene = Scene::new().await;
    for uri in [
        "http://192.0.2.1/jwks",
        "file:///etc/passwd",
        "http://evil@127.0.0.1/jwks",
    ] {
        scene.issuer.set_metadata("jwks_uri", uri);
        let (events, seen) = collected();
        let verifier = discovering(&scene.issuer, &scene.clock)
            .events(events)
            .build()
            .unwrap();
        assert!(verifier.warm_up().await.is_err());
        assert!(
            seen.lock()
                .unwrap()
                .iter()
                .any(|e| e.starts_with("discovery_refused "))
        );
    }
}

#[tokio::test]
async fn tr_20_a_thousand_unknown_kids_cost_one_fetch_per_floor() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    verifier.warm_up().await.unwrap();
    scene.clock.advance(Duration::from_secs(31));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..1000 {
        let token = scene.mint.token().kid(&format!("random-{n}")).encode();
        let verifier = verifier.clone();
        tasks.spawn(async move { reason(verifier.verify(&token).await) });
    }
    while let Some(result) = tasks.join_next().await {
        assert_eq!(result.unwrap(), UNKNOWN);
    }
    assert_eq!(scene.jwks_requests(), 2);
}

#[tokio::test]
async fn seed_a9_a_rotated_key_is_fetched_for_the_first_token_that_names_it() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    let old = scene.token();
    verifier.warm_up().await.unwrap();
    scene.issuer.rotate_keys();
    scene.clock.advance(Duration::from_secs(31));
    assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
    assert_eq!(scene.jwks_requests(), 2);
    assert_eq!(reason(verifier.verify(&old).await), UNKNOWN, "retired");
}

#[tokio::test]
async fn tv_13_unknown_kids_do_not_put_off_the_next_look_at_the_metadata() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    verifier.warm_up().await.unwrap();
    let moved = Issuer::start().await;
    scene
        .issuer
        .set_metadata("jwks_uri", moved.url_of(Endpoint::Jwks));
    moved.publish(&scene.mint.jwks());
    for n in 0..4 {
        scene.clock.advance(Duration::from_secs(1800));
        let token = scene.mint.token().kid(&format!("random-{n}")).encode();
        assert_eq!(reason(verifier.verify(&token).await), UNKNOWN);
    }
    assert!(moved.requests(Endpoint::Jwks) > 0);
}

#[tokio::test]
async fn seed_a9_an_outage_after_the_ttl_does_not_refuse_good_tokens() {
    let mut scene = Scene::new().await;
    let (events, seen) = collected();
    let verifier = discovering(&scene.issuer, &scene.clock)
        .events(events)
        .build()
        .unwrap();
    verifier.warm_up().await.unwrap();
    scene.issuer.stop().await;
    for _ in 0..20 {
        scene.clock.advance(Duration::from_secs(3601));
        assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
    }
    let failed = || {
        seen.lock()
            .unwrap()
            .iter()
            .any(|e| e.starts_with("keys_refresh_failed "))
    };
    settle(failed).await;
    scene.clock.advance(Duration::from_secs(24 * 3600));
    let denial = verifier.verify(&scene.token()).await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable, "the bound");
    scene.issuer.restart().await;
    scene.clock.advance(Duration::from_secs(31));
    verifier.warm_up().await.unwrap();
    assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
}

#[tokio::test]
async fn ac_16_rotation_during_an_outage_is_503_without_challenge() {
    let mut scene = Scene::new().await;
    let verifier = scene.verifier();
    let old = scene.token();
    verifier.warm_up().await.unwrap();
    scene.issuer.rotate_keys();
    scene.issuer.stop().await;
    scene.clock.advance(Duration::from_secs(31));
    for _ in 0..3 {
        let denial = verifier.verify(&scene.token()).await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        assert!(denial.challenges().is_empty());
        assert_eq!(reason(verifier.verify(&old).await), "accepted");
    }
}

#[tokio::test]
async fn ac_16_a_cold_start_without_issuer_is_503_with_retry_after_and_no_amplifier() {
    let mut scene = Scene::new().await;
    let layer = JwtLayer::new(scene.verifier());
    let good = format!("Bearer {}", scene.token());
    scene
        .issuer
        .behave_everywhere(&Behaviour::good().status(500));
    for _ in 0..20 {
        let answer = send(&layer, request(&good)).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(challenge(&answer), "");
    }
    assert_eq!(scene.issuer.log().len(), 2, "one look at each metadata URL");
    scene.issuer.stop().await;
    scene.clock.advance(Duration::from_secs(6));
    assert_eq!(
        send(&layer, request(&good)).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    scene.issuer.behave_well();
    scene.issuer.restart().await;
    scene.clock.advance(Duration::from_secs(6));
    // Whose request starts the next attempt need not wait for it.
    let answer = send(&layer, request(&good)).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    settle(|| scene.jwks_requests() == 1).await;
    assert_eq!(send(&layer, request(&good)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_fetch_for_others() {
    let scene = Scene::new().await;
    scene.issuer.behave(
        Endpoint::Jwks,
        Behaviour::good().delay(Duration::from_millis(200)),
    );
    let verifier = scene.verifier();
    let token = scene.token();
    let first = tokio::time::timeout(Duration::from_millis(20), verifier.verify(&token)).await;
    assert!(first.is_err(), "it waits, and is dropped");
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
    assert_eq!(scene.jwks_requests(), 1);
}

#[tokio::test]
async fn readers_do_not_wait_while_a_refresh_hangs() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    verifier.warm_up().await.unwrap();
    scene
        .issuer
        .behave_everywhere(&Behaviour::good().delay(Duration::from_secs(60)));
    scene.clock.advance(Duration::from_secs(3601));
    let begun = Instant::now();
    for _ in 0..50 {
        assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn md_8_metadata_that_hangs_leaves_time_for_the_openid_document() {
    let scene = Scene::new().await;
    let hangs = Behaviour::good().delay(Duration::from_secs(60));
    scene.issuer.behave(Endpoint::OauthMetadata, hangs);
    let verifier = discovering(&scene.issuer, &scene.clock)
        .fetch_timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    verifier.warm_up().await.unwrap();
    assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
}

#[tokio::test]
async fn tv_13_while_only_the_metadata_is_down_rotated_keys_are_found_where_they_were() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    verifier.warm_up().await.unwrap();
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidMetadata] {
        scene.issuer.behave(endpoint, Behaviour::good().status(503));
    }
    scene.issuer.rotate_keys();
    scene.clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
    // Not for ever: what the metadata said a day and an hour ago is no longer relied on.
    scene.issuer.rotate_keys();
    scene.clock.advance(Duration::from_secs(26 * 3600));
    assert_eq!(
        reason(verifier.verify(&scene.token()).await),
        "no verification keys"
    );
}

#[tokio::test]
async fn tv_13_metadata_that_now_names_another_issuer_is_not_fallen_back_from() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    verifier.warm_up().await.unwrap();
    scene.issuer.set_metadata("issuer", "https://evil.example");
    scene.issuer.rotate_keys();
    scene.clock.advance(Duration::from_secs(2 * 3600));
    let new = reason(verifier.verify(&scene.token()).await);
    assert_ne!(new, "accepted");
}

#[tokio::test]
async fn a_key_retired_long_ago_does_not_serve_the_first_token_after_a_quiet_time() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    let old = scene.token();
    assert_eq!(reason(verifier.verify(&old).await), "accepted");
    scene.issuer.rotate_keys();
    scene.clock.advance(Duration::from_secs(8 * 3600));
    assert_eq!(reason(verifier.verify(&old).await), UNKNOWN);
}

#[tokio::test]
async fn sets_that_are_too_large_redirected_or_endless_are_refused_and_the_old_one_stays() {
    let scene = Scene::new().await;
    let (events, seen) = collected();
    let verifier = discovering(&scene.issuer, &scene.clock)
        .fetch_timeout(Duration::from_secs(1))
        .events(events)
        .build()
        .unwrap();
    let failures = || {
        let seen = seen.lock().unwrap();
        let failed = seen
            .iter()
            .filter(|e| e.starts_with("keys_refresh_failed "));
        failed.count()
    };
    verifier.warm_up().await.unwrap();
    let elsewhere = Issuer::start().await;
    for (count, behaviour) in [
        Behaviour::good().padded(10 << 20),
        Behaviour::good().padded(10 << 20).chunked(),
        Behaviour::good().redirect(&elsewhere.url_of(Endpoint::Jwks)),
        Behaviour::good().status(503),
        Behaviour::good().body("<html>"),
        Behaviour::good().body(r#"{"keys":[]}"#),
        Behaviour::good().drip(1, Duration::from_millis(100)),
    ]
    .into_iter()
    .enumerate()
    {
        scene.issuer.behave(Endpoint::Jwks, behaviour);
        scene.clock.advance(Duration::from_secs(31));
        let begun = Instant::now();
        let unknown = scene.mint.token().kid("new").encode();
        assert_eq!(reason(verifier.verify(&unknown).await), DOWN, "{count}");
        settle(|| failures() == count + 1).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{count}");
        assert_eq!(
            reason(verifier.verify(&scene.token()).await),
            "accepted",
            "{count}"
        );
        assert_eq!(scene.jwks_requests(), count + 2);
    }
    assert_eq!(elsewhere.log().len(), 0);
}

#[tokio::test]
async fn tr_20_broken_keys_among_good_ones_are_skipped_with_an_event() {
    let scene = Scene::new().await;
    scene
        .issuer
        .publish(&scene.mint.jwks().with_junk().with_oct("sym", b"secret"));
    let (events, seen) = collected();
    let url = scene.issuer.url_of(Endpoint::Jwks);
    let verifier = discovering(&scene.issuer, &scene.clock)
        .jwks_url(url)
        .events(events)
        .build()
        .unwrap();
    assert_eq!(reason(verifier.verify(&scene.token()).await), "accepted");
    let skipped = |e: &&String| e.starts_with("key_skipped ");
    assert_eq!(seen.lock().unwrap().iter().filter(skipped).count(), 6);
    let symmetric = scene.mint.token().hs256_with(b"secret").kid("sym").encode();
    assert_eq!(
        reason(verifier.verify(&symmetric).await),
        "the algorithm is not allowed"
    );
}

#[tokio::test]
async fn seed_a8_a_key_for_encryption_verifies_nothing() {
    let scene = Scene::new().await;
    let own = scene.mint.key(Alg::Es256);
    let jwks: Jwks = scene.mint.jwks().set_for(own.kid(), "use", "enc");
    scene.issuer.publish(&jwks);
    assert_eq!(
        reason(scene.verifier().verify(&scene.token()).await),
        UNKNOWN
    );
}

#[tokio::test]
async fn tv_10_nothing_in_a_token_makes_us_fetch() {
    let scene = Scene::new().await;
    let attacker = Issuer::start().await;
    let verifier = scene.verifier();
    verifier.warm_up().await.unwrap();
    let before = scene.issuer.log().len();
    let token = attacker
        .mint()
        .clone()
        .with_clock(scene.clock.clone())
        .token()
        .iss(scene.issuer.url())
        .header("jku", attacker.url_of(Endpoint::Jwks))
        .header("x5u", attacker.url_of(Endpoint::Jwks))
        .header("jwk", attacker.mint().key(Alg::Es256).jwk())
        .kid("theirs")
        .encode();
    assert_eq!(reason(verifier.verify(&token).await), UNKNOWN);
    assert_eq!(attacker.log().len(), 0);
    assert_eq!(scene.issuer.log().len(), before);
}

#[tokio::test]
async fn seed_a10_an_expired_token_is_401_and_an_issuer_down_is_503() {
    let mut scene = Scene::new().await;
    let warm = JwtLayer::new(scene.verifier());
    let expired = format!("Bearer {}", scene.mint.token().expires_in(-61).encode());
    assert_eq!(
        send(&warm, request(&expired)).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let cold = JwtLayer::new(scene.verifier());
    scene.issuer.stop().await;
    assert_eq!(
        send(&cold, request(&expired)).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[test]
fn outside_of_a_runtime_nothing_panics() {
    let verifier = JwtVerifier::builder()
        .issuer(I)
        .audience(U)
        .build()
        .unwrap();
    let layer = JwtLayer::new(verifier);
    let token = mint(&clock()).token().encode();
    let sent = tower::Layer::layer(
        &layer,
        service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }),
    )
    .oneshot(request(&format!("Bearer {token}")));
    let mut sent = std::pin::pin!(sent);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::future::Future::poll(sent.as_mut(), &mut context) {
        std::task::Poll::Ready(Ok(answer)) => {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        other => panic!("{:?}", other.is_pending()),
    }
}

#[tokio::test]
async fn tv_13_keys_are_renewed_in_the_background_before_they_outdate() {
    let scene = Scene::new().await;
    let verifier = scene.verifier();
    let token = scene.token();
    verifier.warm_up().await.unwrap();
    scene.clock.advance(Duration::from_secs(2699));
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
    assert_eq!(scene.jwks_requests(), 1);
    scene.clock.advance(Duration::from_secs(1));
    scene
        .issuer
        .behave_everywhere(&Behaviour::good().delay(Duration::from_millis(300)));
    let at_once = tokio::time::timeout(Duration::from_millis(200), verifier.verify(&token));
    assert_eq!(reason(at_once.await.expect("no wait")), "accepted");
    settle(|| scene.jwks_requests() == 2).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    // From then on they are fresh for another hour.
    scene.clock.advance(Duration::from_secs(2600));
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
    assert_eq!(scene.jwks_requests(), 2);
}

#[tokio::test]
async fn tv_13_cache_control_shortens_how_long_keys_are_fresh_within_limits() {
    for (header, at_least, at_most) in [
        ("public, max-age=600", 449, 450),
        ("max-age=5", 44, 45),
        ("no-store", 44, 45),
        ("max-age=999999", 2699, 2700),
        ("public", 2699, 2700),
    ] {
        let scene = Scene::new().await;
        let shown = Behaviour::good().cache_control(header);
        scene.issuer.behave(Endpoint::Jwks, shown);
        let verifier = scene.verifier();
        verifier.warm_up().await.unwrap();
        scene.clock.advance(Duration::from_secs(at_least));
        verifier.verify(&scene.token()).await.unwrap();
        assert_eq!(scene.jwks_requests(), 1, "{header}");
        scene.clock.advance(Duration::from_secs(at_most - at_least));
        verifier.verify(&scene.token()).await.unwrap();
        settle(|| scene.jwks_requests() == 2).await;
    }
}
