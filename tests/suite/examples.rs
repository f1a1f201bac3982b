//! Examples as programs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use crate::workspace;

/// The program of an example. `cargo test` has built it, unless one target alone is tested: then it is built here.
pub(crate) fn program(name: &str) -> Command {
    let this = env::current_exe().unwrap();
    let profile = this.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    let built = |path: &PathBuf| fs::metadata(path).and_then(|it| it.modified()).ok();
    let changed = newest(&workspace::root().join("examples").join(name));
    if built(&program).is_none_or(|built| built < changed) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--all-features", "--example", name]);
        cargo.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let status = cargo.current_dir(workspace::root()).status().unwrap();
        assert!(status.success(), "example `{name}` does not build");
    }
    Command::new(program)
}

fn newest(path: &Path) -> SystemTime {
    let own = fs::metadata(path).unwrap();
    let mut newest = SystemTime::UNIX_EPOCH;
    if own.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            newest = newest.max(self::newest(&entry.unwrap().path()));
        }
    } else {
        newest = own.modified().unwrap();
    }
    newest
}
