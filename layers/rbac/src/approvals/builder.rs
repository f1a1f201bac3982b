use std::{sync::Arc, time::Duration};

use bartizan_core::{Clock, Events, SystemClock};

use super::Approvals;
use crate::RbacConfigError;

/// Builds [`Approvals`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ApprovalsBuilder {
    pub(super) wait: Duration,
    pub(super) good_for: Duration,
    pub(super) room: usize,
    pub(super) share: usize,
    pub(super) call_bytes: usize,
    pub(super) approver_scope: Option<String>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: Events,
}

impl ApprovalsBuilder {
    /// How long a call waits to be decided, and how long a denial holds; 10 minutes by default.
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// How long an approval can be used once it is given; 5 minutes by default.
    pub fn good_for(mut self, time: Duration) -> Self {
        self.good_for = time;
        self
    }

    /// How many may be kept at a time, whether pending, approved or denied; 256 by default. Beyond, no call is
    /// taken in, and none that waits is dropped for it.
    pub fn room(mut self, approvals: usize) -> Self {
        self.room = approvals;
        self
    }

    /// How many of these may be of one account, through whatever clients; 8 by default.
    pub fn share(mut self, approvals: usize) -> Self {
        self.share = approvals;
        self
    }

    /// Most bytes of the body of a call that is kept to be shown to who approves; 16 KiB by default. A larger
    /// one is refused.
    pub fn call_bytes(mut self, bytes: usize) -> Self {
        self.call_bytes = bytes;
        self
    }

    /// The scope that an approver's credential must have besides what rules say, exactly; by default none.
    ///
    /// So that a token that was given to an agent approves nothing, whoever it is of.
    pub fn approver_scope(mut self, scope: &str) -> Self {
        self.approver_scope = Some(scope.to_owned());
        self
    }

    /// By which clock they expire; the system's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reports `approval_pending`, `approval_given`, `approval_denied`, `approval_used` and `approval_expired`,
    /// the last when somebody next asks for or about an approval. None holds arguments.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// Names what is out of its range: times below a second, above 24 hours to wait or above an hour to be good
    /// for; room for none or more than 65,536, a share of none or more than there is room for; calls of no bytes
    /// or more than 1 MiB; an empty scope.
    pub fn build(self) -> Result<Approvals, RbacConfigError> {
        let second = Duration::from_secs(1);
        let hour = 3600 * second;
        let error =
            |setting, value: String, problem| Err(RbacConfigError::new(setting, &value, problem));
        if !(second..=24 * hour).contains(&self.wait) {
            let problem = "is not within a second and 24 hours";
            return error("wait", format!("{:?}", self.wait), problem);
        }
        if !(second..=hour).contains(&self.good_for) {
            let problem = "is not within a second and an hour";
            return error("good for", format!("{:?}", self.good_for), problem);
        }
        if !(1..=65_536).contains(&self.room) {
            return error("room", self.room.to_string(), "is not within 1 to 65536");
        }
        if !(1..=self.room).contains(&self.share) {
            let problem = "is none, or more than there is room for";
            return error("share", self.share.to_string(), problem);
        }
        if !(1..=1 << 20).contains(&self.call_bytes) {
            let problem = "is not within 1 to 1048576";
            return error("call bytes", self.call_bytes.to_string(), problem);
        }
        if let Some("") = self.approver_scope.as_deref() {
            return error("approver scope", String::new(), "is empty");
        }
        Ok(Approvals::of(self))
    }
}

impl Default for ApprovalsBuilder {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(600),
            good_for: Duration::from_secs(300),
            room: 256,
            share: 8,
            call_bytes: 16 << 10,
            approver_scope: None,
            clock: Arc::new(SystemClock::new()),
            events: Events::default(),
        }
    }
}
