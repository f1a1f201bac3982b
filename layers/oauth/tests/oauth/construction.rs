//! What does not build, and says why.

use bartizan_oauth::{GitHub, Google, OpaqueConfig};

use super::*;

fn good() -> Introspection {
    let auth = ClientAuth::basic("secret".to_owned());
    Introspection::new("https://a.example", "https://a.example/i", "mcp", auth)
}

#[test]
fn an_introspection_that_is_unsafe_or_incomplete_names_its_setting() {
    let empty = ClientAuth::basic(String::new());
    let with = |issuer: &str, endpoint: &str| {
        let auth = ClientAuth::basic("secret".to_owned());
        Introspection::new(issuer, endpoint, "mcp", auth).audience(U)
    };
    for (provider, named) in [
        (good(), "audience"),
        (good().audience(""), "audience"),
        (good().audience(U).danger_without_audience(), "audience"),
        (good().audience(U).tenants(["acme"]), "tenants"),
        (good().audience(U).roles_claim("a..b"), "roles_claim"),
        (
            with("http://a.example", "https://a.example/i"),
            "issuer `http://a.example` is not https",
        ),
        (with("https://a.example", "http://a.example/i"), "endpoint"),
        (
            with("https://a.example", "https://u@a.example/i"),
            "endpoint",
        ),
        (
            Introspection::new("https://a.example", "https://a.example/i", "mcp", empty)
                .audience(U),
            "client has an empty secret",
        ),
    ] {
        let error = OpaqueVerifier::builder(provider).build().unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    let dangerous = good().danger_without_audience();
    let error = OpaqueVerifier::builder(dangerous.clone())
        .build()
        .unwrap_err();
    assert_eq!(error.setting(), "resource");
    assert!(
        OpaqueVerifier::builder(dangerous)
            .resource(U)
            .build()
            .is_ok()
    );
}

#[test]
fn a_secret_that_can_not_be_sent_does_not_build_and_is_not_shown() {
    let build = |auth| {
        let server = Introspection::new("https://a.example", "https://a.example/i", "mcp", auth);
        OpaqueVerifier::builder(server.audience(U)).build()
    };
    let binary = b"top\xff".to_vec();
    for auth in [
        ClientAuth::post(binary.clone()),
        ClientAuth::bearer(binary.clone()),
        ClientAuth::bearer("top\r\nx: y".to_owned()),
        ClientAuth::bearer("top secret".to_owned()),
        ClientAuth::bearer(String::new()),
        ClientAuth::post(String::new()),
    ] {
        let error = build(auth).unwrap_err();
        assert_eq!(error.setting(), "client");
        assert!(!error.to_string().contains("top"), "{error}");
    }
    // Basic encodes it.
    assert!(build(ClientAuth::basic(binary)).is_ok());
    assert!(build(ClientAuth::post("\u{e9} s&x".to_owned())).is_ok());
}

#[test]
fn numbers_out_of_their_range_name_their_setting() {
    let build = |change: fn(&mut OpaqueConfig)| {
        let mut config = OpaqueConfig::default();
        change(&mut config);
        OpaqueVerifier::builder(good().audience(U))
            .config(config)
            .build()
    };
    assert!(build(|_| {}).is_ok());
    for (change, named) in [
        (
            (|c| c.max_token_bytes = 63) as fn(&mut OpaqueConfig),
            "max_token_bytes",
        ),
        (|c| c.token_cache_capacity = 0, "token_cache_capacity"),
        (
            |c| c.token_cache_age_seconds = 3601,
            "token_cache_age_seconds",
        ),
        (
            |c| c.refused_cache_age_seconds = 301,
            "refused_cache_age_seconds",
        ),
        (|c| c.stale_age_seconds = 86_401, "stale_age_seconds"),
        (|c| c.max_waiting = 0, "max_waiting"),
        (
            |c| c.new_tokens_per_minute = Some(0),
            "new_tokens_per_minute",
        ),
        (|c| c.timeout_seconds = 0, "timeout_seconds"),
        (|c| c.max_lookups = 0, "max_lookups"),
        (|c| c.breaker_failures = 0, "breaker_failures"),
        (|c| c.breaker_pause_seconds = 301, "breaker_pause_seconds"),
        (|c| c.realm = Some("a\"b".into()), "challenge"),
        (
            |c| c.authorization_servers = vec!["http://h.example".into()],
            "authorization_servers",
        ),
    ] {
        assert_eq!(build(change).unwrap_err().setting(), named);
    }
}

#[test]
fn github_and_google_need_what_makes_them_safe() {
    let secret = || "secret".to_owned();
    for (github, named) in [
        (GitHub::new("app", secret()), "allowed_orgs"),
        (
            GitHub::new("app/../x", secret()).allowed_orgs(["acme"]),
            "client",
        ),
        (GitHub::new("", secret()).allowed_orgs(["acme"]), "client"),
        (
            GitHub::new("app", String::new()).allowed_orgs(["acme"]),
            "client",
        ),
        (
            GitHub::new("app", secret()).allowed_orgs(["a/b"]),
            "allowed_orgs",
        ),
        (
            GitHub::new("app", secret())
                .allowed_orgs(["acme"])
                .check_age(Duration::from_secs(3601)),
            "check_age",
        ),
        (
            GitHub::new("app", secret()).allowed_orgs(["acme#x"]),
            "allowed_orgs",
        ),
        (
            GitHub::new("app", secret())
                .allowed_orgs(["acme"])
                .server("http://ghe.example", "https://ghe.example"),
            "api",
        ),
    ] {
        let error = OpaqueVerifier::builder(github)
            .resource(U)
            .build()
            .unwrap_err();
        assert_eq!(error.setting(), named, "{error}");
    }
    for (google, named) in [
        (Google::new(["id"]), "allowed_domains"),
        (Google::new([""]).allowed_domains(["example.com"]), "client"),
        (
            Google::new(["id"]).allowed_domains(["example"]),
            "allowed_domains",
        ),
        (Google::new(["id"]).allowed_domains([""]), "allowed_domains"),
    ] {
        let error = OpaqueVerifier::builder(google)
            .resource(U)
            .build()
            .unwrap_err();
        assert_eq!(error.setting(), named, "{error}");
    }
}
