//! The example `keys`, on each store.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use bartizan_kit::PostgresServer;
use serde_json::Value;

#[path = "../../examples/keys/command/mod.rs"]
mod command;

/// A folder with a pepper in it, and a store that may be there too. It goes with the value.
struct Scene {
    folder: PathBuf,
    store: String,
}

impl Scene {
    fn new(test: &str, store: impl FnOnce(&Path) -> String) -> Self {
        let name = format!("bartizan-suite-keys-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let store = store(&folder);
        Self { folder, store }
    }

    fn pepper(&self) -> PathBuf {
        self.folder.join("pepper")
    }

    /// The code, standard output, and what is told besides.
    async fn with(&self, arguments: &[&str], input: &str) -> (u8, String, String) {
        let pepper = self.pepper();
        let pepper = pepper.to_str().unwrap();
        let options = ["--store", &self.store, "--pepper-file", pepper];
        let arguments = options.iter().chain(arguments).map(OsString::from);
        let input = input.to_owned();
        match command::run(arguments, |_| None, || Ok(input)).await {
            Ok(done) => (done.code, done.out, done.said),
            Err(failure) => (failure.code(), String::new(), failure.to_string()),
        }
    }

    async fn done(&self, arguments: &[&str]) -> String {
        let (code, out, said) = self.with(arguments, "").await;
        assert_eq!(code, 0, "{arguments:?}: {said}");
        out
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [&["--json"], arguments].concat();
        serde_json::from_str(&self.done(&arguments).await).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn id_of(key: &str) -> &str {
    key.trim().split('_').nth(2).unwrap()
}

async fn a_whole_life(scene: &Scene) {
    scene.done(&["init"]).await;
    let issue = [
        "issue",
        "ci",
        "--role",
        "developer",
        "--tool",
        "read_*",
        "--life",
        "30d",
    ];
    let key = scene.done(&issue).await;
    assert!(
        key.starts_with("acme_live_") && key.ends_with('\n'),
        "{key}"
    );
    assert_eq!(key.lines().count(), 1);
    let id = id_of(&key);
    let table = scene.done(&["list"]).await;
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains(id) && table.contains(" good ") && table.contains("never"));
    let secret = key.trim().rsplit('_').next().unwrap();
    assert!(!table.contains(secret));

    let (code, new, said) = scene.with(&["rotate", id, "--overlap", "24h"], "").await;
    assert_eq!(code, 0);
    let record = scene.json(&["inspect", id]).await;
    assert_eq!(record["successor"], id_of(&new));
    assert_eq!(record["state"], "rotated");
    let details = scene.done(&["inspect", id]).await;
    let expires = details
        .lines()
        .find_map(|line| line.strip_prefix("expires"));
    let expires = expires.unwrap().trim();
    assert!(said.contains(&format!("is good until {expires}")), "{said}");
    assert_eq!(scene.with(&["rotate", id], "").await.0, 1, "a second time");

    let (code, out, _) = scene.with(&["leaked"], &new).await;
    assert_eq!((code, &*out), (0, ""));
    assert_eq!(scene.with(&["leaked"], "no key").await.0, 1);
    let revoked = scene.json(&["inspect", id_of(&new)]).await;
    assert_eq!(revoked["state"], "revoked");
    scene
        .done(&["revoke", id, "--reason", "its owner left"])
        .await;
    let revoked = scene.json(&["inspect", id]).await;
    assert_eq!(revoked["revoked"]["reason"], "its owner left");
    let nobody = ["revoke", "aaaaaaaaaaaaaaaa", "--reason", "x"];
    assert_eq!(scene.with(&nobody, "").await.0, 1);
    // Servers may remember them still.
    let removed = scene.json(&["remove-ended", "--older-than", "0s"]).await;
    assert_eq!(removed["removed"], 0);
    let list = scene.json(&["list"]).await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(list[0].get("hash").is_none());

    let issued = scene.with(&["issue", "--honey", "old backup"], "").await;
    let (code, honey, said) = issued;
    assert!(code == 0 && said.contains("is a honey key"), "{said}");
    let id = id_of(&honey);
    let record = scene.json(&["inspect", id]).await;
    assert_eq!(
        (&record["state"], &record["grant"]["name"]),
        (&"honey".into(), &"old backup".into())
    );
    for (arguments, input) in [(&["rotate", id][..], ""), (&["leaked"], &honey)] {
        let (code, _, said) = scene.with(arguments, input).await;
        assert_eq!(code, 1);
        assert!(said.contains("is a honey key"), "{said}");
    }
    for wrong in [
        &["issue"][..],
        &["issue", "ci", "--honey", "x"],
        &["issue", "--honey", "x", "--role", "admin"],
    ] {
        assert_eq!(scene.with(wrong, "").await.0, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn keys_live_and_end_in_a_file() {
    a_whole_life(&Scene::new("file", |folder| {
        format!("file:{}", folder.join("keys.json").display())
    }))
    .await;
}

#[tokio::test]
async fn keys_live_and_end_in_sqlite() {
    a_whole_life(&Scene::new("sqlite", |folder| {
        format!("sqlite:{}", folder.join("keys.db").display())
    }))
    .await;
}

#[tokio::test]
async fn keys_live_and_end_in_postgresql() {
    if let Some(server) = PostgresServer::start() {
        a_whole_life(&Scene::new("postgres", |_| server.url())).await;
    }
}

#[tokio::test]
async fn a_name_that_steers_a_terminal_is_shown_and_steers_none() {
    let scene = Scene::new("terminal", |folder| {
        format!("file:{}", folder.join("keys.json").display())
    });
    scene.done(&["init"]).await;
    let refused = scene
        .with(&["issue", "ci", "--name", "a\u{1b}[2Jb"], "")
        .await;
    assert_eq!((refused.0, refused.2.contains('\u{1b}')), (2, false));
    let key = scene.done(&["issue", "ci", "--name", "steers"]).await;
    // Somebody wrote it into the file.
    let file = scene.folder.join("keys.json");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("steers", r"a\u001b[2J\u009b2J\u202eb");
    fs::write(&file, text).unwrap();
    for command in [
        &["list"][..],
        &["inspect", id_of(&key)],
        &["--json", "list"],
    ] {
        let out = scene.done(command).await;
        let is_plain = |c: char| matches!(c, ' '..='~' | '\n');
        assert!(out.chars().all(is_plain), "{out:?}");
    }
}

#[tokio::test]
async fn what_can_t_be_is_told_by_the_exit_code() {
    let scene = Scene::new("codes", |_| "memory".to_owned());
    assert_eq!(scene.with(&["list"], "").await.0, 3, "no pepper");
    scene.done(&["init"]).await;
    for wrong in [
        &["list", "--role", "admin"][..],
        &["issue", "ci", "--life", "soon"],
        &["issue", "ci", "--network", "here"],
        &["issue", "ci", "--environment", "prod"],
        &["revoke", "aaaaaaaaaaaaaaaa"],
        &["inspect", "x"],
        &["--schema", "keys", "list"],
        &["nothing"],
        &[],
    ] {
        assert_eq!(scene.with(wrong, "").await.0, 2, "{wrong:?}");
    }
    fs::set_permissions(scene.pepper(), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, said) = scene.with(&["list"], "").await;
    assert_eq!(code, 3, "{said}");
    let mode = fs::metadata(scene.pepper()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "it is left as it is");
}
