use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    pin::pin,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use super::{CommandError, CommandErrorKind, group::Group};
use crate::safe::SafeArg;

/// A program, what the tool says to it, and what a caller may add: operands, and values of options.
///
/// There is no shell. Operands follow `--`, the environment is empty, nothing is to be read from the standard input, the
/// current directory is `/`, and time (10 s) and output (1 MiB each of both streams) have an end. When the time is over, the
/// output too long or the future dropped, the program is killed, and all that it started with it; also when it
/// just ends and leaves something behind. (What makes a process group of its own gets away: this is no sandbox.) See
/// [the guide](crate::guide::commands) for what goes wrong otherwise.
///
/// ```
/// use bartizan_validate::safe::{SafeArg, command::Programs};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let programs = Programs::new().allow("/bin/ls")?; // at the start
///
/// let asked = SafeArg::new("nothing; echo injected")?; // an argument of the tool
/// let command = programs.command("ls").ok_or("not listed")?;
/// let finished = command.fixed("-l").operand(&asked).run().await?;
/// assert!(!finished.is_success()); // there is no file of that name
/// assert!(finished.stdout().is_empty());
///
/// assert!(SafeArg::new("--version").is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct SafeCommand {
    program: PathBuf,
    arguments: Vec<OsString>,
    operands: Vec<OsString>,
    separator: bool,
    environment: Vec<(&'static str, OsString)>,
    folder: PathBuf,
    time_limit: Duration,
    output_limit: usize,
}

/// What a program left that ran to its end, well or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl SafeCommand {
    pub(super) fn of(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            operands: Vec::new(),
            separator: true,
            environment: Vec::new(),
            folder: PathBuf::from("/"),
            time_limit: Duration::from_secs(10),
            output_limit: 1 << 20,
        }
    }

    /// An argument that stands in the code: an option, a subcommand.
    pub fn fixed(mut self, argument: &'static str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// An option that stands in the code, with a value: `--author=ann` if it begins with two dashes, otherwise
    /// `-n` and `5`.
    pub fn option(mut self, name: &'static str, value: &SafeArg) -> Self {
        if name.starts_with("--") {
            self.arguments.push(format!("{name}={value}").into());
        } else {
            self.arguments.push(name.into());
            self.arguments.push(value.as_str().into());
        }
        self
    }

    /// An operand. All of them stand behind the options and `--`.
    pub fn operand(mut self, operand: &SafeArg) -> Self {
        self.operands.push(operand.as_str().into());
        self
    }

    /// Without `--`, for a program that takes it for an operand. Whether it has options that do not begin
    /// with a dash is then for you to know: `find` takes `!`, `dd` takes `of=`.
    pub fn danger_without_separator(mut self) -> Self {
        self.separator = false;
        self
    }

    /// A variable of the environment, of which there is no other.
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The current directory.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// For how long it may run.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How many bytes it may write to the standard output, and as many to the standard error.
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// If it can't be started or is ended by a limit. That it fails is no error: see [`Finished::is_success`].
    pub async fn run(self) -> Result<Finished, CommandError> {
        let (time_limit, output_limit) = (self.time_limit, self.output_limit);
        let started = self.prepared().spawn();
        let mut child =
            started.map_err(|error| CommandError::new(CommandErrorKind::Start, error))?;
        let mut group = Group::of(child.id());
        let ended = timeout(time_limit, end(&mut child, &mut group, output_limit)).await;
        // While the child is not waited for: its number is then still its own.
        drop(group);
        let (stdout, stderr) = ended.map_err(|_| CommandErrorKind::TimeLimit)??;
        let code = child.wait().await?.code();
        Ok(Finished {
            code,
            stdout,
            stderr,
        })
    }

    fn prepared(self) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        if self.separator && !self.operands.is_empty() {
            command.arg("--");
        }
        command
            .args(self.operands)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// Both outputs, once the child ended and whatever holds them open was killed.
async fn end(
    child: &mut Child,
    group: &mut Group,
    limit: usize,
) -> Result<(Vec<u8>, Vec<u8>), CommandError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = async { tokio::try_join!(whole(stdout, limit), whole(stderr, limit)) };
    let mut read = pin!(read);
    let outputs = tokio::select! {
        outputs = &mut read => Some(outputs?),
        ended = group.leader_ended() => {
            ended?;
            group.kill();
            None
        }
    };
    match outputs {
        Some(outputs) => {
            group.leader_ended().await?;
            Ok(outputs)
        }
        None => read.await,
    }
}

async fn whole(
    output: Option<impl AsyncRead + Unpin>,
    limit: usize,
) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        output.take(most).read_to_end(&mut bytes).await?;
    }
    if bytes.len() > limit {
        return Err(CommandErrorKind::OutputLimit.into());
    }
    Ok(bytes)
}

impl Finished {
    /// Whether it says that it did what it was to do.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// Its exit status; none if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// What it wrote to the standard output.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// What it wrote to the standard error. It may tell more than a caller should know.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }
}
