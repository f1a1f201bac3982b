//! What is watched, and in which form it is shown.

mod counts;
mod failure;
pub(crate) mod filter;
mod options;
mod place;
mod plain;
mod record;
mod row;
pub(crate) mod screen;
pub(crate) mod state;
mod summary;
pub(crate) mod tail;
pub(crate) mod view;

use std::{ffi::OsString, io::Write, sync::atomic::AtomicBool, time::Duration};

pub(crate) use failure::Failure;
use options::Form;
use state::Watch;
use tail::Tail;
use view::Palette;

/// How often the file is looked at.
const BETWEEN: Duration = Duration::from_millis(100);

/// Where the output goes.
#[derive(Debug)]
pub(crate) struct Outputs<O, S> {
    pub(crate) out: O,
    /// For what is not part of the output.
    pub(crate) said: S,
    pub(crate) is_terminal: bool,
    pub(crate) has_colours: bool,
}

/// Watches until it is told to stop, or once.
pub(crate) fn run<O: Write, S: Write>(
    arguments: impl IntoIterator<Item = OsString>,
    mut outputs: Outputs<O, S>,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let Some(options) = options::parse(arguments)? else {
        return Ok(outputs.out.write_all(options::USAGE.as_bytes())?);
    };
    outputs.has_colours &= options.has_colours;
    let palette = Palette {
        has_colours: outputs.has_colours,
    };
    let mut tail = Tail::new(&options.path, options.last);
    let mut watch = Watch::new(options.filter);
    let is_screen = outputs.is_terminal && options.form == Form::Auto && !options.once;
    let ended = match is_screen {
        true => screen::run(&mut watch, &mut tail, &options.path, palette, stop),
        false => {
            let mut plain = plain::Plain {
                outputs: &mut outputs,
                palette,
                form: options.form,
            };
            plain.run(&mut watch, &mut tail, options.once, stop)
        }
    };
    if options.form != Form::Json && (ended.is_ok() || watch.counts.records > 0) {
        writeln!(outputs.out)?;
        for line in summary::of(&watch, palette) {
            plain::write(&line, outputs.is_terminal, &mut outputs.out)?;
        }
        outputs.out.flush()?;
    }
    ended
}
