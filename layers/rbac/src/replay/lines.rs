use std::io::{self, BufRead, ErrorKind, Read};

/// Longest line, in bytes: twice what a record takes at most.
const MOST_BYTES: usize = 32 << 10;

/// The lines of a log, each in bounded memory.
pub(super) struct Lines<R> {
    log: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(log: R) -> Self {
        Self {
            log,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line and its number, from 1; `None` at the end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, Result<&str, String>)>> {
        self.line.clear();
        // One byte more tells that there is more.
        let mut part = (&mut self.log).take(MOST_BYTES as u64 + 1);
        if part.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let is_whole = self.line.last() == Some(&b'\n');
        if !is_whole && self.line.len() > MOST_BYTES {
            self.skip_line()?;
            let problem = format!("is longer than {MOST_BYTES} bytes");
            return Ok(Some((self.number, Err(problem))));
        }
        let line = std::str::from_utf8(&self.line).map(str::trim);
        let line = line.map_err(|_| "is not UTF-8".to_owned());
        Ok(Some((self.number, line)))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = match self.log.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (taken, is_over) = match end {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.log.consume(taken);
            if is_over {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn a_line_beyond_the_bound_is_passed_over_and_the_next_one_is_read() {
        let long = "x".repeat(MOST_BYTES * 3);
        for capacity in [1, 7, 8 << 10] {
            let log = format!("a\n{long}\nb\r\n\n{}", "c".repeat(MOST_BYTES));
            let mut lines = Lines::new(BufReader::with_capacity(capacity, log.as_bytes()));
            let mut seen = Vec::new();
            while let Some((number, line)) = lines.next_line().unwrap() {
                seen.push((number, line.map(str::len).map_err(|_| ())));
            }
            let expected = [
                (1, Ok(1)),
                (2, Err(())),
                (3, Ok(1)),
                (4, Ok(0)),
                (5, Ok(MOST_BYTES)),
            ];
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn what_is_not_utf_8_is_no_line() {
        let mut lines = Lines::new(&b"\xff\n{}"[..]);
        assert!(lines.next_line().unwrap().unwrap().1.is_err());
        assert_eq!(lines.next_line().unwrap(), Some((2, Ok("{}"))));
    }
}
