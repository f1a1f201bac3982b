//! GitHub, answering as its REST documentation of 2022-11-28 says.

use bartizan_oauth::GitHub;

use super::*;

const APP: &str = "Iv1.8a61f9b3a7aba766";

/// The example of "Check a token", for this user.
fn checked(id: u64, login: &str) -> Value {
    json!({
        "id": 1,
        "url": "https://api.github.com/authorizations/1",
        "scopes": ["read:org", "user"],
        "token": "",
        "token_last_eight": "12345678",
        "hashed_token": "25f94a2a5c7fbaf499c665bc73d67c1c87e496da8985131633ee0a95819db2e8",
        "app": { "url": "http://my-github-app.com", "name": "my github app", "client_id": APP },
        "note": "optional note",
        "updated_at": "2011-09-06T20:39:23Z",
        "created_at": "2011-09-06T17:26:27Z",
        "expires_at": null,
        "user": { "login": login, "id": id, "type": "User", "site_admin": false },
    })
}

/// The example of "Get an organization membership for the authenticated user".
fn membership(state: &str) -> Value {
    json!({ "state": state, "role": "member", "organization": { "login": "acme", "id": 1 } })
}

/// Ann is an active member of acme and of its team core; she is only invited to partner.
fn github(asked: &Asked) -> Answer {
    let etag = |answer: Answer, tag: &'static str, asked: &Asked| {
        if asked.header("if-none-match") == tag {
            Answer::status(304).with("etag", tag)
        } else {
            answer.with("etag", tag)
        }
    };
    match asked.uri.path() {
        "/applications/Iv1.8a61f9b3a7aba766/token" => {
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            match body["access_token"].as_str().unwrap() {
                "gho_ann" => Answer::json(&checked(7, "ann")),
                "gho_bob" => Answer::json(&checked(8, "bob")),
                _ => Answer::status(404),
            }
        }
        "/user/memberships/orgs/acme" if asked.header("authorization") == "Bearer gho_ann" => {
            etag(Answer::json(&membership("active")), "\"a\"", asked)
        }
        "/user/memberships/orgs/partner" => {
            etag(Answer::json(&membership("pending")), "\"p\"", asked)
        }
        "/orgs/acme/teams/core/memberships/ann" => Answer::json(&json!({
            "url": "https://api.github.com/teams/1/memberships/ann",
            "role": "maintainer",
            "state": "active",
        })),
        _ => Answer::status(404),
    }
}

fn app() -> GitHub {
    GitHub::new(APP, "secret".to_owned())
}

fn build(provider: &Provider, app: GitHub, clock: &FakeClock) -> OpaqueVerifier {
    OpaqueVerifier::builder(app.server(provider.url(), "https://github.com"))
        .resource(U)
        .clock(clock.clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_member_is_a_principal_by_number_with_memberships_as_roles() {
    let provider = Provider::start(github).await;
    let app = app()
        .allowed_orgs(["acme", "partner"])
        .allowed_teams(["acme/core", "acme/other"]);
    let verifier = build(&provider, app, &clock());
    let ann = verifier.verify("gho_ann").await.unwrap();
    assert_eq!((ann.issuer(), ann.subject()), ("https://github.com", "7"));
    assert_eq!((ann.method(), ann.client_id()), ("github", Some(APP)));
    assert!(ann.roles().eq(["org:acme", "team:acme/core"]));
    assert!(ann.scopes().eq(["read:org", "user"]));
    let first = provider.asked().remove(0);
    assert_eq!(first.method, "POST");
    assert!(first.header("authorization").starts_with("Basic "));
    for asked in provider.asked() {
        assert_eq!(asked.header("x-github-api-version"), "2022-11-28");
        assert_eq!(asked.header("accept"), "application/vnd.github+json");
        assert!(!asked.uri.to_string().contains("gho_"), "{}", asked.uri);
    }
}

#[tokio::test]
async fn who_is_in_none_or_only_invited_is_refused() {
    let provider = Provider::start(github).await;
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock());
    let none = "in none of the organizations and teams";
    assert_eq!(reason(verifier.verify("gho_bob").await), none);
    let verifier = build(&provider, app().allowed_orgs(["partner"]), &clock());
    assert_eq!(reason(verifier.verify("gho_ann").await), none);
}

#[tokio::test]
async fn tv_2_a_token_of_another_app_is_refused_whoever_it_belongs_to() {
    let provider = Provider::start(|asked| match asked.uri.path() {
        "/applications/Iv1.8a61f9b3a7aba766/token" => {
            let mut answer = checked(7, "ann");
            answer["app"]["client_id"] = json!("Iv1.ffffffffffffffff");
            Answer::json(&answer)
        }
        _ => Answer::json(&membership("active")),
    })
    .await;
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock());
    assert_eq!(
        reason(verifier.verify("gho_ann").await),
        "a token of another app"
    );
    assert_eq!(provider.count(), 1);
    provider.behave(github);
    assert_eq!(
        reason(verifier.verify("gho_unknown").await),
        "GitHub knows no such token of this app"
    );
}

