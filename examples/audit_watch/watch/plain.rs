//! Line by line, for a pipe, a file, or whoever wants to scroll back.

use std::{
    io::{self, ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::sleep,
};

use ratatui::{backend::IntoCrossterm as _, crossterm::style::ContentStyle, text::Line};

use super::{
    BETWEEN, Failure, Outputs, Palette, Watch,
    options::Form,
    tail::{Seen, Tail},
    view,
};

pub(super) struct Plain<'a, O, S> {
    pub(super) outputs: &'a mut Outputs<O, S>,
    pub(super) palette: Palette,
    pub(super) form: Form,
}

impl<O: Write, S: Write> Plain<'_, O, S> {
    pub(super) fn run(
        &mut self,
        watch: &mut Watch,
        tail: &mut Tail,
        once: bool,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        loop {
            let mut taken = Ok(());
            let mut take = |seen: Seen<'_>| {
                if taken.is_ok() {
                    taken = self.take(watch, seen);
                }
            };
            let is_more = tail.poll(&mut take).map_err(Failure::Log)?;
            let is_over = once && !is_more;
            if is_over {
                tail.end(&mut take).map_err(Failure::Log)?;
            }
            taken?;
            self.outputs.out.flush()?;
            if once && tail.is_absent() {
                return Err(Failure::Log(ErrorKind::NotFound.into()));
            }
            if is_over || stop.load(Relaxed) {
                return Ok(());
            }
            if !is_more {
                sleep(BETWEEN);
            }
        }
    }

    fn take(&mut self, watch: &mut Watch, seen: Seen<'_>) -> io::Result<()> {
        let least = watch.filter.severity;
        let Some(row) = watch.take(seen).filter(|row| row.is_from(least)) else {
            return Ok(());
        };
        let is_record = row.is_record;
        let line = view::whole(row, self.palette);
        let Outputs {
            out,
            said,
            is_terminal,
            ..
        } = &mut *self.outputs;
        match (self.form, seen) {
            (Form::Json, Seen::Line(json)) if is_record => write_json(json, out),
            (Form::Json, _) => write(&line, false, said),
            _ => write(&line, *is_terminal, out),
        }
    }
}

/// With what makes a terminal show the styles, or without.
pub(super) fn write(line: &Line<'_>, has_styles: bool, out: &mut impl Write) -> io::Result<()> {
    let last = line.spans.len().saturating_sub(1);
    for (at, span) in line.spans.iter().enumerate() {
        let text = match at == last {
            true => span.content.trim_end(),
            false => &span.content,
        };
        let style: ContentStyle = span.style.into_crossterm();
        match has_styles {
            true => write!(out, "{}", style.apply(text))?,
            false => out.write_all(text.as_bytes())?,
        }
    }
    writeln!(out)
}

/// As it is, on a line of ASCII: what else there is stands inside of texts, where it can be escaped.
fn write_json(line: &[u8], out: &mut impl Write) -> io::Result<()> {
    let line = String::from_utf8_lossy(line);
    for c in line.chars() {
        match c {
            ' '..='~' => write!(out, "{c}")?,
            '\t' | '\r' => write!(out, " ")?,
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
    }
    writeln!(out)
}
