use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[cfg(all(feature = "chain", unix))]
pub use chain::ChainConfig;
#[cfg(all(feature = "file", unix))]
pub use file::FileConfig;

use crate::{AuditConfigError, JsonLines, Queue};

/// Where the lines of an [`AuditConfig`](crate::AuditConfig) go: `"stdout"`, `"stderr"`, `{ "append": "a/path" }` or
/// `{ "file": { … } }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkChoice {
    /// See [`JsonLines::stdout`].
    #[default]
    Stdout,
    /// See [`JsonLines::stderr`].
    Stderr,
    /// See [`JsonLines::append`].
    Append(PathBuf),
    /// A log that is to last (feature `file`).
    #[cfg(all(feature = "file", unix))]
    File(FileConfig),
}

impl SinkChoice {
    pub(super) fn queue(&self) -> Result<Queue, AuditConfigError> {
        Ok(match self {
            Self::Stdout => JsonLines::stdout().into_queue(),
            Self::Stderr => JsonLines::stderr().into_queue(),
            Self::Append(path) => JsonLines::append(path)?.into_queue(),
            #[cfg(all(feature = "file", unix))]
            Self::File(file) => file.queue()?,
        })
    }
}

#[cfg(all(feature = "file", unix))]
mod file {
    use std::{path::PathBuf, time::Duration};

    use serde::{Deserialize, Serialize};

    use crate::{AuditConfigError, Queue, RotatingFile, SyncPolicy};

    /// A [`RotatingFile`] as a file holds it, and the chain over it.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[non_exhaustive]
    pub struct FileConfig {
        /// See [`RotatingFile::open`].
        pub path: PathBuf,
        /// See [`RotatingFile::rotate_at`]; in bytes.
        #[serde(default)]
        pub rotate_at_bytes: Option<u64>,
        /// See [`RotatingFile::rotate_every`]; in seconds.
        #[serde(default)]
        pub rotate_every_seconds: Option<u64>,
        /// When it is synced to its disk.
        #[serde(default)]
        pub sync: SyncPolicy,
        /// What makes it a log that can't be altered unnoticed (feature `chain`).
        #[cfg(feature = "chain")]
        #[serde(default)]
        pub chain: Option<super::ChainConfig>,
    }

    impl FileConfig {
        /// A file that is never rotated, and not chained.
        pub fn new(path: impl Into<PathBuf>) -> Self {
            Self {
                path: path.into(),
                rotate_at_bytes: None,
                rotate_every_seconds: None,
                sync: SyncPolicy::default(),
                #[cfg(feature = "chain")]
                chain: None,
            }
        }

        pub(super) fn queue(&self) -> Result<Queue, AuditConfigError> {
            // Keys first: a log is not made for a chain that can't be.
            #[cfg(feature = "chain")]
            let keys = match &self.chain {
                Some(chain) => Some((chain, chain.keys()?)),
                None => None,
            };
            let mut file = RotatingFile::open(&self.path)?.sync(self.sync);
            if let Some(bytes) = self.rotate_at_bytes {
                file = file.rotate_at(bytes)?;
            }
            if let Some(seconds) = self.rotate_every_seconds {
                file = file.rotate_every(Duration::from_secs(seconds))?;
            }
            #[cfg(feature = "chain")]
            if let Some((chain, keys)) = keys {
                return Ok(Queue::to(chain.over(file, keys)?));
            }
            Ok(Queue::to(file))
        }
    }
}

#[cfg(all(feature = "chain", unix))]
mod chain {
    use std::{fs::File, io::Write as _, path::PathBuf, time::Duration};

    use bartizan_core::{Event, Events, Severity};
    use serde::{Deserialize, Serialize};

    use crate::{
        AuditConfigError, Chain, ChainKeys, Head, KeyFile, RotatingFile, config::key_file::read,
        gaps::report, sinks::open_to_append,
    };

    /// A [`Chain`] as a file holds it.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[non_exhaustive]
    pub struct ChainConfig {
        /// The key of the MACs, at least 32 bytes; see [`ChainKeys::new`].
        pub mac_key: KeyFile,
        /// The file of the Ed25519 key's seed, exactly 32 bytes, kept like [`KeyFile::path`].
        pub signing_key: PathBuf,
        /// Keys that earlier lines have their MAC from.
        #[serde(default)]
        pub older_mac_keys: Vec<KeyFile>,
        /// See [`Chain::checkpoints`]; 1000 if absent.
        #[serde(default)]
        pub checkpoint_lines: Option<u64>,
        /// See [`Chain::checkpoints`]; in seconds, ten if absent.
        #[serde(default)]
        pub checkpoint_seconds: Option<u64>,
        /// A regular file that each [`Head`] is appended to, one on each line. It proves something once it is where this machine
        /// can't alter it. It is written by the thread that writes the log, and must not stall.
        #[serde(default)]
        pub heads: Option<PathBuf>,
    }

    impl ChainConfig {
        /// A chain with these keys.
        pub fn new(mac_key: KeyFile, signing_key: impl Into<PathBuf>) -> Self {
            Self {
                mac_key,
                signing_key: signing_key.into(),
                older_mac_keys: Vec::new(),
                checkpoint_lines: None,
                checkpoint_seconds: None,
                heads: None,
            }
        }

        /// The keys, for who wants to [verify](ChainKeys::verifying) the log, or to [publish](ChainKeys::public_key) one.
        ///
        /// # Errors
        ///
        /// If a file can't be read, others may use it, or it is no such key.
        pub fn keys(&self) -> Result<ChainKeys, AuditConfigError> {
            let mac = self.mac_key.read("mac key")?;
            let seed = read(&self.signing_key, "signing key")?;
            let named = |file: &PathBuf| file.to_string_lossy().into_owned();
            if seed.expose().len() != 32 {
                let problem = "is not a seed of exactly 32 bytes";
                return Err(AuditConfigError::new(
                    "signing key",
                    named(&self.signing_key),
                    problem,
                ));
            }
            let keys = ChainKeys::new(self.mac_key.number, &mac, &seed)?;
            let mut older = self.older_mac_keys.iter();
            older.try_fold(keys, |keys, key| {
                keys.and_older(key.number, &key.read("mac key")?)
            })
        }

        pub(super) fn over(
            &self,
            file: RotatingFile,
            keys: ChainKeys,
        ) -> Result<Chain, AuditConfigError> {
            let seconds = self.checkpoint_seconds.unwrap_or(Chain::DEFAULT_SECONDS);
            let lines = self.checkpoint_lines.unwrap_or(Chain::DEFAULT_LINES);
            let chain =
                Chain::over(file, keys)?.checkpoints(lines, Duration::from_secs(seconds))?;
            let Some(path) = &self.heads else {
                return Ok(chain);
            };
            let file = open_to_append(path, "heads")?;
            if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
                let problem = "is no regular file";
                return Err(AuditConfigError::new(
                    "heads",
                    path.to_string_lossy(),
                    problem,
                ));
            }
            Ok(chain.heads(keeping(file)))
        }
    }

    /// Appends each head, and says once when that fails.
    fn keeping(mut file: File) -> impl FnMut(&Head) + Send + 'static {
        let mut is_failing = false;
        move |head| {
            let written = file.write_all(format!("{head}\n").as_bytes());
            if let Err(error) = &written
                && !is_failing
            {
                let detail = format!("the heads of the chain can't be kept: {error}");
                let event = Event::new("audit", Severity::Error, "heads_failed", detail);
                report(&Events::default(), &event);
            }
            is_failing = written.is_err();
        }
    }
}