#[tokio::test]
async fn credentials_of_others_are_not_shown_to_github() {
    let provider = Provider::start(github).await;
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock());
    for token in ["ghp_personal", "ghs_server", "eyJ.eyJ.sig", "sk-live", "x"] {
        let fault = "not of the form of the provider's tokens";
        assert_eq!(reason(verifier.verify(token).await), fault);
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_steady_user_costs_no_question_per_request_and_memberships_are_asked_by_etag() {
    let (provider, clock) = (Provider::start(github).await, clock());
    let verifier = build(&provider, app().allowed_orgs(["acme", "partner"]), &clock);
    for _ in 0..100 {
        assert_eq!(reason(verifier.verify("gho_ann").await), "accepted");
    }
    assert_eq!(provider.count(), 3);
    let check = |asked: &Asked| asked.uri.path().starts_with("/applications");
    clock.advance(Duration::from_secs(60));
    let ann = verifier.verify("gho_ann").await.unwrap();
    assert!(
        ann.roles().eq(["org:acme"]),
        "an unchanged answer is the former one"
    );
    let tags: Vec<_> = provider.asked()[3..]
        .iter()
        .map(|asked| asked.header("if-none-match").to_owned())
        .collect();
    assert_eq!(tags, ["\"a\"", "\"p\""]);
    // Whose the token is the app asks every quarter of an hour.
    for minute in 2..=31 {
        clock.advance(Duration::from_secs(60));
        assert!(verifier.verify("gho_ann").await.is_ok());
        let checks = provider.asked().iter().filter(|a| check(a)).count();
        assert_eq!(checks, 1 + minute / 15, "{minute}");
    }
    // Who leaves is out after the time for which a token is remembered.
    provider.behave(|asked| match asked.uri.path() {
        "/user/memberships/orgs/acme" => Answer::status(404),
        _ => github(asked),
    });
    clock.advance(Duration::from_secs(60));
    let none = "in none of the organizations and teams";
    assert_eq!(reason(verifier.verify("gho_ann").await), none);
}

#[tokio::test]
async fn a_spent_rate_limit_is_no_verdict_over_anybody() {
    let provider = Provider::start(|asked| match asked.uri.path() {
        "/user/memberships/orgs/acme" => Answer::status(403)
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", (NOW + 90).to_string()),
        _ => github(asked),
    })
    .await;
    let clock = clock();
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock);
    let denial = verifier.verify("gho_ann").await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert_eq!(denial.retry_after(), Some(Duration::from_secs(90)));
    // Where the organization does not show itself to the app, nobody is a member.
    provider.behave(|asked| match asked.uri.path() {
        "/user/memberships/orgs/acme" => Answer::status(403),
        _ => github(asked),
    });
    clock.advance(Duration::from_secs(90));
    let none = "in none of the organizations and teams";
    assert_eq!(reason(verifier.verify("gho_ann").await), none);
}

