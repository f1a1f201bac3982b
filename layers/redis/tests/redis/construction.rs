//! What does not build.

use super::*;

fn shared() -> SharedRevocationsBuilder {
    of(Revocations::new(), OutOfTouch::Refuse(SECOND))
}

fn of(list: Revocations, policy: OutOfTouch) -> SharedRevocationsBuilder {
    let redis = Redis::builder("redis://127.0.0.1:1/").build().unwrap();
    SharedRevocations::builder(redis, list, policy)
}

fn setting(builder: SharedRevocationsBuilder) -> &'static str {
    builder.start().unwrap_err().setting()
}

#[tokio::test]
async fn a_setting_out_of_range_does_not_build_and_the_error_names_it() {
    for key in ["", "a\nb", &"x".repeat(513)] {
        assert_eq!(setting(shared().stream(key)), "stream");
    }
    assert_eq!(setting(shared().max_entries(0)), "max_entries");
    for age in [Duration::ZERO, 59 * SECOND, Duration::MAX] {
        assert_eq!(setting(shared().max_age(age)), "max_age");
    }
    for after in [Duration::ZERO, SECOND / 2, 25 * HOUR] {
        for policy in [OutOfTouch::Refuse(after), OutOfTouch::KeepGoing(after)] {
            assert_eq!(setting(of(Revocations::new(), policy)), "out_of_touch");
        }
    }
    // A list that a full stream does not fit into.
    let list = Revocations::with_capacity(1000);
    let policy = OutOfTouch::Refuse(SECOND);
    assert_eq!(setting(of(list.clone(), policy)), "max_entries");
    let fits = of(list.clone(), policy).max_entries(900).start();
    let fits = fits.unwrap();
    // Another feed would hide that one is silent.
    assert_eq!(setting(of(list, policy).max_entries(900)), "list");
    drop(fits);
}

#[test]
fn outside_of_a_runtime_nothing_starts_and_nothing_panics() {
    assert_eq!(setting(shared()), "runtime");
}

#[tokio::test]
async fn what_cannot_be_shared_is_revoked_nowhere() {
    let list = Revocations::new();
    let shared = of(list.clone(), OutOfTouch::KeepGoing(SECOND));
    let shared = shared.max_age(60 * SECOND).start().unwrap();
    let until = list.now() + 30 * SECOND;
    let long = "x".repeat(4097);
    for (issuer, id, until) in [
        ("", "t1", until),
        (I, "", until),
        (I, &*long, until),
        (&*long, "t1", until),
        (I, "t1", until + HOUR),
        (I, "t1", Duration::MAX),
        // A duration where a time is meant.
        (I, "t1", HOUR),
        (I, "t1", Duration::ZERO),
    ] {
        let error = shared
            .revoke_credential(issuer, id, until)
            .await
            .unwrap_err();
        assert!(!error.holds_here() && !error.is_shared(), "{error}");
        let is_past = until < 2 * HOUR;
        assert!(!is_past || error.to_string().contains("`until` is in the past"));
    }
    assert!(list.is_empty());
}
