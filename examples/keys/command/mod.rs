//! What is done for each command.

mod options;
mod peppers;
mod show;
mod stores;

use std::{
    error::Error,
    ffi::OsString,
    fmt::{self, Write as _},
    io,
};

use bartizan::apikey::{ApiKeys, IssuedKey, KeyError, KeyId, KeyRecord, StoreError};
use serde_json::json;

use options::{Action, Options};

/// What a command says, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// For standard output: a key, a table, or JSON.
    pub(crate) out: String,
    /// For people, on standard error.
    pub(crate) said: String,
    pub(crate) code: u8,
}

/// Why nothing was done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what can't be.
    Usage(String),
    /// The store or the pepper is not to be had.
    Place(String),
    /// The key is none, or past that.
    Key(String),
}

/// Records on a page.
const PAGE: usize = 500;

pub(crate) async fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
    input: impl FnOnce() -> io::Result<String>,
) -> Result<Done, Failure> {
    let options = options::parse(arguments, &environment)?;
    if let Action::Help = options.action {
        return Ok(Done {
            out: options::USAGE.to_owned(),
            ..Done::default()
        });
    }
    if let Action::Init = options.action {
        let said = peppers::init(&options)? + &stores::init(&options).await?;
        return Ok(Done {
            said,
            ..Done::default()
        });
    }
    let peppers = peppers::read(&options, &environment)?;
    let keys = stores::open(&options, peppers).await?;
    act(&keys, options, input).await.or_else(as_not_done)
}

async fn act(
    keys: &ApiKeys,
    options: Options,
    input: impl FnOnce() -> io::Result<String>,
) -> Result<Done, Failure> {
    let json = options.json;
    match options.action {
        Action::Issue { grant, life } => {
            let key = keys.issue_for(*grant, life).await?;
            Ok(handed_out(&key, json, String::new()))
        }
        Action::Honey { label, environment } => {
            let key = keys.issue_honey(&label, &environment).await?;
            Ok(decoy(&key, json))
        }
        Action::Rotate { id, overlap, again } => {
            let rotated = match again {
                true => keys.rotate_again(id).await,
                false => keys.rotate(id, overlap).await,
            };
            let Some(new) = rotated? else {
                return Ok(unknown(id));
            };
            // The new key is shown whatever the store says now: nobody has it otherwise.
            let said = match keys.inspect(id).await {
                Ok(Some(old)) => {
                    let deadline = show::time(old.expires_at);
                    format!("the old key `{id}` is good until {deadline}\n")
                }
                _ => format!("the old key `{id}` can't be asked about\n"),
            };
            Ok(handed_out(&new, json, said))
        }
        Action::List => list(keys, json).await,
        Action::Inspect { id } => match keys.inspect(id).await? {
            Some(record) => Ok(shown(&record, json)),
            None => Ok(unknown(id)),
        },
        Action::Revoke { id, reason } => match keys.revoke(id, &reason).await? {
            Some(record) => Ok(revoked(&record, json)),
            None => Ok(unknown(id)),
        },
        Action::Leaked => {
            let text =
                input().map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
            match keys.revoke_leaked(text.trim()).await? {
                Some(record) => Ok(revoked(&record, json)),
                None => Ok(not_done("it is no key of this store\n".to_owned())),
            }
        }
        Action::RemoveEnded { older_than } => {
            let mut removed = 0;
            loop {
                match keys.remove_ended(older_than, PAGE).await? {
                    0 => break,
                    some => removed += some,
                }
            }
            let out = match json {
                true => show::json(&json!({ "removed": removed })),
                false => String::new(),
            };
            Ok(Done {
                out,
                said: format!("{removed} records removed\n"),
                code: 0,
            })
        }
        Action::Help | Action::Init => Ok(Done::default()),
    }
}

/// Page by page; what can't be read is named, and the rest is listed all the same.
async fn list(keys: &ApiKeys, json: bool) -> Result<Done, Failure> {
    let (mut after, mut records, mut unreadable) = (None, Vec::new(), Vec::new());
    loop {
        match keys.list(after, PAGE).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => {
                after = page.last().map(|record| record.id);
                records.extend(page);
            }
            Err(KeyError::Store(StoreError::Unreadable(id, _))) => {
                after = Some(id);
                unreadable.push(id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let out = match json {
        true => show::json(&json!(records.iter().map(show::record).collect::<Vec<_>>())),
        false => show::table(&records),
    };
    let said = unreadable.iter();
    let said = said.map(|id| format!("the record of key `{id}` can't be read\n"));
    Ok(Done {
        out,
        said: said.collect(),
        code: if unreadable.is_empty() { 0 } else { 3 },
    })
}

/// The one time that a key is shown.
fn handed_out(key: &IssuedKey, json: bool, said: String) -> Done {
    let (id, end) = (key.record().id, show::time(key.record().expires_at));
    let said = format!("key `{id}` is good until {end}, and is not shown again\n{said}");
    Done {
        out: text(key, json),
        said,
        code: 0,
    }
}

fn decoy(key: &IssuedKey, json: bool) -> Done {
    let id = key.record().id;
    let said = format!("key `{id}` is a honey key: it is never good, and is not shown again\n");
    Done {
        out: text(key, json),
        said,
        code: 0,
    }
}

fn text(key: &IssuedKey, json: bool) -> String {
    match json {
        true => show::json(&json!({ "key": key.text(), "record": show::record(key.record()) })),
        false => format!("{}\n", key.text()),
    }
}

fn revoked(record: &KeyRecord, json: bool) -> Done {
    let out = match json {
        true => show::json(&show::record(record)),
        false => String::new(),
    };
    let said = format!("key `{}` is revoked\n", record.id);
    Done { out, said, code: 0 }
}

fn shown(record: &KeyRecord, json: bool) -> Done {
    let out = match json {
        true => show::json(&show::record(record)),
        false => show::details(record),
    };
    Done {
        out,
        ..Done::default()
    }
}

fn unknown(id: KeyId) -> Done {
    not_done(format!("there is no key `{id}`\n"))
}

fn not_done(said: String) -> Done {
    Done {
        said,
        code: 1,
        ..Done::default()
    }
}

/// What is a key's fault, and nobody's else.
fn as_not_done(failure: Failure) -> Result<Done, Failure> {
    match failure {
        Failure::Key(said) => Ok(not_done(format!("{said}\n"))),
        other => Err(other),
    }
}

impl Failure {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Key(_) => 1,
            Self::Usage(_) => 2,
            Self::Place(_) => 3,
        }
    }

    /// With all that caused it, in case that says more.
    fn place(error: &(dyn Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::Place(text)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Grant(error) => Self::Usage(error.to_string()),
            KeyError::NoKey | KeyError::Child(_) | KeyError::Honey(_) | KeyError::NotRotated => {
                Self::Key(error.to_string())
            }
            KeyError::Store(StoreError::Revoked) => Self::Key(error.to_string()),
            other => Self::place(&other),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text) | Self::Place(text) | Self::Key(text)) = self;
        // Names of others may be in it.
        for c in text.chars() {
            match c {
                ' '..='~' => f.write_char(c)?,
                _ => write!(f, "{}", c.escape_unicode())?,
            }
        }
        Ok(())
    }
}
