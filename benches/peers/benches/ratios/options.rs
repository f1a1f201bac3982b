use lexopt::{Arg, Parser, ValueExt};

pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) check: bool,
    pub(crate) lines: bool,
    pub(crate) samples: usize,
    pub(crate) passes: usize,
    only: Option<String>,
}

impl Options {
    pub(crate) fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self {
            json: false,
            check: false,
            lines: false,
            samples: 40,
            passes: 3,
            only: None,
        };
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("json") => options.json = true,
                Arg::Long("check") => options.check = true,
                Arg::Long("lines") => options.lines = true,
                Arg::Long("samples") => options.samples = parser.value()?.parse()?,
                Arg::Long("passes") => options.passes = parser.value()?.parse()?,
                Arg::Long("only") => options.only = Some(parser.value()?.string()?),
                Arg::Long("bench") => {} // what Cargo adds
                other => return Err(other.unexpected()),
            }
        }
        if options.samples * options.passes < 30 {
            return Err("fewer than 30 samples say nothing of a range".into());
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.contains(&**only))
    }
}
