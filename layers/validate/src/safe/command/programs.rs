use std::{
    collections::BTreeMap,
    error::Error,
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::SafeCommand;

/// The programs that tools may run, each by its absolute path. Whatever is not listed does not run.
///
/// What is listed is looked at when it is: an executable file that only its owner may change, in a folder of which
/// that is true too, and no program that runs what its operands say (shells, interpreters, `env`, `xargs`, `sudo`).
///
/// ```
/// use bartizan_validate::safe::command::Programs;
///
/// let programs = Programs::new().allow("/bin/ls")?;
/// assert!(programs.command("ls").is_some());
/// assert!(programs.command("rm").is_none());
///
/// assert!(Programs::new().allow("ls").is_err()); // whatever `PATH` says
/// assert!(Programs::new().allow("/bin/sh").is_err());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Programs {
    listed: BTreeMap<String, PathBuf>,
}

/// Why a program is not listed. The text names its path, which the operator wrote.
#[derive(Debug)]
pub struct NoProgram {
    path: PathBuf,
    problem: &'static str,
    source: Option<io::Error>,
}

impl Programs {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists a program under the last part of its path.
    ///
    /// # Errors
    ///
    /// If it is not such a program, or its name is listed with another path.
    pub fn allow(self, path: impl Into<PathBuf>) -> Result<Self, NoProgram> {
        let path = path.into();
        if let Some(problem) = name_of(&path).and_then(runs_operands) {
            return Err(NoProgram::new(path, problem));
        }
        // A link such as `/usr/bin/awk` leads to what it is. One to a file of many programs
        // (`busybox`) does what its own name says.
        let real = fs::canonicalize(&path).ok();
        let real_name = real.as_deref().and_then(name_of);
        let problem = real_name.filter(|name| *name != "busybox");
        match problem.and_then(runs_operands) {
            Some(problem) => Err(NoProgram::new(path, problem)),
            None => self.list(path),
        }
    }

    /// Lists also a program that runs what its operands say. Whoever chooses an operand then chooses
    /// what runs.
    ///
    /// # Errors
    ///
    /// As [`allow`](Self::allow), otherwise.
    pub fn danger_allow(self, path: impl Into<PathBuf>) -> Result<Self, NoProgram> {
        self.list(path.into())
    }

    fn list(mut self, path: PathBuf) -> Result<Self, NoProgram> {
        if !path.is_absolute() {
            return Err(NoProgram::new(path, "is not absolute"));
        }
        let Some(name) = name_of(&path).map(str::to_owned) else {
            return Err(NoProgram::new(path, "has no name"));
        };
        if let Err((problem, source)) = look_at(&path) {
            return Err(NoProgram {
                path,
                problem,
                source,
            });
        }
        if self.listed.get(&name).is_some_and(|listed| *listed != path) {
            return Err(NoProgram::new(
                path,
                "has the name of another that is listed",
            ));
        }
        self.listed.insert(name, path);
        Ok(self)
    }

    /// A command of the program with that name, if it is listed.
    pub fn command(&self, name: &str) -> Option<SafeCommand> {
        self.listed.get(name).map(|path| SafeCommand::of(path))
    }
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn look_at(path: &Path) -> Result<(), (&'static str, Option<io::Error>)> {
    let lost = |error| ("can't be found", Some(error));
    let real = fs::canonicalize(path).map_err(lost)?;
    let file = fs::metadata(&real).map_err(lost)?;
    let folder = fs::metadata(real.parent().unwrap_or(Path::new("/"))).map_err(lost)?;
    let mode = file.permissions().mode();
    if !file.is_file() || mode & 0o111 == 0 {
        return Err(("is no executable file", None));
    }
    if (mode | folder.permissions().mode()) & 0o022 != 0 {
        return Err(("can be changed by others than its owner", None));
    }
    Ok(())
}

/// Programs whose operands are programs, or written in a language that starts them: the best known ones.
#[rustfmt::skip]
const RUNNERS: &[&str] = &[
    "R", "Rscript", "ash", "at", "awk", "bash", "batch", "bpftrace", "bun", "bunx", "busybox", "bwrap",
    "catchsegv", "chroot", "cmd", "command", "crontab", "csh", "dash", "dbus-run-session", "deno", "doas", "ed",
    "elvish", "emacs", "env", "erl", "eval", "ex", "exec", "expect", "fakeroot", "firejail", "fish", "flock",
    "gawk", "gdb", "ghci", "groovy", "gsed", "guile", "ionice", "java", "jshell", "julia", "ksh", "ltrace", "lua",
    "luajit", "make", "mawk", "mksh", "mosh", "nawk", "nice", "node", "nodejs", "nohup", "npx", "nsenter", "nu",
    "nvim", "original-awk", "osascript", "parallel", "perf", "perl", "php", "pkexec", "powershell", "proot",
    "pwsh", "python", "rbash", "rsh", "ruby", "runuser", "scala", "screen", "script", "sed", "setarch", "setpriv",
    "setsid", "sh", "socat", "sqlite", "ssh", "sshpass", "stdbuf", "strace", "su", "sudo", "swipl", "systemd-run",
    "taskset", "tclsh", "tcsh", "time", "timeout", "tmux", "toybox", "unshare", "uv", "uvx", "valgrind", "vi",
    "vim", "watch", "xargs", "zsh",
];

/// Versions are no part of a name: `python3.13`, `lua5.4`.
fn runs_operands(name: &str) -> Option<&'static str> {
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let is_listed = [name, bare].iter().any(|name| RUNNERS.contains(name));
    let is_listed = is_listed || name.starts_with("ld-linux") || name.starts_with("ld.so");
    is_listed.then_some("runs what its operands say, which needs `danger_allow`")
}

impl NoProgram {
    fn new(path: PathBuf, problem: &'static str) -> Self {
        Self {
            path,
            problem,
            source: None,
        }
    }
}

impl fmt::Display for NoProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program `{}` {}", self.path.display(), self.problem)
    }
}

impl Error for NoProgram {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
