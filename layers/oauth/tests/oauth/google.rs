//! Google, answering as its OpenID Connect documentation says.

use bartizan_oauth::Google;

use super::*;

const CLIENT: &str = "1234-abc.apps.googleusercontent.com";

fn token_info() -> Value {
    json!({
        "azp": CLIENT,
        "aud": CLIENT,
        "sub": "110169484474386276334",
        "scope": "openid https://www.googleapis.com/auth/userinfo.email",
        "exp": (NOW + 3599).to_string(),
        "expires_in": "3599",
        "email": "ann@example.com",
        "email_verified": "true",
        "access_type": "online",
    })
}

fn user_info() -> Value {
    json!({
        "sub": "110169484474386276334",
        "email": "ann@example.com",
        "email_verified": true,
        "hd": "example.com",
    })
}

async fn google(token: Value, user: Value) -> Provider {
    Provider::start(move |asked| match asked.uri.path() {
        "/tokeninfo" => Answer::json(&token),
        "/userinfo" => Answer::json(&user),
        _ => Answer::status(404),
    })
    .await
}

fn build(provider: &Provider) -> OpaqueVerifier {
    let google = Google::new([CLIENT])
        .allowed_domains(["example.com", "example.org"])
        .endpoints(provider.url_of("/tokeninfo"), provider.url_of("/userinfo"));
    let verifier = OpaqueVerifier::builder(google).resource(U).clock(clock());
    verifier.build().unwrap()
}

#[tokio::test]
async fn a_user_of_the_workspace_is_a_principal() {
    let provider = google(token_info(), user_info()).await;
    let ann = build(&provider).verify("ya29.a0AfH6").await.unwrap();
    assert_eq!(ann.issuer(), "https://accounts.google.com");
    assert_eq!(ann.subject(), "110169484474386276334");
    assert_eq!(
        (ann.tenant(), ann.client_id()),
        (Some("example.com"), Some(CLIENT))
    );
    assert_eq!(ann.expires_at(), Some(Duration::from_secs(NOW + 3599)));
    let asked = provider.asked();
    assert_eq!(asked[0].uri.query(), Some("access_token=ya29.a0AfH6"));
    assert_eq!(asked[1].header("authorization"), "Bearer ya29.a0AfH6");
}

#[tokio::test]
async fn tokens_of_others_and_accounts_of_others_are_refused() {
    let token = |member: &str, value: Value| {
        let mut info = token_info();
        info[member] = value;
        (info, user_info())
    };
    let user = |member: &str, value: Value| {
        let mut info = user_info();
        info[member] = value;
        (token_info(), info)
    };
    for ((token, user), fault) in [
        (
            token("aud", json!("evil.apps.googleusercontent.com")),
            "another audience",
        ),
        (token("aud", json!([CLIENT])), "no audience"),
        (
            token("exp", json!(NOW.to_string())),
            "the token has expired",
        ),
        (token("exp", json!("soon")), "no expiry"),
        (
            token("sub", json!("1")),
            "tokeninfo and userinfo name two subjects",
        ),
        (
            user("hd", json!("evil.example")),
            "another Workspace domain",
        ),
        // An address of the domain is no account of the domain.
        (user("hd", json!(null)), "an account of no Workspace domain"),
        (
            user("email_verified", json!(false)),
            "the address is not verified",
        ),
        (
            user("email_verified", json!("true")),
            "the address is not verified",
        ),
        (user("sub", json!("")), "no subject"),
    ] {
        let provider = google(token, user).await;
        assert_eq!(reason(build(&provider).verify("ya29.x").await), fault);
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_and_trouble_is_503() {
    for (tokeninfo, userinfo, kind) in [
        (400, 200, DenialKind::CredentialsInvalid),
        (200, 401, DenialKind::CredentialsInvalid),
        (500, 200, DenialKind::Unavailable),
        (200, 503, DenialKind::Unavailable),
        (403, 200, DenialKind::Unavailable),
    ] {
        let provider = Provider::start(move |asked| {
            let (status, body) = match asked.uri.path() {
                "/tokeninfo" => (tokeninfo, token_info()),
                _ => (userinfo, user_info()),
            };
            Answer {
                status,
                ..Answer::json(&body)
            }
        })
        .await;
        let denial = build(&provider).verify("ya29.x").await.unwrap_err();
        assert_eq!(denial.kind(), kind, "{tokeninfo} {userinfo}");
        let shown = format!("{denial:?}");
        assert!(!shown.contains("ya29"), "{shown}");
    }
}

#[tokio::test]
async fn what_google_refuses_one_token_keeps_no_other_out() {
    for (status, path) in [
        (403, "/userinfo"),
        (429, "/userinfo"),
        (401, "/tokeninfo"),
        (403, "/tokeninfo"),
    ] {
        let provider = Provider::start(move |asked| {
            let is_eve = asked.header("authorization") == "Bearer ya29.eve"
                || asked.uri.query() == Some("access_token=ya29.eve");
            match asked.uri.path() {
                asked if asked == path && is_eve => {
                    Answer::status(status).with("retry-after", "60")
                }
                "/tokeninfo" => Answer::json(&token_info()),
                _ => Answer::json(&user_info()),
            }
        })
        .await;
        let verifier = build(&provider);
        for _ in 0..5 {
            let denial = verifier.verify("ya29.eve").await.unwrap_err();
            assert_eq!(denial.kind(), DenialKind::Unavailable, "{status} {path}");
        }
        assert_eq!(reason(verifier.verify("ya29.ann").await), "accepted");
    }
}
