use std::sync::{Arc, Mutex};

use bartizan_core::Events;
use bartizan_rbac::{Policy, PolicyHandle, RbacConfig, RbacLayer};

use crate::{common::Caller, explained::ask};

const TOML: &str = "version = 'first'
preset = 'enterprise'

[roles.auditor]
includes = ['viewer']
grants = ['logs:read']

[[rules]]
tool = 'read_*'
any_role = ['viewer']

[[rules]]
tool = 'read_log'
capabilities = ['logs:read']
";

const JSON: &str = r#"{
  "version": "first",
  "preset": "enterprise",
  "roles": { "auditor": { "includes": ["viewer"], "grants": ["logs:read"] } },
  "rules": [
    { "tool": "read_*",
      "any_role": ["viewer"] },
    { "tool": "read_log",
      "capabilities": ["logs:read"] }
  ]
}"#;

#[test]
fn a_policy_is_the_same_in_toml_and_in_json() {
    let config = RbacConfig::from_toml(TOML).unwrap();
    assert_eq!(config, RbacConfig::from_json(JSON).unwrap());
    let policy = Policy::try_from(config).unwrap();
    assert_eq!(policy.version(), "first");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_its_name() {
    for (from, to, line, named) in [
        ("preset", "presets", 2, "presets"),
        ("enterprise", "enterprize", 2, "enterprize"),
        ("includes", "include", 5, "include"),
        (
            "includes = ['viewer']",
            "includes = ['viewr']",
            5,
            "role `viewr`",
        ),
        (
            "any_role = ['viewer']",
            "any_role = ['auditr']",
            10,
            "role `auditr` is not declared, in rule `tool:read_*`",
        ),
        (
            "any_role = ['viewer']",
            "",
            8,
            "rule `tool:read_*` needs nothing",
        ),
        ("any_role = ['viewer']", "roles = ['viewer']", 10, "roles"),
        (
            "tool = 'read_log'",
            "tool = 'read_?'",
            13,
            "pattern `read_?`",
        ),
        (
            "tool = 'read_log'",
            "tool = 'read_*'",
            12,
            "rule `tool:read_*` is there twice",
        ),
        ("tool = 'read_log'", "", 12, "speaks of nothing"),
        (
            "capabilities = ['logs:read']",
            "capabilities = ['logs:reed']",
            14,
            "capability `logs:reed`",
        ),
        (
            "capabilities = ['logs:read']",
            "capabilities = 'logs:read'",
            14,
            "expected a sequence",
        ),
        (
            "version = 'first'",
            "version = 'first one'",
            1,
            "version `first one`",
        ),
        ("tool = 'read_log'", "tool = 'read_log", 13, ""),
    ] {
        let text = TOML.replacen(from, to, 1);
        assert_ne!(text, TOML);
        let error = RbacConfig::from_toml(&text).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.line(), Some(line), "{error}");
    }
    for (from, to, line, named) in [
        ("preset", "presets", 3, "presets"),
        (
            r#""includes": ["viewer"]"#,
            r#""includes": ["viewr"]"#,
            4,
            "role `viewr`",
        ),
        (
            r#""auditor""#,
            r#""auditor": {}, "auditor""#,
            4,
            "`auditor` is there twice",
        ),
        (
            r#""any_role": ["viewer"]"#,
            r#""any_role": ["auditr"]"#,
            7,
            "role `auditr`",
        ),
        (
            r#""any_role": ["viewer"]"#,
            r#""roles": ["viewer"]"#,
            7,
            "roles",
        ),
        (
            r#""capabilities": ["logs:read"]"#,
            r#""capabilities": []"#,
            8,
            "needs nothing",
        ),
        (
            r#""capabilities": ["logs:read"]"#,
            r#""capabilities": ["x"]"#,
            9,
            "capability `x`",
        ),
        ("]\n}", "]", 10, "EOF"),
    ] {
        let text = JSON.replacen(from, to, 1);
        assert_ne!(text, JSON);
        let error = RbacConfig::from_json(&text).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.line(), Some(line), "{error}");
    }
}

