//! What happens while the provider does not answer, or not as it should.

use super::*;

#[tokio::test]
async fn ac_16_a_dead_provider_is_503_without_challenge_and_known_tokens_go_on() {
    let (mut provider, clock) = (of_ann().await, clock());
    let (events, seen) = collected();
    let verifier = builder(&provider, &clock)
        .breaker(3, Duration::from_secs(30))
        .stale_age(Duration::ZERO)
        .events(events)
        .build()
        .unwrap();
    let layer = OAuthLayer::new(verifier.clone());
    assert_eq!(
        send(layer.clone(), request("Bearer known")).await.status(),
        200
    );
    provider.kill().await;
    for n in 0..6 {
        let answer = send(layer.clone(), request(&format!("Bearer un{n}"))).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!answer.headers().contains_key("www-authenticate"));
    }
    assert_eq!(
        send(layer.clone(), request("Bearer known")).await.status(),
        200
    );
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        send(layer.clone(), request("Bearer known")).await.status(),
        503
    );
    provider.restart().await;
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        send(layer.clone(), request("Bearer known")).await.status(),
        200
    );
    let seen: Vec<_> = seen.lock().unwrap().clone();
    let kinds: Vec<_> = seen.iter().map(|e| e.split(' ').next().unwrap()).collect();
    let expected = [
        "lookup_failed",
        "provider_down",
        "lookup_failed",
        "provider_back",
    ];
    assert_eq!(kinds, expected, "{seen:?}");
    assert!(!seen.concat().contains("known"), "{seen:?}");
}

#[tokio::test]
async fn a_provider_that_fails_is_left_alone_for_a_while_and_then_asked_by_one() {
    let (provider, clock) = (of_ann().await, clock());
    provider.behave(|_| Answer::status(500));
    let verifier = builder(&provider, &clock)
        .breaker(3, Duration::from_secs(30))
        .build()
        .unwrap();
    for n in 0..20 {
        assert!(verifier.verify(&format!("token-{n}")).await.is_err());
    }
    assert_eq!(provider.count(), 3);
    clock.advance(Duration::from_secs(30));
    provider.behave(|_| Answer::json(&ann()).after(Duration::from_millis(100)));
    let asking = (0..20).map(|n| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verifier.verify(&format!("token-{n}")).await.is_ok() })
    });
    let mut accepted = 0;
    for one in asking.collect::<Vec<_>>() {
        accepted += usize::from(one.await.unwrap());
    }
    assert_eq!((accepted, provider.count()), (1, 4));
    assert!(verifier.verify("token-0").await.is_ok());
}

