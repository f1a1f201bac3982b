use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use serde_json::Value;

/// A crash may leave so much of a last batch.
const MOST_TORN: u64 = 1 << 20;

/// Cuts off what follows the last line's end; how many bytes that were. A line that lacks nothing but its end
/// gets it.
pub(super) fn cut(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(MOST_TORN);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    Read::by_ref(file).take(MOST_TORN).read_to_end(&mut end)?;
    let kept = match end.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => at + 1,
        None if from == 0 => 0,
        None => return Err(no_log()),
    };
    let torn = end.get(kept..).unwrap_or_default();
    // What a crash left begins as a line, or is a block that never got its content.
    match torn.first() {
        None => return Ok(0),
        Some(b'{' | 0) => {}
        Some(_) => return Err(no_log()),
    }
    if let Ok(Value::Object(_)) = serde_json::from_slice(torn) {
        file.write_all(b"\n")?;
        file.sync_all()?;
        return Ok(0);
    }
    let torn = u64::try_from(torn.len()).unwrap_or_default();
    file.set_len(length - torn)?;
    file.sync_all()?;
    Ok(torn)
}

fn no_log() -> io::Error {
    let problem = "it does not end with a line of a log";
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
