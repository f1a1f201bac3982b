//! Tests in a process of their own, and what is not possible everywhere.

use std::{env, io::Write, process::Command};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Says why a test is skipped.
pub(super) fn told(is_possible: bool, why: &str) -> bool {
    if !is_possible {
        let skipped = format!("skipped: {why}\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    is_possible
}

pub(super) const CHILD: &str = "BARTIZAN_AUDIT_OUTAGE";

pub(super) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs the tests of this name in a process of their own, in which limits harm nobody else and a file's ends
/// no process; `true` if this is it.
pub(super) fn in_a_child(name: &str, around: &[&str]) -> bool {
    if is_child() {
        return true;
    }
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let child = command.args(around).arg(env::current_exe().unwrap());
    let output = child.arg(name).env(CHILD, "yes").output().unwrap();
    let (out, err) = (output.stdout, output.stderr);
    let said = String::from_utf8_lossy(&out) + String::from_utf8_lossy(&err);
    let is_good = output.status.success() && said.contains("1 passed");
    assert!(is_good, "{said}");
    false
}

/// How large this process may make a file; of it alone.
pub(super) fn limit(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}
