use super::*;
use crate::JsonLines;

fn build(json: &str) -> Result<AuditLayer, String> {
    let config: AuditConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
    config
        .try_into()
        .map_err(|e: AuditConfigError| e.to_string())
}

#[test]
fn every_setting_reaches_the_layer() {
    let from_file = build(
        r#"{ "sink": "stderr", "capacity": 10, "correlation_header": "x-id",
             "danger_continue_without_record": true, "destructive": ["delete_*"], "level": "shape", "sensitive_names": ["kennitala"],
             "level_rules": [{ "level": "arguments", "tools": ["pay"], "events": ["tool_call"] }] }"#,
    );
    let pay = LevelRule::new(Level::Arguments).tool("pay").unwrap();
    let pay = pay.event("tool_call").unwrap();
    let names = Names::new().with("kennitala").unwrap();
    let by_hand = AuditLayer::new(JsonLines::stderr())
        .correlation_header("x-id")
        .unwrap()
        .danger_continue_without_record()
        .destructive(["delete_*"])
        .unwrap()
        .levels(Levels::new(Level::Shape).rule(pay))
        .redactor(Redactor::new().names(names))
        .unwrap();
    assert_eq!(format!("{:?}", from_file.unwrap()), format!("{by_hand:?}"));
    let without = build(r#"{ "without_correlation_header": true }"#).unwrap();
    assert!(format!("{without:?}").contains("correlation_header: None"));
}

