//! What secrets are hashed under: apart from the store, so that neither alone is of use.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
};

use bartizan::{Secret, WholeFile, apikey::Peppers};

use super::{Failure, Options};

/// Largest file of peppers, in bytes.
const MOST: u64 = 64 << 10;

/// `NUMBER:HEX` on each line, or after a comma. The first one is current.
pub(super) fn read(
    options: &Options,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Peppers, Failure> {
    let text = match (&options.pepper_file, environment("KEYS_PEPPER")) {
        (Some(path), _) => read_file(Path::new(path))?,
        (None, Some(text)) => text,
        (None, None) => {
            let problem = "no pepper: neither --pepper-file nor KEYS_PEPPER";
            return Err(Failure::Usage(problem.to_owned()));
        }
    };
    let mut ring: Option<Peppers> = None;
    for line in text.split(['\n', ',']).map(str::trim) {
        if line.is_empty() {
            continue;
        }
        // What it says is not repeated.
        let none =
            || Failure::Place("the pepper is not as 1: and 64 hexadecimal digits".to_owned());
        let (number, digits) = line.split_once(':').ok_or_else(none)?;
        let number = number.parse().map_err(|_| none())?;
        let pepper = Secret::from(bytes(digits).ok_or_else(none)?);
        let added = match ring {
            None => Peppers::new(number, pepper),
            Some(ring) => ring.and_older(number, pepper),
        };
        ring = Some(added.map_err(|error| Failure::Place(error.to_string()))?);
    }
    ring.ok_or_else(|| Failure::Place("the pepper is empty".to_owned()))
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let failed = |problem: &dyn std::fmt::Display| {
        Failure::Place(format!("pepper file `{}` {problem}", path.display()))
    };
    let whole = WholeFile::read(path, MOST).map_err(|problem| failed(&problem))?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&whole.metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(failed(&format!("has mode {mode:o}, not 600")));
        }
    }
    Ok(whole.text)
}

/// Makes a pepper, unless there is one: another one would end all keys.
pub(super) fn init(options: &Options) -> Result<String, Failure> {
    let Some(path) = &options.pepper_file else {
        return Err(Failure::Usage("init needs a --pepper-file".to_owned()));
    };
    if Path::new(path).exists() {
        read_file(Path::new(path))?;
        return Ok(format!("the pepper in `{path}` stays\n"));
    }
    let made = make(Path::new(path));
    made.map_err(|error| Failure::Place(format!("pepper file `{path}`: {error}")))?;
    Ok(format!(
        "a pepper is in `{path}`: keep it, and keep it apart from the store\n"
    ))
}

fn make(path: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(format!("1:{digits}\n").as_bytes())?;
    file.sync_all()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let places = (0..digits.len()).step_by(2);
    places
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}
