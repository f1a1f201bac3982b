//! A recorded audit log under another policy: who would gain by it, and who would lose.

mod lines;
mod record;
mod report;
mod tally;
mod told;

use std::io::{self, BufRead};

pub use report::{BadLine, Difference, Replay};
pub use told::Untold;

use crate::Policy;
use lines::Lines;
use record::{Recorded, read};
use tally::Tally;

impl Policy {
    /// Decides anew what an audit log says was decided, and tells the differences.
    ///
    /// `log` holds the records of `bartizan-audit`, one JSON object on a line, in any order and by
    /// whatever policies. Records without a decision (requests that were refused before, preflights,
    /// gaps) are counted and passed over. A line that cannot be read is counted and named, and the rest
    /// is read on. What a record does not hold is never guessed: where the decision hangs on it, the
    /// record is counted as [`Untold`].
    ///
    /// Memory is bounded, whatever the log holds. It takes some microseconds for a record.
    ///
    /// ```
    /// use bartizan_rbac::{Policy, Rule};
    /// let log = r#"{"schema":1,"event_type":"tool_call","user_role":["viewer"],"tool_name":"read_note",
    ///     "action":"tools/call","correlation_id":"4f0c","metadata":{"principal_kind":"user","scopes":[],
    ///     "call_kind":"request","decision":{"outcome":"admitted","policy":"1","rules":["tool:*"]}}}"#;
    /// let narrower = Policy::enterprise().rule(Rule::tool("*").role("admin")).build()?;
    /// let replay = narrower.replay(log.replace('\n', "").as_bytes())?;
    /// let lost = replay.losses().next().unwrap();
    /// assert_eq!((lost.name.as_deref(), lost.count, &*lost.first), (Some("read_note"), 1, "4f0c"));
    /// assert!(!replay.has_gains());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Only if `log` cannot be read on.
    pub fn replay(&self, log: impl BufRead) -> io::Result<Replay> {
        let mut lines = Lines::new(log);
        let mut tally = Tally::default();
        while let Some((number, line)) = lines.next_line()? {
            match line.and_then(read) {
                Ok(Recorded::Blank) => {}
                Ok(Recorded::Undecided) => tally.undecided(),
                Ok(Recorded::Decided(decided)) => tally.decided(self, *decided),
                Ok(Recorded::Unknown { policy, id }) => tally.untold(&policy, &id, Untold::Word),
                Err(problem) => tally.bad(number, &problem),
            }
        }
        Ok(tally.replay(self.version()))
    }
}
