use std::fs;

use bartizan_validate::safe::{
    SafePath,
    files::{EntryKind, FileErrorKind, ScopedDir},
};
use tempfile::TempDir;

const LIMIT: usize = 1 << 16;

fn path(text: &str) -> SafePath {
    SafePath::new(text).unwrap()
}

/// A directory `data`, and beside it `database` with a secret.
fn scene() -> (TempDir, ScopedDir) {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fs::create_dir_all(data.join("inner")).unwrap();
    fs::write(data.join("inner/file"), "inside").unwrap();
    fs::create_dir(root.path().join("database")).unwrap();
    fs::write(root.path().join("database/file"), "SECRET").unwrap();
    let scoped = ScopedDir::open(&data).unwrap();
    (root, scoped)
}

fn kind_of<T: std::fmt::Debug>(
    result: Result<T, bartizan_validate::safe::files::FileError>,
) -> FileErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn seed_v6_seed_v7_files_below_are_read_up_to_a_limit() {
    let (_root, data) = scene();
    assert_eq!(data.read_text(&path("inner/file"), 6).unwrap(), "inside");
    assert_eq!(
        kind_of(data.read(&path("inner/file"), 5)),
        FileErrorKind::TooLarge
    );
    assert_eq!(
        kind_of(data.read(&path("inner"), LIMIT)),
        FileErrorKind::NotAFile
    );
    assert_eq!(
        kind_of(data.read(&path("none"), LIMIT)),
        FileErrorKind::NotFound
    );
    assert_eq!(
        kind_of(data.read(&path("inner/file/x"), LIMIT)),
        FileErrorKind::NotFound
    );
    let inner = data.folder(&path("inner")).unwrap();
    assert_eq!(inner.read(&path("file"), LIMIT).unwrap(), b"inside");
}

#[test]
fn what_is_no_text_is_not_read_as_text() {
    let (root, data) = scene();
    fs::write(root.path().join("data/bytes"), b"\xff\xfe").unwrap();
    assert_eq!(
        kind_of(data.read_text(&path("bytes"), LIMIT)),
        FileErrorKind::NotText
    );
}

#[test]
fn a_file_is_made_once_and_for_one_user() {
    let (root, data) = scene();
    data.create(&path("inner/new"), b"x").unwrap();
    assert_eq!(
        kind_of(data.create(&path("inner/new"), b"y")),
        FileErrorKind::Exists
    );
    assert_eq!(data.read(&path("inner/new"), LIMIT).unwrap(), b"x");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let made = fs::metadata(root.path().join("data/inner/new")).unwrap();
        assert_eq!(made.permissions().mode() & 0o777, 0o600);
    }
    data.create_folder(&path("more")).unwrap();
    data.create(&path("more/a"), b"").unwrap();
    data.remove_file(&path("more/a")).unwrap();
    assert_eq!(
        kind_of(data.remove_file(&path("more/a"))),
        FileErrorKind::NotFound
    );
    drop(root);
}

#[test]
fn a_listing_has_what_can_be_opened_and_a_bound() {
    let (root, data) = scene();
    let at = |name: &str| root.path().join("data").join(name);
    fs::write(at("b"), "").unwrap();
    #[cfg(unix)]
    {
        fs::write(at("trailing."), "").unwrap();
        fs::write(at("a:b"), "").unwrap();
        std::os::unix::fs::symlink("/etc", at("link")).unwrap();
    }
    let listing = data.list(100).unwrap();
    let found: Vec<_> = listing
        .entries()
        .iter()
        .map(|e| (e.name().as_str(), e.kind()))
        .collect();
    assert_eq!(
        found,
        [("b", EntryKind::File), ("inner", EntryKind::Folder)]
    );
    assert!(listing.is_complete());
    let cut = data.list(1).unwrap();
    assert!(!cut.is_complete() && cut.entries().len() <= 1);
}

