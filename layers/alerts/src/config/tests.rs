use super::*;

fn build(json: &str) -> Result<AlertsBuilder, String> {
    let config: AlertsConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
    config.builder().map_err(|e| e.to_string())
}

#[test]
fn every_setting_of_a_rule_reaches_it() {
    let from_file = build(
        r#"{ "recommended": false, "rules": [{
            "name": "all", "severity": "critical", "events": ["tool_call"], "classes": ["anomaly"], "at_least": "notice",
            "detectors": ["rate"], "tools": ["delete_*"], "denials": ["forbidden"], "outcomes": ["refused"],
            "actions": ["tools/call"], "by": ["user", "tool"], "count": 7, "window_seconds": 9, "cool_down_seconds": 11,
            "groups": 13 }] }"#,
    );
    let by_hand = || {
        Rule::new("all")?
            .severity(Severity::Critical)
            .event("tool_call")?
            .class(Classes::ANOMALY)?
            .at_least(Severity::Notice)
            .detector("rate")?
            .tool("delete_*")?
            .denial(DenialKind::Forbidden)
            .outcome(Outcome::Refused)
            .action("tools/call")?
            .by(By::User)
            .by(By::Tool)
            .threshold(7, Duration::from_secs(9))?
            .cool_down(Duration::from_secs(11))?
            .groups(13)
    };
    let by_hand = Alerts::by(Rules::new().rule(by_hand().unwrap()).unwrap());
    let rules = |builder: &AlertsBuilder| {
        let shown = format!("{builder:?}");
        shown.split("outboxes").next().unwrap().to_owned()
    };
    assert_eq!(rules(&from_file.unwrap()), rules(&by_hand));
}

#[test]
fn what_is_recommended_is_there_unless_said_otherwise() {
    let shown = format!("{:?}", build("{}").unwrap());
    assert!(shown.contains("honey-touched") && shown.contains("audit-gap"));
    let shown = format!("{:?}", build(r#"{ "without": ["audit-gap"] }"#).unwrap());
    assert!(shown.contains("honey-touched") && !shown.contains("audit-gap"));
    let none = build(r#"{ "recommended": false }"#).unwrap();
    assert!(none.build().is_err());
}

#[test]
fn a_contradiction_or_an_unknown_word_names_itself() {
    let rule = |more: &str| format!(r#"{{ "rules": [{{ "name": "x", {more} }}] }}"#);
    for (json, named) in [
        (r#"{ "rule": [] }"#.to_owned(), "rule"),
        (r#"{ "without": ["honey"] }"#.to_owned(), "`honey`"),
        (
            r#"{ "rules": [{ "name": "denials", "tools": ["a"] }] }"#.to_owned(),
            "`denials`",
        ),
        (
            r#"{ "rules": [{ "name": "A b", "tools": ["a"] }] }"#.to_owned(),
            "`A b`",
        ),
        (
            r#"{ "rules": [{ "name": "x" }] }"#.to_owned(),
            "says nothing",
        ),
        (rule(r#""events": ["alert"]"#), "event `alert`"),
        (rule(r#""events": ["tool_cal"]"#), "event `tool_cal`"),
        (rule(r#""classes": ["anomalies"]"#), "class `anomalies`"),
        (rule(r#""denials": ["no"]"#), "denial `no`"),
        (rule(r#""outcomes": ["ok"]"#), "outcome `ok`"),
        (rule(r#""severity": "high""#), "severity `high`"),
        (rule(r#""at_least": "high""#), "at_least `high`"),
        (rule(r#""tools": ["a?"]"#), "tool `a?`"),
        (rule(r#""by": ["session"]"#), "session"),
        (rule(r#""tools": ["a"], "count": 0"#), "count `0`"),
        (
            rule(r#""tools": ["a"], "count": 2, "window_seconds": 0"#),
            "window `0ns`",
        ),
        (
            rule(r#""tools": ["a"], "cool_down_seconds": 86401"#),
            "cool_down",
        ),
        (rule(r#""tools": ["a"], "groups": 0"#), "groups `0`"),
        (
            rule(r#""tools": ["a"], "by": ["user"], "count": 1000"#),
            "131072",
        ),
    ] {
        let error = build(&json).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}

#[cfg(feature = "webhook")]
#[test]
fn a_webhook_is_read_and_shows_neither_url_nor_secret() {
    let webhook = |more: &str| {
        format!(
            r#"{{ "webhooks": [{{ "name": "pager", "url": "https://pager.example.com/s3cret",
                "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {more} }}] }}"#
        )
    };
    let good =
        webhook(r#", "at_least": "error", "capacity": 10, "timeout_seconds": 5, "attempts": 3"#);
    let shown = format!("{:?}", serde_json::from_str::<AlertsConfig>(&good).unwrap());
    assert!(
        !shown.contains("s3cret") && !shown.contains("MfKQ9r8G"),
        "{shown}"
    );
    let shown = format!("{:?}", build(&good).unwrap());
    assert!(
        shown.contains("pager") && shown.contains("capacity: 10"),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    for (more, named) in [
        (r#", "timeout_seconds": 61"#, "timeout 61s"),
        (r#", "attempts": 0"#, "attempts 0"),
        (r#", "capacity": 0"#, "capacity `0`"),
        (r#", "at_least": "high""#, "`high`"),
        (r#", "redirects": true"#, "redirects"),
    ] {
        let error = build(&webhook(more)).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
    let none = good.replace("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", "");
    assert!(build(&none).unwrap_err().contains("secrets"));
    let loopback = good.replace("pager.example.com", "localhost");
    assert!(
        build(&loopback)
            .unwrap_err()
            .contains("danger_allow_this_machine")
    );
}

#[cfg(feature = "webhook")]
#[test]
fn one_secret_needs_no_list_and_no_mistake_shows_a_secret() {
    let webhook = |secrets: &str| {
        let url = "https://pager.example.com/s3cret";
        let name = r#""name": "pager""#;
        format!(r#"{{ "webhooks": [{{ {name}, "url": "{url}", "secrets": {secrets} }}] }}"#)
    };
    let secret = r#""whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw""#;
    assert_eq!(
        serde_json::from_str::<AlertsConfig>(&webhook(secret)).map_err(|e| e.to_string()),
        serde_json::from_str(&webhook(&format!("[{secret}]"))).map_err(|e| e.to_string())
    );
    assert!(build(&webhook(secret)).is_ok());
    for bad in [
        format!(r#"{{ "it": {secret} }}"#),
        format!("[[{secret}]]"),
        "7".to_owned(),
        r#""MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw""#.to_owned(),
    ] {
        let error = build(&webhook(&bad)).unwrap_err();
        assert!(!error.contains("MfKQ9r8G"), "{error}");
    }
}
