//! The example `audit_verify`, on a log that the layer wrote.

use std::{
    convert::Infallible,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use bartizan::{
    AuditLayer, Secret,
    audit::{Chain, ChainKeys, Queue, RotatingFile},
};
use http::{Request, Response};
use tempfile::TempDir;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::examples::program;

/// A chained log of some calls, and what verifies it.
struct Scene {
    folder: TempDir,
}

impl Scene {
    async fn new(calls: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mac, seed) = (vec![7; 32], Secret::from(vec![9; 32]));
        let keys = ChainKeys::new(1, &Secret::from(mac.clone()), &seed).unwrap();
        let public = keys.public_key();
        let public: String = public.iter().map(|byte| format!("{byte:02x}")).collect();
        let heads = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&heads);
        let file = RotatingFile::open(folder.path().join("audit.log")).unwrap();
        let chain = Chain::over(file, keys).unwrap();
        let chain = chain.checkpoints(2, Duration::from_secs(60)).unwrap();
        let chain = chain.heads(move |head| *told.lock().unwrap() += &format!("{head}\n"));
        let layer = AuditLayer::new(Queue::to(chain));
        for _ in 0..calls {
            let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Body::empty())));
            layer
                .layer(service)
                .oneshot(Request::new(Body::empty()))
                .await
                .unwrap();
        }
        layer.flush(Duration::from_secs(30)).unwrap();
        drop(layer);
        let scene = Self { folder };
        fs::write(scene.path("audit.pub"), public).unwrap();
        fs::write(scene.path("audit.mac"), mac).unwrap();
        fs::write(scene.path("head.json"), &*heads.lock().unwrap()).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn lines(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("audit.log")).unwrap();
        log.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn rewrite(&self, lines: &[String]) {
        fs::write(self.path("audit.log"), lines.concat()).unwrap();
    }

    /// The exit code, and all that is said.
    fn verify(&self, arguments: &[&str]) -> (i32, String) {
        let mut program = program("audit_verify");
        let output = program
            .current_dir(self.folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    }
}

const KEYS: [&str; 5] = [
    "--public-key",
    "audit.pub",
    "--mac",
    "1=audit.mac",
    "audit.log",
];
const WITH_HEAD: [&str; 5] = [
    "--public-key",
    "audit.pub",
    "--head",
    "head.json",
    "audit.log",
];

#[tokio::test]
async fn a_log_that_was_left_alone_is_good_and_how_far_is_told() {
    let scene = Scene::new(6).await;
    let count = scene.lines().len();
    for (arguments, code) in [(&KEYS[..], 0), (&WITH_HEAD, 0), (&["audit.log"], 3)] {
        let (found, said) = scene.verify(arguments);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(&format!("good: {count} lines")), "{said}");
        assert!(said.contains("bad: nothing"), "{said}");
    }
}

#[tokio::test]
async fn a_line_that_was_altered_is_named() {
    let scene = Scene::new(6).await;
    let mut lines = scene.lines();
    // Behind two records and two checkpoints.
    let altered = lines[4].replace("\"status\":200", "\"status\":403");
    assert_ne!(altered, lines[4]);
    lines[4] = altered;
    scene.rewrite(&lines);
    let (code, said) = scene.verify(&KEYS);
    assert_eq!(code, 1, "{said}");
    let named = "bad: altered: file 1, line 5, where record 5 is expected (audit.log)";
    assert!(said.contains(named), "{said}");
    assert!(said.contains("good: 4 lines, 2 checkpoints"), "{said}");
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_with_the_head_that_was_kept() {
    let scene = Scene::new(6).await;
    let mut lines = scene.lines();
    lines.truncate(4);
    scene.rewrite(&lines);
    let (code, said) = scene.verify(&WITH_HEAD);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("bad: truncated"), "{said}");
    // Without it nobody can tell, and that is told.
    let (code, said) = scene.verify(&KEYS);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("head: none"), "{said}");
}

#[tokio::test]
async fn there_is_no_telling_of_what_can_t_be_read() {
    let scene = Scene::new(1).await;
    fs::write(scene.path("empty.log"), "").unwrap();
    fs::write(scene.path("short.pub"), "abcd").unwrap();
    for arguments in [
        &["--public-key", "audit.pub", "empty.log"][..],
        &["--public-key", "short.pub", "audit.log"],
        &["--public-key", "audit.pub", "absent.log"],
        &["--mac", "audit.mac", "audit.log"],
        &["--nothing", "audit.log"],
        &[],
    ] {
        let (code, said) = scene.verify(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
    }
}
