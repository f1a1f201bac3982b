use std::{
    fmt,
    io::{self, BufRead, Read as _},
};

use super::{
    checkpoint::{self, Checkpoint},
    head::Head,
    keys::VerifyKeys,
    link::{GENESIS, Hash, Link},
};

/// What became of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Lines that are as they were written, checkpoints among them; up to the first bad one.
    pub lines: u64,
    /// Checkpoints among them.
    pub checkpoints: u64,
    /// The number of the first line. Above 1 nothing is said of what came before.
    pub first: Option<u64>,
    /// The number of the last line that is good.
    pub last: Option<u64>,
    /// Up to which line a signature covers all, if a public key was given.
    pub signed: Option<u64>,
    /// The first that is not as it was written.
    pub bad: Option<Bad>,
}

/// The first line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bad {
    /// Which of the files, from 1 on.
    pub file: usize,
    /// Which of its lines, from 1 on.
    pub line: u64,
    /// The number that should stand there.
    pub expected: u64,
    /// The number that the line says, if any.
    pub found: Option<u64>,
    /// What happened, as far as the rest of the log tells.
    pub kind: BadKind,
}

/// What happened to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadKind {
    /// The line is not what was written.
    Altered,
    /// Lines before it are not there.
    Missing,
    /// It stands before a line that it came after.
    Reordered,
    /// It is one too many.
    Inserted,
    /// The log ends before the head, or in place of the head's line stands another.
    Truncated,
    /// The log is another one than that of the head.
    Rewritten,
    /// A checkpoint does not fit what is before it, or nobody known signed it.
    BadCheckpoint,
    /// Nobody known signed the head.
    BadHead,
    /// The last line has no end: a crash, or a cut.
    TornTail,
}

impl Report {
    /// Whether everything is as it was written, as far as the keys tell.
    pub fn is_good(&self) -> bool {
        self.bad.is_none()
    }
}

impl BadKind {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::Reordered => "reordered",
            Self::Inserted => "inserted",
            Self::Truncated => "truncated",
            Self::Rewritten => "rewritten",
            Self::BadCheckpoint => "bad checkpoint",
            Self::BadHead => "bad head",
            Self::TornTail => "torn tail",
        }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, expected) = (self.kind.name(), self.expected);
        let (file, line) = (self.file, self.line);
        write!(
            f,
            "{kind}: file {file}, line {line}, where record {expected} is expected"
        )?;
        match self.found {
            Some(found) if found != expected => write!(f, " and {found} found"),
            _ => Ok(()),
        }
    }
}

/// Verifies the files of a log, the oldest first, up to the first line that is not as it was written.
///
/// Without keys only what was damaged is found, since anybody can compute hashes. With the public key everything up
/// to the last checkpoint is verified, and with the keys of the MACs each line. With a head, also what was
/// cut off at the end; its line, or the one after it, must be among those given. Memory is bounded, whatever is read.
///
/// # Errors
///
/// If a file can't be read.
pub fn verify<R: BufRead>(
    files: impl IntoIterator<Item = R>,
    keys: &VerifyKeys,
    head: Option<&Head>,
) -> io::Result<Report> {
    let mut judge = Judge {
        keys,
        head,
        report: Report::default(),
        seq: 0,
        hash: GENESIS,
        suspect: None,
    };
    if head.is_some_and(|head| !head.is_signed(keys)) {
        judge.report.bad = Some(judge.bad((0, 0), None, BadKind::BadHead));
        return Ok(judge.report);
    }
    let (mut at, mut line) = ((0, 0), Vec::new());
    for mut reader in files {
        at = (at.0 + 1, 0);
        while next(&mut reader, &mut line)? {
            at.1 += 1;
            if judge.take(at, &line) {
                return Ok(judge.report);
            }
        }
    }
    judge.end((at.0, at.1 + 1));
    Ok(judge.report)
}

/// More than any line has.
const MOST_BYTES: u64 = 64 << 10;

/// Of a line that is longer than any, the end alone is left, if it has one: so it is none of ours, and what follows is read.
fn next(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    let mut is_first = true;
    loop {
        line.clear();
        let read = reader.take(MOST_BYTES).read_until(b'\n', line)?;
        let is_whole = line.ends_with(b"\n");
        if !is_first {
            line.clear();
            line.extend(is_whole.then_some(b'\n'));
        }
        if is_whole || u64::try_from(read).is_ok_and(|read| read < MOST_BYTES) {
            return Ok(!is_first || read > 0);
        }
        is_first = false;
    }
}

type Place = (usize, u64);

struct Judge<'a> {
    keys: &'a VerifyKeys,
    head: Option<&'a Head>,
    report: Report,
    /// The number and hash of the last good line.
    seq: u64,
    hash: Hash,
    /// A bad line, while the rest is searched for the one in whose place it stands.
    suspect: Option<Suspect>,
}

