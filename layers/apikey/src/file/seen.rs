//! What the last look at the file found.

use std::{
    fs::{File, Metadata, metadata},
    mem,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_core::WholeFile;

use super::{MOST_BYTES, access::check_access, content, kept::Kept};

/// The records that were last understood, and what the file was then and is now.
#[derive(Debug)]
pub(super) struct Seen {
    kept: Arc<Kept>,
    look: Look,
}

#[derive(Debug)]
struct Look {
    /// `None` if the file is away.
    stamp: Option<Stamp>,
    /// While it is open, no other file has its number.
    _file: Option<File>,
    at: Instant,
    is_settled: bool,
    problem: Option<String>,
    /// Which of its records can't be read.
    unreadable: Option<String>,
}

/// What tells a file from another one, and from itself before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    number: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Nobody sets this one at will.
    changed: (i64, i64),
}

/// What is new to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// The file is not understood; the records before stay.
    Refused(String),
    /// It is understood again.
    Back,
    /// Some of its records can't be read.
    Unreadable(String),
}

/// As long as a file's times may stand still: a change within that time is seen by reading it once more.
const TICK: Duration = Duration::from_secs(2);

impl Seen {
    /// # Errors
    ///
    /// Why the file holds no keys, of `file ...`.
    pub(super) fn first(path: &Path) -> Result<(Self, Vec<News>), String> {
        let (kept, look) = Look::read(path, None);
        let kept = Arc::new(kept?);
        let news = look.unreadable.clone().map(News::Unreadable);
        let news = news.into_iter().collect();
        Ok((Self { kept, look }, news))
    }

    /// What was last understood.
    pub(super) fn kept(&self) -> Arc<Kept> {
        Arc::clone(&self.kept)
    }

    /// Why that is not what stands in the file now, of `file ...`.
    pub(super) fn problem(&self) -> Option<&str> {
        self.look.problem.as_deref()
    }

    /// Looks, and reads the file if it may have changed.
    pub(super) fn look(&mut self, path: &Path) -> Vec<News> {
        let stamp = metadata(path).ok().map(|metadata| Stamp::of(&metadata));
        let is_same = stamp.is_some() && stamp == self.look.stamp;
        if is_same && (self.look.is_settled || self.look.at.elapsed() < TICK) {
            return Vec::new();
        }
        let (kept, look) = Look::read(path, stamp);
        let before = mem::replace(&mut self.look, look);
        // What is wrong may be put right without a change to the file: its directory's mode.
        let is_good = self.look.problem.is_none();
        self.look.is_settled = is_good && is_same && self.look.stamp == before.stamp;
        if let Ok(kept) = kept {
            self.kept = Arc::new(kept);
        }
        self.look.news(&before)
    }

    /// That this process has put these records into the file.
    pub(super) fn written(&mut self, kept: Kept, file: File) {
        let metadata = file.metadata().ok();
        self.kept = Arc::new(kept);
        self.look = Look {
            stamp: metadata.map(|metadata| Stamp::of(&metadata)),
            _file: Some(file),
            at: Instant::now(),
            is_settled: false,
            problem: None,
            unreadable: self.look.unreadable.take(),
        };
    }
}

impl Look {
    fn read(path: &Path, stamp: Option<Stamp>) -> (Result<Kept, String>, Self) {
        let at = Instant::now();
        let read = WholeFile::read(path, MOST_BYTES).map_err(|problem| problem.to_string());
        let mut look = Self {
            stamp,
            _file: None,
            at,
            is_settled: false,
            problem: None,
            unreadable: None,
        };
        let kept = read.and_then(|whole| {
            look.stamp = Some(Stamp::of(&whole.metadata));
            look._file = Some(whole.file);
            check_access(path, &whole.metadata)?;
            let kept = content::read(&whole.text)?;
            look.unreadable = unreadable(&kept);
            Ok(kept)
        });
        look.problem = kept.as_ref().err().cloned();
        (kept, look)
    }

    fn news(&self, before: &Self) -> Vec<News> {
        if let Some(problem) = &self.problem {
            let is_news = self.problem != before.problem || self.stamp != before.stamp;
            let news = is_news.then(|| News::Refused(problem.clone()));
            return news.into_iter().collect();
        }
        let back = before.problem.is_some().then_some(News::Back);
        let is_new = self.unreadable != before.unreadable;
        let unreadable = self.unreadable.clone().filter(|_| is_new);
        let unreadable = unreadable.map(News::Unreadable);
        back.into_iter().chain(unreadable).collect()
    }
}

fn unreadable(kept: &Kept) -> Option<String> {
    let (id, first) = kept.unreadable.first_key_value()?;
    let others = match kept.unreadable.len() {
        1 => String::new(),
        all => format!(", and {} more", all - 1),
    };
    let problem = &first.problem;
    Some(format!(
        "holds a record of key `{id}` that can't be read: {problem}{others}"
    ))
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
