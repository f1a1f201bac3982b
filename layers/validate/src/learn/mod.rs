//! What tools there are and what they take, learned from the server itself.

mod ask;
mod asks;
mod catalog;
mod future;
mod known;
mod list;
mod news;
mod pins;
mod read;
mod watch;

use std::time::Duration;

pub(crate) use catalog::Tool;
pub(crate) use future::{Learn, Outcome};
pub(crate) use known::{Found, Known};
pub(crate) use news::News;
pub use pins::{OnChange, Pins};
pub(crate) use watch::Watch;

use crate::{ArgumentLimits, Characters, ValidateConfigError};

/// How a layer learns the schemas of tools from the server behind it.
///
/// It asks for `tools/list`, all pages of it, when a call needs it first; again when what the server said of its
/// keeping ends, when a list that passes shows another tool, when the server says that its list changed, and when a tool is called that is not known, but then
/// once in ten seconds for each caller. Calls that need the list wait for the one that asks.
///
/// The list is asked for with the headers and the principal of the call that needs it, since a server may need a
/// session. What lists that differ by caller make known, the [crate's documentation](crate) says.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Learning {
    pub(crate) time: Duration,
    pub(crate) keep: Duration,
    pub(crate) stale: Duration,
    pub(crate) bytes: usize,
    pub(crate) pages: usize,
    pub(crate) tools: usize,
}

/// What lists are read within.
pub(crate) const LIST_LIMITS: ArgumentLimits = ArgumentLimits {
    depth: 96,
    members: 4096,
    elements: 100_000,
    values: 1_000_000,
    name_bytes: 1024,
    characters: Characters::any(),
    ..ArgumentLimits::new()
};

impl Learning {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            time: Duration::from_secs(10),
            keep: Duration::from_secs(300),
            stale: Duration::from_secs(3600),
            bytes: 4 << 20,
            pages: 64,
            tools: 1024,
        }
    }

    /// Longest time for all pages of the list. Default 10 s. A call that needs it and does not get it is refused with
    /// 503.
    ///
    /// # Errors
    ///
    /// If zero or above five minutes.
    pub fn time(mut self, time: Duration) -> Result<Self, ValidateConfigError> {
        self.time = within("time", time, Duration::from_secs(300))?;
        Ok(self)
    }

    /// How long a list is kept whose server does not say how long (N-14). Default five minutes. What it says counts
    /// from ten seconds to one day.
    ///
    /// # Errors
    ///
    /// If zero or above one day.
    pub fn keep(mut self, time: Duration) -> Result<Self, ValidateConfigError> {
        self.keep = within("keep", time, LONGEST_KEPT)?;
        Ok(self)
    }

    /// How long a list that can't be had anew is used beyond that. Default one hour; zero for not at all.
    ///
    /// # Errors
    ///
    /// If above one week.
    pub fn stale(mut self, time: Duration) -> Result<Self, ValidateConfigError> {
        if !time.is_zero() {
            within("stale", time, Duration::from_secs(7 * 86_400))?;
        }
        self.stale = time;
        Ok(self)
    }

    /// Most bytes of all pages. Default 4 MiB.
    ///
    /// # Errors
    ///
    /// If below 1 KiB or above 64 MiB.
    pub fn bytes(mut self, bytes: usize) -> Result<Self, ValidateConfigError> {
        self.bytes = ValidateConfigError::unless_within("list bytes", bytes, 1 << 10, 64 << 20)?;
        Ok(self)
    }

    /// Most pages. Default 64.
    ///
    /// # Errors
    ///
    /// If zero or above 1024.
    pub fn pages(mut self, pages: usize) -> Result<Self, ValidateConfigError> {
        self.pages = ValidateConfigError::unless_within("list pages", pages, 1, 1024)?;
        Ok(self)
    }

    /// Most tools. Default 1024.
    ///
    /// # Errors
    ///
    /// If zero or above 65536.
    pub fn tools(mut self, tools: usize) -> Result<Self, ValidateConfigError> {
        self.tools = ValidateConfigError::unless_within("tools", tools, 1, 65_536)?;
        Ok(self)
    }
}

impl Default for Learning {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) const LONGEST_KEPT: Duration = Duration::from_secs(86_400);
pub(crate) const SHORTEST_KEPT: Duration = Duration::from_secs(10);

fn within(
    setting: &'static str,
    time: Duration,
    most: Duration,
) -> Result<Duration, ValidateConfigError> {
    match time.is_zero() || time > most {
        false => Ok(time),
        true => {
            let problem = format!("is not within 1 to {} seconds", most.as_secs());
            Err(ValidateConfigError::new(
                setting,
                &format!("{time:?}"),
                problem,
            ))
        }
    }
}