#[tokio::test]
async fn answers_that_are_none_are_the_providers_fault_and_never_a_principal() {
    let text = |body: &str| Answer {
        body: body.to_owned(),
        ..Answer::json(&Value::Null)
    };
    let padded = format!(
        r#"{{"active":true,"sub":"ann","x":"{}"}}"#,
        "x".repeat(70_000)
    );
    let twice = r#"{"active":false,"active":true,"sub":"ann","aud":"https://mcp.example.com/mcp"}"#;
    let answers = [
        (Answer::status(401), "status 401"),
        (Answer::status(404), "status 404"),
        (Answer::status(500), "status 500"),
        (
            Answer::json(&ann())
                .with("x", "y")
                .after(Duration::from_secs(3)),
            "timed out",
        ),
        (text(""), "the answer is not JSON"),
        (text("true"), "the answer is not a JSON object"),
        (text(r#"{"active":true"#), "the answer is not JSON"),
        (text(twice), "the answer is repeated member name"),
        (text(r#"{"x":"true"}"#), "does not say whether"),
        (text(&padded), "larger than 65536 bytes"),
    ];
    for (answer, reason) in answers {
        let provider = Provider::start(move |_| answer.clone()).await;
        let (events, seen) = collected();
        let verifier = builder(&provider, &clock())
            .timeout(Duration::from_secs(1))
            .events(events)
            .build()
            .unwrap();
        let denial = verifier.verify("token").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable, "{reason}");
        assert!(denial.reason().contains(reason), "{}", denial.reason());
        // What may be the token's fault is no event: a stranger could cause any number.
        let seen = seen.lock().unwrap().concat();
        let is_tokens = ["status 404", "does not say whether"].contains(&reason);
        assert_eq!(seen.contains(reason), !is_tokens, "{seen}");
    }
}

#[tokio::test]
async fn tv_14_an_active_that_is_text_is_401_and_no_outage() {
    let provider = Provider::start(|asked| {
        let mut answer = ann();
        if asked.field("token").as_deref() != Some("good") {
            answer["active"] = json!("true");
        }
        Answer::json(&answer)
    })
    .await;
    let (events, seen) = collected();
    let verifier = builder(&provider, &clock()).events(events).build().unwrap();
    for n in 0..10 {
        let denial = verifier.verify(&format!("token-{n}")).await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::CredentialsInvalid);
    }
    assert_eq!(reason(verifier.verify("good").await), "accepted");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn ss_1_a_redirect_is_not_followed_and_the_credentials_stay_here() {
    let elsewhere = of_ann().await;
    let url = elsewhere.url_of("/introspect");
    for status in [301, 302, 307, 308] {
        let url = url.clone();
        let provider =
            Provider::start(move |_| Answer::status(status).with("location", url.clone())).await;
        let verifier = builder(&provider, &clock()).build().unwrap();
        assert!(verifier.verify("token").await.is_err(), "{status}");
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn tokens_that_the_provider_chokes_on_keep_nobody_from_it() {
    let provider = Provider::start(|asked| match asked.field("token").as_deref() {
        Some("good") => Answer::json(&ann()),
        _ => Answer::status(400),
    })
    .await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    for n in 0..20 {
        let denial = verifier.verify(&format!("choke-{n}")).await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
    }
    assert_eq!(reason(verifier.verify("good").await), "accepted");
}

#[tokio::test]
async fn a_provider_that_says_when_to_come_back_is_left_alone_until_then() {
    let (provider, clock) = (of_ann().await, clock());
    provider.behave(|_| Answer::status(429).with("retry-after", "120"));
    let verifier = builder(&provider, &clock).build().unwrap();
    let denial = verifier.verify("token").await.unwrap_err();
    assert_eq!(denial.retry_after(), Some(Duration::from_secs(120)));
    clock.advance(Duration::from_secs(119));
    assert!(verifier.verify("token").await.is_err());
    assert_eq!(provider.count(), 1);
    provider.behave(|_| Answer::json(&ann()));
    clock.advance(Duration::from_secs(1));
    assert!(verifier.verify("token").await.is_ok());
}

#[tokio::test]
async fn tokens_that_make_the_provider_fail_keep_no_good_one_from_it() {
    let text = |body: &str| Answer {
        body: body.to_owned(),
        ..Answer::json(&Value::Null)
    };
    for trouble in [
        Answer::status(403),
        Answer::status(500),
        text("blocked"),
        text("{}"),
    ] {
        let (provider, clock) = (of_ann().await, clock());
        let reply = trouble.clone();
        provider.behave(move |asked| match asked.field("token").as_deref() {
            Some(token) if token.starts_with("bad") => reply.clone(),
            _ => Answer::json(&ann()),
        });
        let verifier = builder(&provider, &clock).stale_age(Duration::ZERO).build();
        let verifier = verifier.unwrap();
        let ask = async |token: &str| reason(verifier.verify(token).await);
        assert_eq!(ask("known").await, "accepted");
        clock.advance(Duration::from_secs(60));
        for _ in 0..5 {
            let denial = verifier.verify("bad").await.unwrap_err();
            assert_eq!(denial.kind(), DenialKind::Unavailable, "{trouble:?}");
        }
        assert_eq!(provider.count(), 2, "{trouble:?}");
        assert_eq!(ask("known").await, "accepted", "{trouble:?}");
        assert_eq!(ask("new").await, "accepted", "{trouble:?}");
        clock.advance(Duration::from_secs(60));
        for n in 0..20 {
            assert!(verifier.verify(&format!("bad-{n}")).await.is_err());
        }
        assert_eq!(ask("known").await, "accepted", "{trouble:?}");
        assert_eq!(ask("new").await, "accepted", "{trouble:?}");
        // It is new ones that pay for it, and not for long.
        clock.advance(Duration::from_secs(10));
        assert_eq!(ask("newer").await, "accepted", "{trouble:?}");
    }
}

#[tokio::test]
async fn one_made_up_token_does_not_get_the_provider_left_alone_for_long() {
    let provider = Provider::start(|asked| match asked.field("token").as_deref() {
        Some("bad") => Answer::status(403).with("retry-after", "300"),
        _ => Answer::json(&ann()),
    })
    .await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    let denial = verifier.verify("bad").await.unwrap_err();
    assert_eq!(denial.retry_after(), Some(Duration::from_secs(300)));
    assert_eq!(reason(verifier.verify("new").await), "accepted");
}

#[tokio::test]
async fn made_up_tokens_cause_no_flood_of_events() {
    let provider = Provider::start(|asked| match asked.field("token").as_deref() {
        Some(token) if token.starts_with("bad") => Answer::status(500),
        _ => Answer::json(&json!({ "active": false })),
    })
    .await;
    let (clock, (events, seen)) = (clock(), collected());
    let verifier = builder(&provider, &clock).events(events).build().unwrap();
    for n in 0..20 {
        assert!(verifier.verify(&format!("bad-{n}")).await.is_err());
        assert!(verifier.verify(&format!("other-{n}")).await.is_err());
    }
    assert_eq!((provider.count(), seen.lock().unwrap().len()), (40, 2));
    clock.advance(Duration::from_secs(60));
    assert!(verifier.verify("bad").await.is_err());
    assert_eq!(seen.lock().unwrap().len(), 3, "{seen:?}");
}