#[tokio::test]
async fn a_callers_spent_limit_or_revoked_token_keeps_nobody_else_out() {
    for (status, header) in [
        (403, ("x-ratelimit-remaining", "0")),
        (403, ("retry-after", "120")),
        (429, ("retry-after", "120")),
        (401, ("x", "y")),
        (418, ("x", "y")),
    ] {
        let provider = Provider::start(move |asked| {
            let is_eve = asked.header("authorization") == "Bearer gho_eve";
            match asked.uri.path() {
                "/user/memberships/orgs/acme" if is_eve => {
                    Answer::status(status).with(header.0, header.1)
                }
                path if path.starts_with("/applications") && asked.body.contains("gho_eve") => {
                    Answer::json(&checked(9, "eve"))
                }
                _ => github(asked),
            }
        })
        .await;
        let (events, seen) = collected();
        let github = app().allowed_orgs(["acme"]);
        let github = github.server(provider.url(), "https://github.com");
        let verifier = OpaqueVerifier::builder(github)
            .resource(U)
            .clock(clock())
            .events(events)
            .refused_cache_age(Duration::ZERO)
            .build()
            .unwrap();
        for _ in 0..6 {
            let denial = verifier.verify("gho_eve").await.unwrap_err();
            assert_eq!(denial.kind(), DenialKind::Unavailable, "{status}");
            // What GitHub told the caller's token is told to that caller.
            let after = Duration::from_secs(if header.0 == "retry-after" { 120 } else { 1 });
            assert_eq!(denial.retry_after(), Some(after), "{status}");
        }
        assert_eq!(reason(verifier.verify("gho_ann").await), "accepted");
        assert!(seen.lock().unwrap().is_empty(), "{seen:?}");
    }
}

#[tokio::test]
async fn who_was_put_out_does_not_stay_in_by_a_limit_of_their_own() {
    let (provider, clock) = (Provider::start(github).await, clock());
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock);
    assert!(verifier.verify("gho_ann").await.is_ok());
    provider.behave(|asked| match asked.uri.path() {
        "/user/memberships/orgs/acme" => Answer::status(429).with("retry-after", "60"),
        _ => github(asked),
    });
    clock.advance(Duration::from_secs(61));
    for _ in 0..2 {
        let denial = verifier.verify("gho_ann").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        assert_eq!(denial.retry_after(), Some(Duration::from_secs(60)));
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_though_its_check_is_remembered() {
    let (provider, clock) = (Provider::start(github).await, clock());
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock);
    assert!(verifier.verify("gho_ann").await.is_ok());
    provider.behave(|asked| match asked.uri.path() {
        "/user/memberships/orgs/acme" => Answer::status(401),
        _ => Answer::status(404),
    });
    clock.advance(Duration::from_secs(60));
    let unknown = "GitHub knows no such token of this app";
    assert_eq!(reason(verifier.verify("gho_ann").await), unknown);
}

#[tokio::test]
async fn without_groups_the_check_is_asked_at_every_look() {
    let (provider, clock) = (Provider::start(github).await, clock());
    let verifier = build(&provider, app().danger_any_user(), &clock);
    for asked in 1..4 {
        assert!(verifier.verify("gho_ann").await.is_ok());
        assert_eq!(provider.count(), asked);
        clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn tv_14_tv_20_a_token_that_ends_is_a_principal_that_ends() {
    let provider = Provider::start(|asked| match asked.uri.path() {
        path if path.starts_with("/applications") => {
            let mut answer = checked(7, "ann");
            // NOW is 2027-01-15T08:00:00Z.
            answer["expires_at"] = json!("2027-01-15T08:00:30Z");
            Answer::json(&answer)
        }
        _ => Answer::json(&membership("active")),
    })
    .await;
    let clock = clock();
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock);
    let ann = verifier.verify("ghu_ann").await.unwrap();
    assert_eq!(ann.expires_at(), Some(Duration::from_secs(NOW + 30)));
    clock.advance(Duration::from_secs(29));
    assert!(verifier.verify("ghu_ann").await.is_ok());
    clock.advance(Duration::from_secs(1));
    let ended = "the token has expired";
    assert_eq!(reason(verifier.verify("ghu_ann").await), ended);
}

#[tokio::test]
async fn an_expiry_that_can_not_be_read_lets_nobody_pass() {
    for expires_at in [json!("soon"), json!(7), json!("1968-01-15T08:00:00Z")] {
        let provider = Provider::start(move |asked| match asked.uri.path() {
            path if path.starts_with("/applications") => {
                let mut answer = checked(7, "ann");
                answer["expires_at"] = expires_at.clone();
                Answer::json(&answer)
            }
            _ => Answer::json(&membership("active")),
        })
        .await;
        let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock());
        let denial = verifier.verify("ghu_ann").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
    }
}

