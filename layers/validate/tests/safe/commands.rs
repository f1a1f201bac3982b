//! Real programs.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    time::{Duration, Instant},
};

use bartizan_validate::safe::{
    SafeArg,
    command::{CommandErrorKind, Programs, SafeCommand},
};

use crate::vectors::vectors;

const ARGUMENTS: &str = include_str!("../../../../tests/vectors/safe/arguments.txt");

fn command(path: &str) -> SafeCommand {
    let programs = Programs::new().danger_allow(path).unwrap();
    programs.command(path.rsplit('/').next().unwrap()).unwrap()
}

/// What the rest of the file says to a shell, which stands for a program of several processes.
fn shell(script: &'static str) -> SafeCommand {
    command("/bin/sh").fixed("-c").fixed(script)
}

fn arg(text: &str) -> SafeArg {
    SafeArg::new(text).unwrap()
}

#[tokio::test]
async fn seed_v8_what_shells_read_arrives_as_it_is() {
    for (verdict, value) in vectors(ARGUMENTS) {
        if verdict == "refused" {
            continue;
        }
        let printf = command("/usr/bin/printf").fixed("%s|");
        let finished = printf
            .danger_without_separator()
            .operand(&arg(&value))
            .operand(&arg("end"));
        let finished = finished.run().await.unwrap();
        assert!(finished.is_success());
        assert_eq!(
            str::from_utf8(finished.stdout()).unwrap(),
            format!("{value}|end|")
        );
    }
}

#[tokio::test]
async fn seed_v8_operands_stand_behind_options_and_a_separator() {
    let echo = command("/bin/echo").operand(&arg("one")).fixed("-n");
    let echo = echo
        .option("--author", &arg("ann"))
        .option("-c", &SafeArg::from(5));
    let finished = echo.operand(&arg("two")).run().await.unwrap();
    assert_eq!(finished.stdout(), b"--author=ann -c 5 -- one two");
    let finished = command("/bin/echo").fixed("a").run().await.unwrap();
    assert_eq!(finished.stdout(), b"a\n");
}

#[tokio::test]
async fn nothing_of_the_server_reaches_the_program() {
    let finished = command("/usr/bin/env").run().await.unwrap();
    assert_eq!(finished.stdout(), b"");
    let finished = command("/usr/bin/env")
        .env("LANG", "C")
        .run()
        .await
        .unwrap();
    assert_eq!(finished.stdout(), b"LANG=C\n");
    let finished = command("/bin/pwd").run().await.unwrap();
    assert_eq!(finished.stdout(), b"/\n");
    let folder = tempfile::tempdir().unwrap();
    let finished = command("/bin/pwd")
        .folder(folder.path())
        .run()
        .await
        .unwrap();
    let real = folder.path().canonicalize().unwrap();
    assert_eq!(
        finished.stdout(),
        format!("{}\n", real.display()).as_bytes()
    );
    // A program that waits for input has none to wait for.
    let finished = command("/bin/cat").run().await.unwrap();
    assert!(finished.is_success() && finished.stdout().is_empty());
    // Nor does a file that the server has open.
    let file = fs::File::open("/etc/passwd").unwrap();
    let seen = command("/bin/ls")
        .fixed("-l")
        .fixed("/proc/self/fd")
        .run()
        .await
        .unwrap();
    assert!(
        !str::from_utf8(seen.stdout())
            .unwrap()
            .contains("/etc/passwd")
    );
    drop(file);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_rust_opened_is_closed_in_the_program() {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open("/etc/passwd").unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listed = command("/bin/ls").operand(&arg("/proc/self/fd"));
    let listed = listed.run().await.unwrap();
    let listed = String::from_utf8(listed.stdout().to_vec()).unwrap();
    let open: Vec<_> = listed.lines().collect();
    assert!(open.contains(&"1"), "{open:?}");
    // `ls` has the folder open under the least number that is free.
    for number in [file.as_raw_fd(), socket.as_raw_fd()]
        .into_iter()
        .filter(|n| *n > 3)
    {
        assert!(!open.contains(&number.to_string().as_str()), "{open:?}");
    }
}

#[tokio::test]
async fn failure_is_told_with_its_status_and_what_was_written() {
    let finished = command("/bin/ls")
        .operand(&arg("/nonexistent"))
        .run()
        .await
        .unwrap();
    assert!(!finished.is_success() && finished.code() == Some(2));
    assert!(!finished.stderr().is_empty());
    let finished = shell("kill -9 $$").run().await.unwrap();
    assert_eq!(finished.code(), None);
}

#[tokio::test]
async fn what_takes_too_long_is_ended_with_all_that_it_started() {
    let begun = Instant::now();
    let script = shell("sleep 300 & echo $!; sleep 300");
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pids");
    let script = script
        .env("PATH", "/usr/bin:/bin")
        .time_limit(Duration::from_millis(300));
    let error = script.run().await.unwrap_err();
    assert_eq!(error.kind(), CommandErrorKind::TimeLimit);
    assert!(begun.elapsed() < Duration::from_secs(10));

    let script = shell("sleep 300 & echo $! $$ > pids; wait").env("PATH", "/usr/bin:/bin");
    let script = script
        .folder(folder.path())
        .time_limit(Duration::from_millis(500));
    script.run().await.unwrap_err();
    assert_gone(&fs::read_to_string(note).unwrap()).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let begun = Instant::now();
    // The child of the shell holds the output open.
    let script = shell("sleep 300 & echo $!").env("PATH", "/usr/bin:/bin");
    let finished = script.run().await.unwrap();
    assert!(finished.is_success());
    assert_gone(str::from_utf8(finished.stdout()).unwrap()).await;
    // And here it does not.
    let script = shell("sleep 300 > /dev/null 2>&1 & echo $!").env("PATH", "/usr/bin:/bin");
    let finished = script.run().await.unwrap();
    assert_gone(str::from_utf8(finished.stdout()).unwrap()).await;
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pids");
    let script =
        shell("sleep 300 & echo $! $$ > made; mv made pids; wait").env("PATH", "/usr/bin:/bin");
    let running = tokio::spawn(script.folder(folder.path()).run());
    while !note.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_gone(&fs::read_to_string(note).unwrap()).await;
}

#[tokio::test]
async fn output_has_an_end() {
    let begun = Instant::now();
    let error = command("/usr/bin/yes").run().await.unwrap_err();
    assert_eq!(error.kind(), CommandErrorKind::OutputLimit);
    let error = shell("while :; do echo error >&2; done")
        .run()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), CommandErrorKind::OutputLimit);
    assert!(begun.elapsed() < Duration::from_secs(8));
    let echo = || command("/bin/echo").fixed("-n").fixed("12345");
    assert_eq!(
        echo().output_limit(5).run().await.unwrap().stdout(),
        b"12345"
    );
    let error = echo().output_limit(4).run().await.unwrap_err();
    assert_eq!(error.kind(), CommandErrorKind::OutputLimit);
}

