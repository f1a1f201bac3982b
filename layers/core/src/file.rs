use std::{
    error::Error,
    fmt,
    fs::{File, Metadata, OpenOptions, metadata},
    io::{self, Read},
    path::Path,
};

/// A regular file that was read whole, in bounded time and memory. Behind feature `file`.
#[derive(Debug)]
#[non_exhaustive]
pub struct WholeFile {
    /// What it says.
    pub text: String,
    /// What the system says of it: the same before and after it was read.
    pub metadata: Metadata,
    /// The file itself: while it is open, no other one has its number.
    pub file: File,
}

/// Why a file was not read. As text it goes on after the file's name.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileProblem {
    /// The system says so.
    Unread(io::Error),
    /// It is a directory, a pipe or a device.
    Irregular,
    /// It has more bytes than this.
    TooLarge(u64),
    /// Somebody wrote it meanwhile.
    Changed,
    /// It is not UTF-8.
    NotText,
}

impl WholeFile {
    /// Reads a file of at most so many bytes, whole or not at all. What is no regular file is not opened, and
    /// nobody is waited for; links are followed.
    ///
    /// # Errors
    ///
    /// [`FileProblem`].
    pub fn read(path: &Path, at_most: u64) -> Result<Self, FileProblem> {
        read_while(path, at_most, |_| ())
    }
}

/// What has been done when somebody else does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Found,
    Opened,
    Read,
}

fn read_while(
    path: &Path,
    at_most: u64,
    mut meanwhile: impl FnMut(Step),
) -> Result<WholeFile, FileProblem> {
    // Looked at before it is opened: to open a device may do something.
    if !metadata(path)?.is_file() {
        return Err(FileProblem::Irregular);
    }
    meanwhile(Step::Found);
    let file = open(path)?;
    let before = file.metadata()?;
    // It may be another one by now.
    if !before.is_file() {
        return Err(FileProblem::Irregular);
    }
    if before.len() > at_most {
        return Err(FileProblem::TooLarge(at_most));
    }
    meanwhile(Step::Opened);
    let mut bytes = Vec::new();
    // One byte more tells that there is more.
    let mut part = (&file).take(at_most.saturating_add(1));
    part.read_to_end(&mut bytes)?;
    meanwhile(Step::Read);
    let after = file.metadata()?;
    let is_whole = bytes.len() as u64 == after.len()
        && before.len() == after.len()
        && before.modified().ok() == after.modified().ok();
    if !is_whole {
        return Err(FileProblem::Changed);
    }
    let text = String::from_utf8(bytes).map_err(|_| FileProblem::NotText)?;
    Ok(WholeFile {
        text,
        metadata: after,
        file,
    })
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

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(error) => write!(f, "cannot be read: {error}"),
            Self::Irregular => f.write_str("is no regular file"),
            Self::TooLarge(bytes) if bytes % (1 << 20) == 0 => {
                write!(f, "is larger than {} MiB", bytes >> 20)
            }
            Self::TooLarge(bytes) => write!(f, "is larger than {bytes} bytes"),
            Self::Changed => f.write_str("changed while it was read"),
            Self::NotText => f.write_str("is not UTF-8"),
        }
    }
}

impl Error for FileProblem {}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        time::{Duration, SystemTime},
    };

    use super::*;

    const MOST_BYTES: u64 = 1 << 20;

    /// A file of a directory that goes with the test.
    struct Scene(std::path::PathBuf);

    impl Scene {
        fn new(test: &str) -> Self {
            let name = format!("bartizan-core-file-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir_all(&directory).unwrap();
            let path = directory.join("file.toml");
            fs::write(&path, "preset = 'enterprise'").unwrap();
            Self(path)
        }

        /// What is read if something is done to it after a step.
        fn read(&self, after: Step, act: impl Fn(&Path)) -> Result<String, String> {
            let read = read_while(&self.0, MOST_BYTES, |step| {
                if step == after {
                    act(&self.0);
                }
            });
            said(read)
        }
    }

    fn said(read: Result<WholeFile, FileProblem>) -> Result<String, String> {
        read.map(|file| file.text)
            .map_err(|problem| problem.to_string())
    }

    fn read(path: &Path) -> Result<String, String> {
        said(WholeFile::read(path, MOST_BYTES))
    }

    impl Drop for Scene {
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
        let scene = Scene::new("quiet");
        assert_eq!(read(&scene.0).unwrap(), "preset = 'enterprise'");
        fs::write(&scene.0, [b'#', 0xff]).unwrap();
        assert_eq!(read(&scene.0).unwrap_err(), "is not UTF-8");
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let scene = Scene::new("changes");
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
            assert_eq!(scene.read(step, grown), changed, "{step:?}");
            assert_eq!(scene.read(step, cut), changed, "{step:?}");
            assert_eq!(scene.read(step, touched), changed, "{step:?}");
        }
        // Before it is opened it is another file, and whole.
        assert!(scene.read(Step::Found, grown).is_ok());
        // Renamed over, the file that was opened stays what it was.
        let renamed = |path: &Path| {
            let beside = path.with_extension("next");
            fs::write(&beside, "preset = 'another'").unwrap();
            fs::rename(beside, path).unwrap();
        };
        fs::write(&scene.0, "preset = 'enterprise'").unwrap();
        let text = scene.read(Step::Opened, renamed).unwrap();
        assert_eq!(text, "preset = 'enterprise'");
    }

    #[test]
    fn a_file_that_grows_without_end_is_read_to_the_bound_and_refused() {
        let scene = Scene::new("grows");
        let large = vec![b'#'; (MOST_BYTES * 2) as usize];
        let text = scene.read(Step::Opened, |path| append(path, &large));
        assert_eq!(text, Err("changed while it was read".to_owned()));
        assert_eq!(read(&scene.0), Err("is larger than 1 MiB".to_owned()));
        let exact = vec![b'#'; MOST_BYTES as usize];
        fs::write(&scene.0, exact).unwrap();
        assert_eq!(read(&scene.0).unwrap().len() as u64, MOST_BYTES);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_swapped_for_something_else_is_refused_and_nobody_waits() {
        let irregular = Err("is no regular file".to_owned());
        let scene = Scene::new("swapped");
        let pipe = |path: &Path| {
            fs::remove_file(path).unwrap();
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success(), "mkfifo");
        };
        // To open it plainly would wait for ever.
        assert_eq!(scene.read(Step::Found, pipe), irregular);
        assert_eq!(read(&scene.0), irregular);

        let scene = Scene::new("directory");
        let directory = |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        };
        assert_eq!(scene.read(Step::Found, directory), irregular);
        assert_eq!(read(&scene.0), irregular);

        let scene = Scene::new("device");
        let endless = |path: &Path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        };
        assert_eq!(scene.read(Step::Found, endless), irregular);
        assert_eq!(read(&scene.0), irregular);
    }
}