#[test]
fn a_new_policy_that_is_wrong_is_refused_whole_and_the_one_before_stays() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let policy = Policy::builder().version("coded").build().unwrap();
    let events_to = Events::to(move |event| {
        sink.lock()
            .unwrap()
            .push((event.kind, event.detail.to_string()));
    });
    let handle = PolicyHandle::with_events(policy, events_to);
    assert_eq!(handle.reload_toml(TOML).unwrap().version(), "coded");
    let error = handle
        .reload_json(
            &JSON
                .replace("first", "second")
                .replace("[\"viewer\"] },\n", "[\"x\"] },\n"),
        )
        .unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(7), Some(21)));
    assert_eq!(handle.policy().version(), "first");
    let error = handle
        .reload_toml(&format!("lists.filter = false\n{TOML}"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 1: setting `lists` is the layer's, which a swap does not change"
    );
    assert_eq!(handle.policy().version(), "first");
    assert!(handle.reload_file("/no/such/policy.toml").is_err());
    let kinds: Vec<_> = events
        .lock()
        .unwrap()
        .iter()
        .map(|(kind, _)| *kind)
        .collect();
    assert_eq!(
        kinds,
        [
            "policy_swapped",
            "policy_refused",
            "policy_refused",
            "policy_refused"
        ]
    );
    let detail = &events.lock().unwrap()[1].1;
    assert_eq!(
        *detail,
        format!(
            "policy `first` stays: {}",
            "line 7, column 21: role `x` is not declared, in rule `tool:read_*`"
        )
    );
}

#[test]
fn a_file_is_read_again_by_the_layer_that_was_made_of_it() {
    let limited = format!("{TOML}[lists]\nmost_bytes = 77\n");
    let layer = RbacLayer::try_from(RbacConfig::from_toml(&limited).unwrap()).unwrap();
    let handle = layer.handle();
    let directory = std::env::temp_dir().join(format!("bartizan-rbac-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("policy.toml");
    std::fs::write(&path, limited.replace("first", "second")).unwrap();
    let before = handle.reload_file(&path);
    std::fs::write(&path, TOML).unwrap();
    let other_lists = handle.reload_file(&path);
    let odd = directory.join("policy.yaml");
    std::fs::write(&odd, TOML).unwrap();
    let named_oddly = handle.reload_file(&odd);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(before.unwrap().version(), "first");
    assert_eq!(handle.policy().version(), "second");
    assert!(other_lists.unwrap_err().to_string().contains("`lists`"));
    assert!(named_oddly.unwrap_err().to_string().contains("policy.yaml"));
}

#[test]
fn a_condition_that_is_wrong_is_told_with_its_line() {
    for (requires, named) in [
        ("{ argument = 'owner', is = 'subjct' }", "subjct"),
        ("{ argument = 'owner' }", "argument `owner` is not tested"),
        (
            "{ argument = 'owner', one_of = [] }",
            "argument `owner` is one of none",
        ),
        (
            "{ argument = 'n', at_least = 2, at_most = 1 }",
            "argument `n` has a least",
        ),
        ("{ argument = 'n', one_of = [1] }", "at_least"),
        (
            "{ argument = 'owner', is = 'subject', role = 'viewer' }",
            "two things",
        ),
        ("{ role = 'viewr' }", "role `viewr` is not declared"),
        ("{ role = 'viewer', or_absent = true }", "two things"),
        ("{ arguments = 'owner' }", "arguments"),
        ("{}", "speaks of nothing"),
    ] {
        let text =
            format!("preset = 'enterprise'\n[[rules]]\ntool = 't'\nrequires = [{requires}]\n");
        let error = RbacConfig::from_toml(&text).unwrap_err();
        assert!(error.to_string().contains(named), "{requires}: {error}");
        assert!(matches!(error.line(), Some(2..=4)), "{requires}: {error}");
    }
}

#[test]
fn a_text_that_says_nothing_is_no_policy() {
    for text in [
        "",
        " \n# soon\n",
        "version = '2'\n",
        "without_baseline = true",
    ] {
        let error = RbacConfig::from_toml(text).unwrap_err();
        assert!(error.to_string().contains("says nothing"), "{error}");
    }
    for text in ["{}", r#"{"version": "2", "rules": []}"#] {
        let error = RbacConfig::from_json(text).unwrap_err();
        assert!(error.to_string().contains("says nothing"), "{error}");
    }
    assert!(RbacConfig::from_toml("preset = 'enterprise'").is_ok());
}

#[test]
fn settings_of_a_layer_are_not_dropped_where_only_a_policy_is_made() {
    for (setting, text) in [
        ("lists", "lists.filter = false\n"),
        ("call_limits", "call_limits.body_bytes = 77\n"),
    ] {
        let config = RbacConfig::from_toml(&format!("{text}{TOML}")).unwrap();
        let error = Policy::try_from(config.clone()).unwrap_err().to_string();
        assert!(error.contains(&format!("`{setting}`")), "{error}");
        assert!(RbacLayer::try_from(config).is_ok());
    }
}

#[test]
fn a_layer_of_a_configuration_tells_of_its_reloads() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let events_to = Events::to(move |event| sink.lock().unwrap().push(event.kind));
    let limited = format!("call_limits.body_bytes = 77\n{TOML}");
    let config = RbacConfig::from_toml(&limited).unwrap();
    let handle = RbacLayer::from_config(config, events_to).unwrap().handle();
    let second = limited.replace("first", "second");
    assert_eq!(handle.reload_toml(&second).unwrap().version(), "first");
    assert!(handle.reload_toml(TOML).is_err(), "other limits");
    assert_eq!(
        *events.lock().unwrap(),
        ["policy_swapped", "policy_refused"]
    );
}

/// A directory that goes with the test.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("bartizan-rbac-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_nobody_waits() {
    let directory = Directory::new("odd");
    let handle = PolicyHandle::new(Policy::enterprise().build().unwrap());
    let path = directory.0.join("policy.toml");
    std::fs::create_dir(&path).unwrap();
    let error = handle.reload_file(&path).unwrap_err().to_string();
    assert!(error.contains("is no regular file"), "{error}");
    #[cfg(unix)]
    {
        let pipe = directory.0.join("pipe.toml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|made| made.success()) {
            let error = handle.reload_file(&pipe).unwrap_err().to_string();
            assert!(error.contains("is no regular file"), "{error}");
        }
    }
}

