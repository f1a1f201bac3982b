//! Where the file is: the lock, and how another text takes its place.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use super::unfinished::Unfinished;

/// How long another process may keep the lock.
const PATIENCE: Duration = Duration::from_secs(8);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The file that nobody else changes meanwhile who takes the lock, too.
///
/// It is locked itself, and not one beside it that could have another owner: whoever gets the lock of a file
/// that was replaced meanwhile tries again.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    /// It is unlocked when it is closed.
    _file: File,
    metadata: Metadata,
}

impl Locked {
    /// # Errors
    ///
    /// Why not, of `file ...`; if another process keeps the lock too long as well.
    pub(super) fn take(path: &Path) -> Result<Self, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(locked) = Self::try_take(path).map_err(unwritten)? {
                return Ok(locked);
            }
            if Instant::now() >= until {
                return Err("is locked by somebody for longer than 8 seconds".to_owned());
            }
            sleep(BETWEEN_TRIES);
        }
    }

    fn try_take(path: &Path) -> io::Result<Option<Self>> {
        // A link stays one; what it points to is changed.
        let path = fs::canonicalize(path)?;
        if !fs::metadata(&path)?.is_file() {
            return Err(irregular());
        }
        let file = open(OpenOptions::new().read(true).write(true), &path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(irregular());
        }
        let locked = Self {
            path,
            _file: file,
            metadata,
        };
        Ok(locked.is_there()?.then_some(locked))
    }

    /// Whether the file is still where it was.
    fn is_there(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(there) => Ok(is_same(&there, &self.metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a text into the place of the file, for good or not at all; the file that it is now.
    ///
    /// # Errors
    ///
    /// Why not, of `file ...`.
    pub(super) fn replace(self, text: &str) -> Result<File, String> {
        self.put(text).map_err(unwritten)
    }

    fn put(self, text: &str) -> io::Result<File> {
        let next = Unfinished::write(&self.path, text, Some(&self.metadata))?;
        if !self.is_there()? {
            return Err(io::Error::other(
                "somebody replaced it without taking the lock",
            ));
        }
        fs::rename(&next.path, &self.path)?;
        sync_directory(&self.path)?;
        next.file.try_clone()
    }
}

/// Makes the file, unless there is one.
///
/// # Errors
///
/// Why not, of `file ...`.
pub(super) fn create(path: &Path, text: &str) -> Result<(), String> {
    let create = || {
        let next = Unfinished::write(path, text, None)?;
        // Unlike a rename this replaces nothing.
        fs::hard_link(&next.path, path)?;
        drop(next);
        sync_directory(path)
    };
    create().map_err(|error| format!("cannot be made: {error}"))
}

/// Opens what may be a pipe by now, and waits for nobody.
pub(super) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    options.custom_flags(flags).open(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

pub(super) fn directory_of(path: &Path) -> &Path {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

fn unwritten(error: io::Error) -> String {
    format!("cannot be written: {error}")
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;
    use crate::file::unfinished::remove_unfinished;

    /// A directory of its own, which goes with the test.
    struct Scene(PathBuf);

    impl Scene {
        fn new(test: &str) -> Self {
            let name = format!("bartizan-apikey-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir_all(&directory).unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
            Self(directory)
        }

        fn file(&self, text: &str) -> PathBuf {
            let path = self.0.join("keys.json");
            create(&path, text).unwrap();
            path
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect()
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    fn replace(path: &Path, text: &str) -> Result<File, String> {
        Locked::take(path)?.replace(text)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_file_is_made_once_and_replaced_with_nothing_left_beside_it() {
        let scene = Scene::new("made");
        let path = scene.file("one");
        let again = create(&path, "two").unwrap_err();
        assert!(again.contains("cannot be made"), "{again}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        replace(&path, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(scene.names(), ["keys.json"]);
    }

    #[test]
    fn what_takes_its_place_is_its_owners_alone() {
        let scene = Scene::new("mode");
        let path = scene.file("one");
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(mode(&path), 0o600);
        // Whoever runs this as root sees that an administrator leaves it to its owner.
        if fs::metadata(&path).unwrap().uid() == 0 {
            std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
            replace(&path, "three").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().uid(), 4711);
        }
    }

    #[test]
    fn a_link_stays_one_and_what_it_points_to_is_changed() {
        let scene = Scene::new("link");
        let path = scene.file("one");
        let link = scene.0.join("link.json");
        symlink(&path, &link).unwrap();
        replace(&link, "two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }

    #[test]
    fn who_waits_for_the_lock_of_a_file_that_was_replaced_gets_that_of_its_successor() {
        let scene = Scene::new("lock");
        let path = scene.file("one");
        let locked = Locked::take(&path).unwrap();
        assert!(Locked::try_take(&path).unwrap().is_none());
        let waits = path.clone();
        let waiter = std::thread::spawn(move || {
            let locked = Locked::take(&waits).unwrap();
            let text = fs::read_to_string(&waits).unwrap();
            locked.replace(&format!("{text} three")).unwrap();
        });
        sleep(Duration::from_millis(50));
        locked.replace("two").unwrap();
        waiter.join().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two three");
    }

    #[test]
    fn what_was_put_there_without_the_lock_is_not_overwritten() {
        let scene = Scene::new("careless");
        let path = scene.file("one");
        let locked = Locked::take(&path).unwrap();
        let beside = scene.0.join("beside");
        fs::write(&beside, "edited").unwrap();
        fs::rename(&beside, &path).unwrap();
        let refused = locked.replace("two").unwrap_err();
        assert!(refused.contains("without taking the lock"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "edited");
        assert_eq!(scene.names(), ["keys.json"]);
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let scene = Scene::new("pipe");
        let pipe = scene.0.join("keys.json");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [&pipe, &scene.0, Path::new("/dev/zero")] {
            let refused = Locked::take(path).unwrap_err();
            assert!(refused.contains("no regular file"), "{refused}");
        }
    }

    #[test]
    fn only_what_was_forgotten_long_ago_is_removed() {
        let scene = Scene::new("forgotten");
        let path = scene.file("one");
        for (name, minutes) in [
            (".keys.json.0123456789abcdef.new", 20),
            (".keys.json.fedcba9876543210.new", 5),
            (".other.json.0123456789abcdef.new", 20),
            ("keys.json.new", 20),
        ] {
            let file = File::create(scene.0.join(name)).unwrap();
            let at = std::time::SystemTime::now() - Duration::from_secs(60 * minutes);
            file.set_modified(at).unwrap();
        }
        remove_unfinished(&path).unwrap();
        let mut names = scene.names();
        names.sort();
        let left = [
            ".keys.json.fedcba9876543210.new",
            ".other.json.0123456789abcdef.new",
            "keys.json",
            "keys.json.new",
        ];
        assert_eq!(names, left);
    }
}