#[cfg(unix)]
mod unix {
    use std::{
        os::unix::fs::symlink,
        process::Command,
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn seed_v7_no_link_is_followed_wherever_it_stands() {
        let (root, data) = scene();
        let at = |name: &str| root.path().join("data").join(name);
        for (target, name) in [
            ("../database/file", "up"),
            ("/etc/passwd", "absolute"),
            ("inner/file", "within"),
            ("nowhere", "dangling"),
            ("loop", "loop"),
            ("/proc/self/root/etc/passwd", "magic"),
        ] {
            symlink(target, at(name)).unwrap();
            assert_eq!(
                kind_of(data.read(&path(name), LIMIT)),
                FileErrorKind::Link,
                "{name}"
            );
        }
        symlink("../database", at("folder")).unwrap();
        symlink("/", at("slash")).unwrap();
        for name in ["folder/file", "slash/etc/passwd"] {
            assert_eq!(
                kind_of(data.read(&path(name), LIMIT)),
                FileErrorKind::Link,
                "{name}"
            );
            assert_eq!(
                kind_of(data.create(&path(name), b"")),
                FileErrorKind::Link,
                "{name}"
            );
            assert_eq!(
                kind_of(data.remove_file(&path(name))),
                FileErrorKind::Link,
                "{name}"
            );
        }
        assert_eq!(kind_of(data.folder(&path("folder"))), FileErrorKind::Link);
        // Nothing is made where a link points.
        assert_eq!(
            kind_of(data.create(&path("dangling"), b"x")),
            FileErrorKind::Exists
        );
        assert!(!at("nowhere").exists());
        // The link goes, and not what it leads to.
        data.remove_file(&path("up")).unwrap();
        assert!(root.path().join("database/file").exists());
    }

    #[test]
    fn seed_v7_pipes_and_devices_are_neither_waited_for_nor_read() {
        let (root, data) = scene();
        let pipe = root.path().join("data/pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let begun = Instant::now();
        assert_eq!(
            kind_of(data.read(&path("pipe"), LIMIT)),
            FileErrorKind::NotAFile
        );
        let _socket =
            std::os::unix::net::UnixListener::bind(root.path().join("data/socket")).unwrap();
        assert_eq!(
            kind_of(data.read(&path("socket"), LIMIT)),
            FileErrorKind::NotAFile
        );
        let devices = ScopedDir::open("/dev").unwrap();
        for device in ["zero", "null", "random"] {
            assert_eq!(
                kind_of(devices.read(&path(device), LIMIT)),
                FileErrorKind::NotAFile
            );
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    /// Somebody exchanges a folder for a link to the neighbour's, and a file for a link and a pipe, while
    /// others read.
    #[test]
    fn seed_v7_what_is_exchanged_while_it_is_read_never_leads_outside() {
        let (root, data) = scene();
        let at = |name: &str| root.path().join("data").join(name);
        symlink("../database", at("out")).unwrap();
        symlink("../../database/file", at("inner/out")).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(at("inner/pipe"))
                .status()
                .unwrap()
                .success()
        );
        let is_over = AtomicBool::new(false);
        let (inside, refused) = thread::scope(|scope| {
            let exchange = scope.spawn(|| {
                let swap = |a: &str, b: &str| {
                    fs::rename(at(a), at("aside")).unwrap();
                    fs::rename(at(b), at(a)).unwrap();
                    fs::rename(at("aside"), at(b)).unwrap();
                };
                while !is_over.load(Ordering::Relaxed) {
                    swap("inner", "out");
                    swap("inner", "out");
                    swap("inner/file", "inner/out");
                    swap("inner/file", "inner/out");
                    swap("inner/file", "inner/pipe");
                    swap("inner/file", "inner/pipe");
                }
            });
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let (mut inside, mut refused) = (0_u32, 0_u32);
                        let begun = Instant::now();
                        while begun.elapsed() < Duration::from_secs(2)
                            || inside == 0
                            || refused == 0
                        {
                            match data.read(&path("inner/file"), LIMIT) {
                                Ok(bytes) => {
                                    assert_eq!(bytes, b"inside");
                                    inside += 1;
                                }
                                Err(_) => refused += 1,
                            }
                        }
                        (inside, refused)
                    })
                })
                .collect();
            let counts: Vec<_> = readers.into_iter().map(|it| it.join()).collect();
            is_over.store(true, Ordering::Relaxed);
            exchange.join().unwrap();
            counts
                .into_iter()
                .map(|count| count.unwrap())
                .fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
        });
        assert!(
            inside > 100 && refused > 100,
            "{inside} read, {refused} refused"
        );
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_cut_off() {
        let proc = ScopedDir::open("/proc/self").unwrap();
        // Its length is told as 0.
        assert_eq!(
            kind_of(proc.read(&path("maps"), 100)),
            FileErrorKind::TooLarge
        );
    }
}