struct Suspect {
    bad: Bad,
    /// What it is if the right one is found behind.
    displaced: BadKind,
}

impl Judge<'_> {
    /// Takes the next line; whether the verdict stands.
    fn take(&mut self, at: Place, line: &[u8]) -> bool {
        let Some(line) = line.strip_suffix(b"\n") else {
            if self.suspect.is_some() {
                return false;
            }
            return self.is_over(at, Link::of(line).map(|link| link.seq), BadKind::TornTail);
        };
        let link = Link::of(line);
        if let Some(suspect) = &self.suspect {
            let is_it = link.is_some_and(|link| self.fits(&link));
            if is_it {
                let kind = suspect.displaced;
                self.report.bad = Some(Bad {
                    kind,
                    ..suspect.bad.clone()
                });
            }
            return is_it;
        }
        if self.report.first.is_none()
            && let Some(link) = &link
            && let Ok(Some(Checkpoint { head, opens: true })) = checkpoint::read(link)
        {
            // What it follows is judged by its signature.
            let is_first = head.seq > 0 || head.hash == GENESIS;
            if is_first {
                if let Some(kept) = self.head.filter(|kept| kept.seq < head.seq) {
                    // The line that the head speaks of is not among these: it vouches for none of them.
                    self.seq = kept.seq;
                    return self.is_over(at, Some(link.seq), BadKind::Missing);
                }
                (self.seq, self.hash) = (head.seq, head.hash);
            }
            if self.is_beside_head() {
                return self.is_over(at, Some(link.seq), BadKind::Rewritten);
            }
        }
        match link {
            Some(link) if self.fits(&link) => self.good(at, &link),
            link => {
                self.suspect(at, link.as_ref());
                false
            }
        }
    }

    fn fits(&self, link: &Link<'_>) -> bool {
        link.seq == self.seq + 1 && link.follows(&self.hash) && self.keys.vouch(link)
    }

    fn good(&mut self, at: Place, link: &Link<'_>) -> bool {
        let checkpoint = checkpoint::read(link);
        if let Ok(None) = checkpoint {
            // A file begins with a checkpoint.
            if at.1 == 1 {
                return self.is_over(at, Some(link.seq), BadKind::BadCheckpoint);
            }
        } else {
            let fits = |Checkpoint { head, opens }: &Checkpoint| {
                (head.seq, head.hash) == (self.seq, self.hash)
                    && *opens == (at.1 == 1)
                    && head.is_signed(self.keys)
            };
            if !checkpoint.is_ok_and(|it| it.as_ref().is_some_and(fits)) {
                return self.is_over(at, Some(link.seq), BadKind::BadCheckpoint);
            }
            self.report.checkpoints += 1;
            self.report.signed = self.keys.has_public().then_some(self.seq);
        }
        (self.seq, self.hash) = (link.seq, link.hash);
        if self.is_beside_head() {
            return self.is_over(at, Some(link.seq), BadKind::Rewritten);
        }
        self.report.first.get_or_insert(link.seq);
        self.report.last = Some(link.seq);
        self.report.lines += 1;
        false
    }

    /// Whether the head says something else of the line that was read last.
    fn is_beside_head(&self) -> bool {
        self.head
            .is_some_and(|head| head.seq == self.seq && head.hash != self.hash)
    }

    fn suspect(&mut self, at: Place, link: Option<&Link<'_>>) {
        // One of ours in the wrong place; without a key everything may be.
        let ours = link.filter(|link| self.keys.vouch(link));
        let (alone, displaced) = match ours {
            Some(link) if link.seq > self.seq + 1 => (BadKind::Missing, BadKind::Reordered),
            Some(link) if link.seq <= self.seq => (BadKind::Inserted, BadKind::Inserted),
            _ => (BadKind::Altered, BadKind::Inserted),
        };
        let bad = self.bad(at, link.map(|link| link.seq), alone);
        self.suspect = Some(Suspect { bad, displaced });
    }

    fn bad(&self, (file, line): Place, found: Option<u64>, kind: BadKind) -> Bad {
        Bad {
            file,
            line,
            expected: self.seq + 1,
            found,
            kind,
        }
    }

    fn is_over(&mut self, at: Place, found: Option<u64>, kind: BadKind) -> bool {
        self.report.bad = Some(self.bad(at, found, kind));
        true
    }

    fn end(&mut self, at: Place) {
        if let Some(Suspect { bad, .. }) = self.suspect.take() {
            self.report.bad = Some(bad);
        } else if self.head.is_some_and(|head| head.seq > self.seq) {
            self.is_over(at, None, BadKind::Truncated);
        }
    }
}