#[test]
fn no_reload_brings_back_what_an_earlier_one_read() {
    let directory = Directory::new("reload");
    let path = directory.0.join("policy.toml");
    let write = |version: usize| {
        let beside = directory.0.join("next");
        std::fs::write(&beside, TOML.replace("first", &version.to_string())).unwrap();
        std::fs::rename(&beside, &path).unwrap();
    };
    let handle = PolicyHandle::new(Policy::enterprise().build().unwrap());
    write(0);
    for version in 1..300 {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| handle.reload_file(&path).unwrap());
            }
            write(version);
            handle.reload_file(&path).unwrap();
        });
        assert_eq!(handle.policy().version(), version.to_string());
    }
}

/// The next policy asked besides, and admins told.
const BESIDE: &str = "
[decision_header]
name = 'x-authz-decision'
role = 'admin'

[shadow]
version = 'next'
preset = 'enterprise'

[[shadow.rules]]
tool = 'read_*'
any_role = ['admin']
";

#[test]
fn what_is_wrong_with_a_shadow_is_told_with_its_line_and_its_name() {
    let whole = format!("{TOML}{BESIDE}");
    RbacConfig::from_toml(&whole).unwrap();
    for (from, to, line, named) in [
        (
            "['admin']",
            "['viewr']",
            26,
            "role `viewr` is not declared, in rule `tool:read_*`, in shadow",
        ),
        ("'next'", "'the next'", 21, "version `the next`"),
        (
            "[shadow]",
            "[shadow]\nlists = { filter = false }",
            21,
            "setting `lists`",
        ),
        ("[shadow]", "[shadow]\nrule = 1", 21, "rule"),
        ("role = 'admin'", "role = 'admn'", 18, "role `admn`"),
        ("x-authz-decision", "set-cookie", 17, "header `set-cookie`"),
        ("name = 'x-authz-decision'", "", 16, "name"),
        (
            "name = 'x-authz-decision'",
            "name = 'x-a'\nnames = 'x-a'",
            18,
            "names",
        ),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_ne!(text, whole);
        let error = RbacConfig::from_toml(&text).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.line(), Some(line), "{error}");
    }
    let json = |rule: &str| {
        let shadow = format!(
            r#"[{{ "tool": "x", "deny": true }},
{rule}]"#
        );
        let shadow = shadow.replace("\\n", "\n");
        JSON.replacen(
            '{',
            &format!("{{ \"shadow\":\n{{ \"rules\":\n{shadow} }},"),
            1,
        )
    };
    RbacConfig::from_json(&json(r#"{ "tool": "y", "deny": true }"#)).unwrap();
    let error = RbacConfig::from_json(&json(r#"{ "tool": "y", "any_role": ["z"] }"#)).unwrap_err();
    assert_eq!(error.line(), Some(4), "{error}");
    assert!(error.to_string().contains("role `z`"), "{error}");
    for empty in ["[shadow]\n", "[shadow]\nversion = '2'\n"] {
        let error = RbacConfig::from_toml(&format!("{TOML}{empty}")).unwrap_err();
        assert!(
            error.to_string().contains("`shadow` says nothing"),
            "{error}"
        );
    }
    let both = format!("{whole}\n[shadow.shadow]\npreset = 'enterprise'\n");
    let error = RbacConfig::from_toml(&both).unwrap_err().to_string();
    assert!(error.contains("setting `shadow`"), "{error}");
    for setting in ["shadow", "decision_header"] {
        let mut config = RbacConfig::from_toml(&whole).unwrap();
        match setting {
            "shadow" => config.decision_header = None,
            _ => config.shadow = None,
        }
        let error = Policy::try_from(config).unwrap_err().to_string();
        assert!(error.contains(&format!("`{setting}`")), "{error}");
    }
}

#[tokio::test]
async fn a_reload_swaps_the_policy_and_the_one_in_its_shadow_together() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let events_to = Events::to(move |event| sink.lock().unwrap().push(event.detail.to_string()));
    let whole = format!("{TOML}{BESIDE}");
    let config = RbacConfig::from_toml(&whole).unwrap();
    let layer = RbacLayer::from_config(config, events_to).unwrap();
    let handle = layer.handle();
    let differs = async |layer: &RbacLayer| {
        let asked = ask(layer, &Caller::user(&["viewer"], &[]), "read_note").await;
        let mut notes = asked.findings.iter().filter(|f| f.kind == "shadow_differs");
        notes.next().map(|note| note.reason.to_string())
    };
    let told = differs(&layer).await.unwrap();
    assert!(
        told.contains("policy `first`") && told.contains("policy `next`"),
        "{told}"
    );
    let asked = ask(&layer, &Caller::user(&["admin"], &[]), "read_note").await;
    assert!(asked.header.unwrap().contains("version=\"first\""));

    // A swap by hand says nothing of the shadow.
    let by_hand = Policy::try_from(RbacConfig::from_toml(TOML).unwrap()).unwrap();
    handle.swap(by_hand);
    assert!(differs(&layer).await.is_some());
    // A text says all of it, and one that is wrong changes nothing.
    let narrower = whole
        .replace("'next'", "'second'")
        .replace("'first'", "'other'");
    assert!(
        handle
            .reload_toml(&narrower.replace("['admin']", "['x']"))
            .is_err()
    );
    assert!(differs(&layer).await.unwrap().contains("policy `next`"));
    handle.reload_toml(&narrower).unwrap();
    assert!(differs(&layer).await.unwrap().contains("policy `second`"));
    let plain = whole.split("[shadow]").next().unwrap();
    handle.reload_toml(plain).unwrap();
    assert_eq!(differs(&layer).await, None);
    // What the layer was told by hand counts before what a text says.
    let named = layer.shadow(Policy::enterprise().version("named").build().unwrap());
    assert!(differs(&named).await.unwrap().contains("policy `named`"));
    let error = handle.reload_toml(TOML).unwrap_err().to_string();
    assert!(
        error.contains("`decision_header` is the layer's"),
        "{error}"
    );
    let details = events.lock().unwrap().join("\n");
    assert!(
        details.contains("policy `other` took the place of `first`, with `second` in shadow"),
        "{details}"
    );
}
