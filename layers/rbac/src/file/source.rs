//! A policy's file, read whole or not at all, and in bounded time.

use std::{
    fs::{File, OpenOptions, metadata},
    io::{self, Read},
    path::Path,
};

/// Largest file.
const MOST_BYTES: u64 = 8 << 20;

/// # Errors
///
/// Why it is none, of `file ...`.
pub(super) fn read(path: &Path) -> Result<String, String> {
    read_while(path, |_| ())
}

/// What has been done when somebody else does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Found,
    Opened,
    Read,
}

fn read_while(path: &Path, mut meanwhile: impl FnMut(Step)) -> Result<String, String> {
    let unread = |error: io::Error| format!("cannot be read: {error}");
    let irregular = || "is no regular file".to_owned();
    // Looked at before it is opened: to open a device may do something.
    if !metadata(path).map_err(unread)?.is_file() {
        return Err(irregular());
    }
    meanwhile(Step::Found);
    let file = open(path).map_err(unread)?;
    let before = file.metadata().map_err(unread)?;
    // It may be another one by now.
    if !before.is_file() {
        return Err(irregular());
    }
    if before.len() > MOST_BYTES {
        return Err("is larger than 8 MiB".to_owned());
    }
    meanwhile(Step::Opened);
    let mut bytes = Vec::new();
    // One byte more tells that there is more.
    let mut part = (&file).take(MOST_BYTES + 1);
    part.read_to_end(&mut bytes).map_err(unread)?;
    meanwhile(Step::Read);
    let after = file.metadata().map_err(unread)?;
    let is_whole = bytes.len() as u64 == after.len()
        && before.len() == after.len()
        && before.modified().ok() == after.modified().ok();
    if !is_whole {
        return Err("changed while it was read".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// Opens what may be a pipe by now, and waits for nobody who writes to it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NONBLOCK | libc::O_NOCTTY,
    );
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        time::{Duration, SystemTime},
    };

    use super::*;

    /// A file of a directory that goes with the test.
    struct Policy(std::path::PathBuf);

    impl Policy {
        fn new(test: &str) -> Self {
            let name = format!("bartizan-rbac-source-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir_all(&directory).unwrap();
            let path = directory.join("policy.toml");
            fs::write(&path, "preset = 'enterprise'").unwrap();
            Self(path)
        }

        /// What is read if something is done to it after a step.
        fn read(&self, after: Step, act: impl Fn(&Path)) -> Result<String, String> {
            read_while(&self.0, |step| {
                if step == after {
                    act(&self.0);
                }
            })
        }
    }

    impl Drop for Policy {
        fn drop(&mut self) {
            _ = self.0.parent().map(fs::remove_dir_all);
        }
    }

    fn append(path: &Path, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    }

    #[test]
    fn a_file_that_nobody_touches_is_read() {
        let policy = Policy::new("quiet");
        assert_eq!(read(&policy.0).unwrap(), "preset = 'enterprise'");
        fs::write(&policy.0, [b'#', 0xff]).unwrap();
        assert_eq!(read(&policy.0).unwrap_err(), "is not UTF-8");
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let policy = Policy::new("changes");
        let changed = Err("changed while it was read".to_owned());
        let grown = |path: &Path| append(path, b"\n");
        let cut = |path: &Path| fs::write(path, "preset").unwrap();
        // As long as before, a second later.
        let touched = |path: &Path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            let later = SystemTime::now() + Duration::from_secs(1);
            file.set_modified(later).unwrap();
        };
        for step in [Step::Opened, Step::Read] {
            assert_eq!(policy.read(step, grown), changed, "{step:?}");
            assert_eq!(policy.read(step, cut), changed, "{step:?}");
            assert_eq!(policy.read(step, touched), changed, "{step:?}");
        }
        // Before it is opened it is another file, and whole.
        assert!(policy.read(Step::Found, grown).is_ok());
        // Renamed over, the file that was opened stays what it was.
        let renamed = |path: &Path| {
            let beside = path.with_extension("next");
            fs::write(&beside, "preset = 'another'").unwrap();
            fs::rename(beside, path).unwrap();
        };
        fs::write(&policy.0, "preset = 'enterprise'").unwrap();
        let text = policy.read(Step::Opened, renamed).unwrap();
        assert_eq!(text, "preset = 'enterprise'");
    }

    #[test]
    fn a_file_that_grows_without_end_is_read_to_the_bound_and_refused() {
        let policy = Policy::new("grows");
        let large = vec![b'#'; (MOST_BYTES * 2) as usize];
        let text = policy.read(Step::Opened, |path| append(path, &large));
        assert_eq!(text, Err("changed while it was read".to_owned()));
        assert_eq!(read(&policy.0), Err("is larger than 8 MiB".to_owned()));
        let exact = vec![b'#'; MOST_BYTES as usize];
        fs::write(&policy.0, exact).unwrap();
        assert_eq!(read(&policy.0).unwrap().len() as u64, MOST_BYTES);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_swapped_for_something_else_is_refused_and_nobody_waits() {
        let irregular = Err("is no regular file".to_owned());
        let policy = Policy::new("swapped");
        let pipe = |path: &Path| {
            fs::remove_file(path).unwrap();
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success(), "mkfifo");
        };
        // To open it plainly would wait for ever.
        assert_eq!(policy.read(Step::Found, pipe), irregular);
        assert_eq!(read(&policy.0), irregular);

        let policy = Policy::new("directory");
        let directory = |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        };
        assert_eq!(policy.read(Step::Found, directory), irregular);
        assert_eq!(read(&policy.0), irregular);

        let policy = Policy::new("device");
        let endless = |path: &Path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        };
        assert_eq!(policy.read(Step::Found, endless), irregular);
        assert_eq!(read(&policy.0), irregular);
    }
}
