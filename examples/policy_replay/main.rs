//! Who would gain and who would lose by a new policy, told by what a recorded audit log says was asked.
//!
//! ```sh
//! cd examples/policy_replay
//! cargo run --example policy_replay --features policy-files -- policy.toml audit.jsonl
//! ```
//!
//! A policy is a `.toml` or `.json` file, a log is what `JsonLines` wrote; `-` is the standard input, and
//! several logs are read one after the other. `--json` writes the same for machines.
//!
//! The exit code is 0 if nobody gains, 1 if somebody would, 2 if there is no telling for want of a policy
//! or a log, and 3 if nobody is known to gain but some of the log does not tell, or it holds no decision.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "an example talks to its terminal"
)]

mod table;

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use bartizan::rbac::{Policy, RbacConfig, RbacLayer, Replay};
use lexopt::Arg;

struct Options {
    policy: PathBuf,
    logs: Vec<PathBuf>,
    json: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(replay) if replay.has_gains() => ExitCode::from(1),
        Ok(replay) if !replay.is_complete() => ExitCode::from(3),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policy_replay: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<Replay, Box<dyn Error>> {
    let options = options()?;
    let policy = policy(&options.policy)?;
    let replay = policy.replay(BufReader::new(opened(&options.logs)?))?;
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &replay)?;
        writeln!(out)?;
    } else {
        table::write(&replay, &mut out)?;
    }
    Ok(replay)
}

fn options() -> Result<Options, Box<dyn Error>> {
    let (mut paths, mut json) = (Vec::new(), false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("json") => json = true,
            Arg::Value(path) => paths.push(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    if paths.len() < 2 {
        return Err("usage: policy_replay [--json] POLICY.toml AUDIT.jsonl...".into());
    }
    Ok(Options {
        policy: paths.remove(0),
        logs: paths,
        json,
    })
}

/// The file as a server reads it, settings of the layer included.
fn policy(path: &Path) -> Result<Arc<Policy>, Box<dyn Error>> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let config = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => RbacConfig::from_json(&text),
        _ => RbacConfig::from_toml(&text),
    };
    let config = config.map_err(|error| format!("{shown}: {error}"))?;
    Ok(RbacLayer::try_from(config)?.handle().policy())
}

/// All logs, one after the other.
fn opened(logs: &[PathBuf]) -> Result<Box<dyn Read>, Box<dyn Error>> {
    let mut all: Box<dyn Read> = Box::new(io::empty());
    for path in logs {
        let one: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(path);
            Box::new(file.map_err(|error| format!("{}: {error}", path.display()))?)
        };
        all = Box::new(all.chain(one));
    }
    Ok(all)
}
