//! Ways in which a log takes nothing.

use std::{
    fs,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::fs::OFlags;

use super::child::{is_child, limit, told};

/// A log that takes nothing once it began, until it ends.
pub(super) trait Fault {
    fn log(&self) -> &Path;
    fn begin(&self);
    fn end(&self);
    /// The whole lines of ours that came there.
    fn written(&self) -> String;
    fn ends(&self) -> bool {
        true
    }
}

/// `/dev/full`, for good.
pub(super) struct Always;

impl Fault for Always {
    fn log(&self) -> &Path {
        Path::new("/dev/full")
    }

    fn begin(&self) {}

    fn end(&self) {}

    fn written(&self) -> String {
        String::new()
    }

    fn ends(&self) -> bool {
        false
    }
}

const FILLER: &str = "{\"filler\":";

fn without_filler(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    let ours = lines.filter(|line| line.ends_with('\n') && !line.starts_with(FILLER));
    ours.collect()
}

/// A pipe that is full, until somebody reads it.
pub(super) struct Stalled {
    pipe: PathBuf,
    read: Arc<Mutex<Vec<u8>>>,
    is_over: Arc<AtomicBool>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Stalled {
    pub(super) fn new(folder: &Path) -> Self {
        let pipe = folder.join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        Self {
            pipe,
            read: Arc::default(),
            is_over: Arc::default(),
            reader: Mutex::default(),
        }
    }

    fn open(&self, options: &mut OpenOptions) -> File {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
        options.custom_flags(flags).open(&self.pipe).unwrap()
    }
}

impl Fault for Stalled {
    fn log(&self) -> &Path {
        &self.pipe
    }

    fn begin(&self) {
        let mut pipe = self.open(OpenOptions::new().write(true));
        let line = format!("{FILLER}\"{:0>width$}\"}}\n", 0, width = 498);
        let error = loop {
            if let Err(error) = pipe.write_all(line.as_bytes()) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    fn end(&self) {
        let mut pipe = self.open(OpenOptions::new().read(true));
        let (read, is_over) = (Arc::clone(&self.read), Arc::clone(&self.is_over));
        let reader = std::thread::spawn(move || {
            let mut some = [0; 4096];
            while !is_over.load(Ordering::SeqCst) {
                match pipe.read(&mut some) {
                    Ok(length) => read.lock().unwrap().extend_from_slice(&some[..length]),
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        *self.reader.lock().unwrap() = Some(reader);
    }

    fn written(&self) -> String {
        let read = self.read.lock().unwrap();
        without_filler(std::str::from_utf8(&read).unwrap())
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.lock().unwrap().take() {
            reader.join().unwrap();
        }
    }
}

/// A file that the system writes no more.
pub(super) struct Immutable(PathBuf);

impl Immutable {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.join("log"))
    }

    /// It takes the superuser, and a file system that knows of it.
    pub(super) fn is_possible() -> bool {
        let folder = tempfile::tempdir().unwrap();
        let file = Self::new(folder.path());
        let mut open = File::create(&file.0).unwrap();
        let is_possible = file.set("+i") && open.write_all(b"x").is_err();
        file.set("-i");
        told(is_possible, "no file can be made immutable here")
    }

    fn set(&self, flag: &str) -> bool {
        let mut set = Command::new("chattr");
        let set = set.arg(flag).arg(&self.0).stderr(Stdio::null());
        set.status().is_ok_and(|status| status.success())
    }
}

impl Fault for Immutable {
    fn log(&self) -> &Path {
        &self.0
    }

    fn begin(&self) {
        assert!(self.set("+i"));
    }

    fn end(&self) {
        assert!(self.set("-i"));
    }

    fn written(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

/// Nothing that a test leaves is to stay.
impl Drop for Immutable {
    fn drop(&mut self) {
        self.set("-i");
    }
}

/// A file at the limit that its process has for files, in the middle of a line.
pub(super) struct Limited(PathBuf);

impl Limited {
    /// The spill file is to stay below the log's size.
    pub(super) fn new(folder: &Path) -> Self {
        let log = folder.join("log");
        let line = format!("{FILLER}\"{:0>width$}\"}}\n", 0, width = 999);
        fs::write(&log, line.repeat(60)).unwrap();
        Self(log)
    }
}

impl Fault for Limited {
    fn log(&self) -> &Path {
        &self.0
    }

    fn begin(&self) {
        limit(Some(fs::metadata(&self.0).unwrap().len() + 300));
    }

    fn end(&self) {
        limit(None);
    }

    fn written(&self) -> String {
        without_filler(&fs::read_to_string(&self.0).unwrap())
    }
}

/// A file system without room, but for the end of a page in the middle of a line.
pub(super) struct Full {
    folder: PathBuf,
    log: PathBuf,
}

impl Full {
    /// A namespace in which whoever it is may mount.
    pub(super) const NAMESPACE: [&str; 2] = ["unshare", "-Urm"];

    pub(super) fn is_possible() -> bool {
        if is_child() {
            return true;
        }
        let [unshare, options] = Self::NAMESPACE;
        let mount = "mount -t tmpfs -o size=64k none /mnt";
        let mut mounted = Command::new(unshare);
        let mounted = mounted.args([options, "sh", "-c", mount]);
        let mounted = mounted.stderr(Stdio::null()).status();
        let is_possible = mounted.is_ok_and(|status| status.success());
        told(is_possible, "no file system can be mounted here")
    }

    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "none"])
            .arg(&folder)
            .status();
        assert!(mount.unwrap().success());
        let log = folder.join("log");
        Self { folder, log }
    }
}

impl Fault for Full {
    fn log(&self) -> &Path {
        &self.log
    }

    fn begin(&self) {
        let mut filler = File::create(self.folder.join("filler")).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    fn end(&self) {
        fs::remove_file(self.folder.join("filler")).unwrap();
    }

    fn written(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.folder).status();
        assert!(unmounted.unwrap().success());
        fs::remove_dir(&self.folder).unwrap();
    }
}