#[test]
fn a_contradiction_or_an_unknown_field_names_itself() {
    for (json, named) in [
        (r#"{ "sinks": "stdout" }"#, "sinks"),
        (r#"{ "sink": "syslog" }"#, "syslog"),
        (
            r#"{ "sink": { "append": "/nowhere/audit.log" } }"#,
            "/nowhere/audit.log",
        ),
        (r#"{ "capacity": 0 }"#, "capacity `0`"),
        (r#"{ "correlation_header": "set-cookie" }"#, "set-cookie"),
        (r#"{ "level": "all" }"#, "all"),
        (
            r#"{ "level_rules": [{ "level": "none", "events": ["tool_cal"] }] }"#,
            "`tool_cal`",
        ),
        (
            r#"{ "level_rules": [{ "level": "none", "tools": [""] }] }"#,
            "level's tool",
        ),
        (r#"{ "sensitive_names": ["--"] }"#, "`--`"),
        (
            r#"{ "correlation_header": "x-id", "without_correlation_header": true }"#,
            "x-id",
        ),
    ] {
        let error = build(json).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}

/// Files of keys in a folder, each its owner's alone.
#[cfg(unix)]
mod keyed {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("mac", vec![7; 32]),
            ("seed", vec![9; 32]),
            ("short", vec![7; 31]),
        ] {
            put(&folder.path().join(name), &bytes, 0o600);
        }
        folder
    }

    fn put(path: &Path, bytes: &[u8], mode: u32) {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `@` stands for the folder.
    fn build_in(folder: &TempDir, json: &str) -> Result<AuditLayer, String> {
        build(&json.replace('@', folder.path().to_str().unwrap()))
    }

    #[test]
    fn a_key_that_everybody_may_read_is_refused_and_named() {
        let folder = folder();
        let pseudonyms = r#"{ "pseudonyms": { "key": { "number": 1, "path": "@/mac" } } }"#;
        for (mode, is_good) in [
            (0o600, true),
            (0o400, true),
            (0o440, true),
            (0o640, true),
            (0o604, false),
            (0o644, false),
            (0o620, false),
            (0o601, false),
        ] {
            put(&folder.path().join("mac"), &[7; 32], mode);
            match build_in(&folder, pseudonyms) {
                Ok(_) => assert!(is_good, "{mode:o}"),
                Err(error) => {
                    assert!(!is_good, "{mode:o}: {error}");
                    assert!(error.contains("/mac` has mode"), "{error}");
                    assert!(error.contains(&format!("{mode:o}")), "{error}");
                }
            }
            fs::remove_file(folder.path().join("mac")).unwrap();
        }
    }

    #[test]
    fn what_is_no_key_names_its_file_and_shows_nothing_of_it() {
        let folder = folder();
        put(&folder.path().join("long"), &[b'k'; 4097], 0o600);
        for (key, problem) in [
            ("short", "less than 32 bytes"),
            ("absent", "can't be read"),
            ("long", "too long"),
            (".", "no regular file"),
        ] {
            let json = r#"{ "pseudonyms": { "key": { "number": 1, "path": "@/KEY" } } }"#;
            let error = build_in(&folder, &json.replace("KEY", key)).unwrap_err();
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("kk"), "{error}");
        }
        let kinds =
            r#"{ "pseudonyms": { "key": { "number": 1, "path": "@/mac" }, "kinds": ["mail"] } }"#;
        assert!(build_in(&folder, kinds).unwrap_err().contains("`mail`"));
    }

    #[cfg(feature = "file")]
    #[test]
    fn a_pipe_in_place_of_a_key_is_not_waited_for() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let json = r#"{ "pseudonyms": { "key": { "number": 1, "path": "@/pipe" } } }"#;
        let error = build_in(&folder, json).unwrap_err();
        assert!(error.contains("no regular file"), "{error}");
    }

    #[cfg(feature = "file")]
    #[test]
    fn a_file_that_is_not_as_it_may_be_names_itself() {
        let folder = folder();
        for (json, named) in [
            (r#"{ "sink": { "file": {} } }"#, "path"),
            (
                r#"{ "sink": { "file": { "path": "@/log", "rotate": 1 } } }"#,
                "rotate",
            ),
            (
                r#"{ "sink": { "file": { "path": "/nowhere/log" } } }"#,
                "/nowhere/log",
            ),
            (
                r#"{ "sink": { "file": { "path": "@/log", "rotate_at_bytes": 9 } } }"#,
                "rotate_at `9`",
            ),
            (
                r#"{ "sink": { "file": { "path": "@/log", "rotate_every_seconds": 0 } } }"#,
                "rotate_every `0",
            ),
            (
                r#"{ "sink": { "file": { "path": "@/log", "sync": "sometimes" } } }"#,
                "sometimes",
            ),
            (
                r#"{ "sink": { "file": { "path": "@/log" } }, "overflow": { "wait_ms": 0 } }"#,
                "overflow wait `0",
            ),
            (
                r#"{ "overflow": { "spill": "/nowhere/spill" } }"#,
                "/nowhere/spill",
            ),
            (
                r#"{ "sink": { "file": { "path": "@/log" } }, "overflow": { "spill": "@/./log" } }"#,
                "another one writes it",
            ),
            (
                r#"{ "sink": { "append": "@/lines" }, "overflow": { "spill": "@/./lines" } }"#,
                "is the log itself",
            ),
            (r#"{ "overflow": "drop" }"#, "drop"),
            (r#"{ "destructive": ["a?"] }"#, "`a?`"),
        ] {
            let error = build_in(&folder, json).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[cfg(feature = "chain")]
    const CHAINED: &str = r#"{
        "sink": { "file": {
            "path": "@/audit.log", "rotate_at_bytes": 4096, "sync": "always",
            "chain": {
                "mac_key": { "number": 2, "path": "@/mac" }, "signing_key": "@/seed",
                "older_mac_keys": [{ "number": 1, "path": "@/old" }],
                "checkpoint_lines": 10, "checkpoint_seconds": 5, "heads": "@/heads"
            }
        } },
        "overflow": { "spill": "@/spill" }, "destructive": ["delete_*"]
    }"#;

    #[cfg(feature = "chain")]
    #[test]
    fn a_chain_that_is_not_as_it_may_be_names_itself_and_makes_no_log() {
        let folder = folder();
        put(&folder.path().join("old"), &[8; 32], 0o600);
        for (good, bad, named) in [
            (
                "@/seed",
                "@/short",
                "/short` is not a seed of exactly 32 bytes",
            ),
            ("@/mac", "@/short", "mac key `2` has less than 32 bytes"),
            (
                r#""number": 1"#,
                r#""number": 2"#,
                "mac key `2` is there twice",
            ),
            (r#""signing_key""#, r#""signing""#, "signing"),
        ] {
            let error = build_in(&folder, &CHAINED.replace(good, bad)).unwrap_err();
            assert!(error.contains(named), "{error}");
            assert!(!folder.path().join("audit.log").exists(), "{bad}");
        }
        for (good, bad, named) in [
            (
                r#""checkpoint_lines": 10"#,
                r#""checkpoint_lines": 0"#,
                "checkpoints every `0`",
            ),
            (
                r#""checkpoint_seconds": 5"#,
                r#""checkpoint_seconds": 0"#,
                "checkpoints within `0",
            ),
            ("@/heads", "/nowhere/heads", "/nowhere/heads"),
            ("@/heads", "@/audit.log", "another one writes it"),
            ("@/spill", "@/audit.log", "another one writes it"),
            (
                "@/heads",
                "/dev/null",
                "heads `/dev/null` is no regular file",
            ),
        ] {
            let error = build_in(&folder, &CHAINED.replace(good, bad)).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[cfg(feature = "chain")]
    #[test]
    fn what_is_read_is_what_is_written_again() {
        let config: AuditConfig = serde_json::from_str(CHAINED).unwrap();
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<AuditConfig>(&again).unwrap(), config);
        let again = serde_json::to_string(&AuditConfig::default()).unwrap();
        let again: AuditConfig = serde_json::from_str(&again).unwrap();
        assert_eq!(again, AuditConfig::default());
    }

    #[cfg(feature = "chain")]
    #[test]
    fn a_chained_log_by_its_configuration_rotates_and_verifies_by_its_last_head() {
        use crate::{Head, verify};
        let folder = folder();
        put(&folder.path().join("old"), &[8; 32], 0o600);
        let layer = build_in(&folder, CHAINED).unwrap();
        let events = layer.recorded_events();
        for _ in 0..25 {
            events.emit(&bartizan_core::Event::new(
                "rbac",
                bartizan_core::Severity::Info,
                "policy_swapped",
                "7",
            ));
        }
        drop(events);
        layer.flush(Duration::from_secs(10)).unwrap();
        drop(layer);
        let path = |name: &str| folder.path().join(name);
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.retain(|name| name.to_str().unwrap().contains("audit.log."));
        names.sort();
        assert!(!names.is_empty(), "it rotates");
        names.push(path("audit.log"));
        let files: Vec<_> = names.iter().map(|name| fs::read(name).unwrap()).collect();
        let heads = fs::read_to_string(path("heads")).unwrap();
        let head: Head = heads.lines().last().unwrap().parse().unwrap();
        let config: AuditConfig =
            serde_json::from_str(&CHAINED.replace('@', folder.path().to_str().unwrap())).unwrap();
        let SinkChoice::File(FileConfig {
            chain: Some(chain), ..
        }) = config.sink
        else {
            panic!("{config:?}");
        };
        let keys = chain.keys().unwrap().verifying();
        let report = verify(files.iter().map(|file| &**file), &keys, Some(&head)).unwrap();
        assert!(report.is_good(), "{report:?}");
        assert!(report.lines >= 25, "{report:?}");
        let mode = fs::metadata(path("heads")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