#[tokio::test]
async fn a_program_that_is_gone_is_told_without_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::copy("/bin/echo", &program).unwrap();
    let programs = Programs::new().allow(&program).unwrap();
    fs::remove_file(program).unwrap();
    let error = programs
        .command("program")
        .unwrap()
        .run()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), CommandErrorKind::Start);
    assert_eq!(error.to_string(), "the program could not be started");
}

#[test]
fn seed_v8_only_programs_that_are_listed_and_sound_run() {
    let programs = Programs::new().allow("/bin/ls").unwrap();
    assert!(programs.command("ls").is_some());
    for name in ["rm", "/bin/ls", "LS", "ls ", "", ".."] {
        assert!(programs.command(name).is_none(), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = |name: &str, mode| {
        fs::write(at(name), "").unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        at(name)
    };
    symlink("/bin/sh", at("tool")).unwrap();
    for (path, problem) in [
        ("ls".into(), "is not absolute"),
        ("./ls".into(), "is not absolute"),
        ("/".into(), "has no name"),
        ("/bin/..".into(), "has no name"),
        ("/nonexistent/x".into(), "can't be found"),
        ("/etc".into(), "is no executable file"),
        (file("plain", 0o600), "is no executable file"),
        (file("shared", 0o775), "can be changed by others"),
        (file("open", 0o757), "can be changed by others"),
        (at("tool"), "danger_allow"),
        ("/bin/sh".into(), "danger_allow"),
        ("/usr/bin/env".into(), "danger_allow"),
        ("/opt/python3.13".into(), "danger_allow"),
        ("/lib64/ld-linux-x86-64.so.2".into(), "danger_allow"),
    ] {
        let error = Programs::new().allow(&path).unwrap_err().to_string();
        let path = path.display();
        assert!(
            error.contains(problem) && error.contains(&path.to_string()),
            "{path}: {error}"
        );
    }
    let same = Programs::new().allow(file("ls", 0o755)).unwrap();
    assert!(same.clone().allow(at("ls")).is_ok());
    assert!(
        same.allow("/bin/ls")
            .unwrap_err()
            .to_string()
            .contains("name of another")
    );
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Programs::new().allow(at("ls")).is_err());
}

/// Of processes, by their numbers: dead, if perhaps not yet buried.
async fn assert_gone(numbers: &str) {
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    assert!(!numbers.is_empty());
    for number in numbers {
        let lives = || {
            let status = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            status
                .rsplit(") ")
                .next()
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
        };
        let begun = Instant::now();
        while lives() {
            assert!(begun.elapsed() < Duration::from_secs(3), "{number} lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