#[tokio::test]
async fn an_organization_of_the_name_with_another_id_is_another() {
    let provider = Provider::start(github).await;
    let pinned = |orgs: &[&str], teams: &[&str]| {
        let orgs = orgs.iter().copied();
        let app = app()
            .allowed_orgs(orgs)
            .allowed_teams(teams.iter().copied());
        build(&provider, app, &clock())
    };
    let ann = pinned(&["acme#1"], &["acme#1/core"])
        .verify("gho_ann")
        .await;
    assert!(ann.unwrap().roles().eq(["org:acme", "team:acme/core"]));
    let another = "in an organization of the name, whose id is another";
    for (orgs, teams) in [
        (&["acme#2"][..], &[][..]),
        (&[], &["acme#2/core"]),
        (&["acme#2"], &["acme/core"]),
    ] {
        let verifier = pinned(orgs, teams);
        assert_eq!(reason(verifier.verify("gho_ann").await), another);
        // Nor by an answer that is remembered.
        assert_eq!(reason(verifier.verify("gho_ann").await), another);
    }
}

#[tokio::test]
async fn single_sign_on_that_is_wanting_is_told_apart_for_the_audit() {
    let provider = Provider::start(|asked| match asked.uri.path() {
        "/user/memberships/orgs/acme" => Answer::status(403).with(
            "x-github-sso",
            "required; url=https://github.com/orgs/acme/sso?authorization_request=AZ",
        ),
        _ => github(asked),
    })
    .await;
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock());
    let denial = verifier.verify("gho_ann").await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::CredentialsInvalid);
    assert!(denial.reason().ends_with("its single sign-on"));
}

#[tokio::test]
async fn many_memberships_are_asked_for_side_by_side_a_few_at_a_time() {
    let provider = Provider::start(|asked| match asked.uri.path() {
        path if path.starts_with("/user") => {
            Answer::json(&membership("active")).after(Duration::from_millis(200))
        }
        _ => github(asked),
    })
    .await;
    let orgs: Vec<_> = (0..16).map(|n| format!("org-{n}")).collect();
    let verifier = OpaqueVerifier::builder(
        app()
            .allowed_orgs(orgs.clone())
            .server(provider.url(), "https://github.com"),
    )
    .resource(U)
    .clock(clock())
    .timeout(Duration::from_secs(3))
    .build()
    .unwrap();
    let begun = Instant::now();
    let ann = verifier.verify("gho_ann").await.unwrap();
    let roles = orgs.iter().map(|org| format!("org:{org}"));
    assert!(ann.roles().eq(roles), "in their order");
    // One after the other they would take longer than all may; all at once they would take 200 ms.
    assert!(begun.elapsed() > Duration::from_millis(780));
}

#[tokio::test]
async fn the_apps_own_spent_limit_counts_against_all() {
    let provider = Provider::start(|asked| match asked.uri.path() {
        path if path.starts_with("/applications") => Answer::status(403)
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", (NOW + 90).to_string()),
        _ => github(asked),
    })
    .await;
    let verifier = build(&provider, app().allowed_orgs(["acme"]), &clock());
    for token in ["gho_ann", "gho_bob", "gho_ann"] {
        let denial = verifier.verify(token).await.unwrap_err();
        assert_eq!(denial.retry_after(), Some(Duration::from_secs(90)));
    }
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_login_that_would_lead_elsewhere_is_not_put_into_a_path() {
    for login in ["../../orgs/evil", "a/b", "", "a?b", "a b"] {
        let login = login.to_owned();
        let provider = Provider::start(move |asked| {
            if asked.uri.path().starts_with("/applications") {
                return Answer::json(&checked(7, &login));
            }
            Answer::json(&membership("active"))
        })
        .await;
        let verifier = build(&provider, app().allowed_teams(["acme/core"]), &clock());
        let denial = verifier.verify("gho_ann").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        assert_eq!(provider.count(), 1);
    }
}
