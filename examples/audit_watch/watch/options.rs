//! The command line.

use std::{ffi::OsString, path::PathBuf};

use lexopt::{Arg, Parser, ValueExt as _};

use super::{
    Failure,
    filter::{self, Filter},
    record,
};

pub(super) const USAGE: &str = "\
usage: audit_watch [--severity notice] [--class CLASS]... [--user USER]... [--tool TOOL]...
                   [--once] [--last 20] [--plain | --json] [--no-color] FILE

  --severity S   shows records from this on: info, notice, warning, error, critical
  --class C      only records of this class or type of event, as authorization_denied or anomaly
  --user U       only this user's; `ann*` is each whose name begins so
  --tool T       only calls of this tool, likewise
  --once         reads the file from its beginning to its end, instead of following it
  --last N       begins so many lines before the end
  --plain        line by line on a terminal too
  --json         the records as they are, one on each line
";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) path: PathBuf,
    pub(crate) filter: Filter,
    pub(crate) once: bool,
    pub(crate) last: Option<usize>,
    pub(crate) form: Form,
    pub(crate) has_colours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A screen, where there is a terminal.
    Auto,
    Plain,
    Json,
}

/// Lines of what was there before, where they are followed.
const LAST: usize = 20;

/// `None` if the usage is asked for.
pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Options>, Failure> {
    let mut filter = Filter::default();
    let (mut once, mut last, mut form, mut has_colours) = (false, None, Form::Auto, true);
    let mut paths = Vec::new();
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("severity") => {
                let word = text(&mut parser)?;
                let severity = record::severity(&word);
                filter.severity = severity.ok_or_else(|| {
                    usage(
                        "severity",
                        &word,
                        "is not info, notice, warning, error or critical",
                    )
                })?;
            }
            Arg::Long("class") => {
                let class = text(&mut parser)?;
                if !filter::is_class(&class) {
                    return Err(usage("class", &class, "is no class and no type of event"));
                }
                filter.classes.push(class);
            }
            Arg::Long("user") => filter.users.push(text(&mut parser)?),
            Arg::Long("tool") => filter.tools.push(text(&mut parser)?),
            Arg::Long("once") => once = true,
            Arg::Long("follow") => once = false,
            Arg::Long("last") => {
                let number = text(&mut parser)?;
                let parsed = number.parse();
                last = Some(parsed.map_err(|_| usage("last", &number, "is no number of lines"))?);
            }
            Arg::Long("plain") => form = Form::Plain,
            Arg::Long("json") => form = Form::Json,
            Arg::Long("no-color") => has_colours = false,
            Arg::Value(path) => paths.push(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let [path] = <[PathBuf; 1]>::try_from(paths)
        .map_err(|_| Failure::Usage("one FILE is needed; see --help".to_owned()))?;
    Ok(Some(Options {
        path,
        filter,
        once,
        last: last.or((!once).then_some(LAST)),
        form,
        has_colours,
    }))
}

fn text(parser: &mut Parser) -> Result<String, lexopt::Error> {
    parser.value()?.string()
}

fn usage(option: &str, value: &str, problem: &str) -> Failure {
    Failure::Usage(format!("--{option} `{value}` {problem}"))
}
