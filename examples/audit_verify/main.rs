//! Tells whether a chained audit log is as it was written, and names the first record that is not.
//!
//! ```sh
//! cargo run --example audit_verify --features audit-chain -- \
//!     --public-key audit.pub --mac 1=audit.mac --head head.json audit.log.000001 audit.log
//! ```
//!
//! Files come in their order, the oldest first. A public key is a file of 64 hexadecimal digits; the key of
//! the MACs is a file of its bytes, after its number; a head is what `Chain::heads` told, on the last line of
//! its file. Each is optional, and what it finds is told in the documentation of `bartizan-audit`.
//!
//! The exit code is 0 if all is as it was written, 1 if not, 2 if there is no telling, as of files without a line, and 3
//! if nothing bad was found but no key was given, so that anybody could have written it.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "an example talks to its terminal"
)]

use std::{
    error::Error,
    ffi::OsString,
    fs::{self, File},
    io::BufReader,
    path::PathBuf,
    process::ExitCode,
};

use bartizan::{
    Secret,
    audit::{Head, Report, VerifyKeys, verify},
};
use lexopt::Arg;

struct Options {
    files: Vec<PathBuf>,
    keys: VerifyKeys,
    has_key: bool,
    head: Option<Head>,
}

const USAGE: &str =
    "usage: audit_verify [--public-key FILE]... [--mac NUMBER=FILE]... [--head FILE] LOG...";

fn main() -> ExitCode {
    match run() {
        Ok((report, _)) if !report.is_good() => ExitCode::from(1),
        Ok((report, _)) if report.first.is_none() => ExitCode::from(2),
        Ok((_, false)) => ExitCode::from(3),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audit_verify: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(Report, bool), Box<dyn Error>> {
    let options = options()?;
    let mut readers = Vec::new();
    for path in &options.files {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        readers.push(BufReader::new(file));
    }
    let report = verify(readers, &options.keys, options.head.as_ref())?;
    show(&report, &options);
    Ok((report, options.has_key))
}

fn show(report: &Report, options: &Options) {
    let shown = |seq: Option<u64>| seq.map_or("none".to_owned(), |seq| seq.to_string());
    let (lines, checkpoints) = (report.lines, report.checkpoints);
    let (first, last) = (shown(report.first), shown(report.last));
    println!(
        "good: {lines} lines, {checkpoints} checkpoints among them, records {first} to {last}"
    );
    println!("signed: up to {}", shown(report.signed));
    if let (Some(signed), Some(last)) = (report.signed, report.last)
        && last > signed + 1
    {
        // A checkpoint's own line is signed by the next one alone.
        println!("unsigned: {} to {last}", signed + 1);
    }
    if report.first.is_some_and(|first| first > 1) {
        println!("before: nothing is said of the records before {first}");
    }
    match &options.head {
        Some(head) => println!("head: record {}, {}", head.seq(), head.timestamp()),
        None => println!("head: none, so that what was cut off at the end is not found"),
    }
    if !options.has_key {
        println!("keys: none, so that anybody could have written it");
    }
    match &report.bad {
        Some(bad) => {
            let file = bad.file.checked_sub(1).and_then(|at| options.files.get(at));
            let file = file.map_or(String::new(), |path| format!(" ({})", path.display()));
            println!("bad: {bad}{file}");
        }
        None => println!("bad: nothing"),
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        files: Vec::new(),
        keys: VerifyKeys::new(),
        has_key: false,
        head: None,
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("public-key") => {
                let text = read(arguments.value()?)?;
                let key = public_key(std::str::from_utf8(&text)?.trim());
                options.keys = options.keys.and_public_key(key.ok_or("no public key")?)?;
                options.has_key = true;
            }
            Arg::Long("mac") => {
                let value = arguments.value()?.into_string();
                let value = value.map_err(|_| "--mac takes NUMBER=FILE")?;
                let (number, file) = value.split_once('=').ok_or("--mac takes NUMBER=FILE")?;
                let key = Secret::from(read(file.into())?);
                options.keys = options.keys.and_mac(number.parse()?, &key)?;
                options.has_key = true;
            }
            Arg::Long("head") => {
                let text = String::from_utf8(read(arguments.value()?)?)?;
                let last = text.lines().last().unwrap_or_default();
                options.head = Some(last.parse()?);
            }
            Arg::Value(path) => options.files.push(path.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.files.is_empty() {
        return Err(USAGE.into());
    }
    Ok(options)
}

fn read(path: OsString) -> Result<Vec<u8>, String> {
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

fn public_key(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}
