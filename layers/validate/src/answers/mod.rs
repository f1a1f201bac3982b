//! What tools answer: whether it is what they say of it (IV-9).

mod begin;
mod lens;
mod look;
mod message;
mod stream;
mod whole;

pub(crate) use self::{
    begin::{Begun, begin},
    lens::{Lens, Output},
    look::Look,
    stream::Stream,
    whole::{Judged, Whole},
};
use crate::ValidateConfigError;

/// How the answers of tools are judged by the `outputSchema` that the tools declare (IV-9).
///
/// A result fits if its `structuredContent` is what the schema permits, wherever there is one; only a tool that failed (`isError`),
/// one that goes on as a task, and one that asks for more first need none. Answers of tools that declare no such schema pass unread.
///
/// ```
/// use bartizan_validate::{Answers, ValidateLayer};
/// let layer = ValidateLayer::new().answers(Answers::refuse().bytes(1 << 20)?);
/// assert!(Answers::report().bytes(0).is_err());
/// # Ok::<(), bartizan_validate::ValidateConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Answers {
    pub(crate) refuses: bool,
    pub(crate) bytes: usize,
}

impl Answers {
    /// What does not fit is noted for the audit record, as `answer_unfit`. All passes as it comes, and nothing waits.
    pub const fn report() -> Self {
        Self {
            refuses: false,
            bytes: 4 << 20,
        }
    }

    /// What does not fit is withheld: the caller gets a JSON-RPC error in its place. So is what can't be read for certain: an answer
    /// that is encoded, too large, no JSON, or to another request.
    ///
    /// A JSON answer is held until it is whole, of a stream of events each one until its end.
    pub const fn refuse() -> Self {
        Self {
            refuses: true,
            ..Self::report()
        }
    }

    /// Most bytes of an answer in JSON, or of one event. Default 4 MiB.
    ///
    /// # Errors
    ///
    /// If below 1 KiB or above 64 MiB.
    pub fn bytes(mut self, bytes: usize) -> Result<Self, ValidateConfigError> {
        self.bytes = ValidateConfigError::unless_within("answer bytes", bytes, 1 << 10, 64 << 20)?;
        Ok(self)
    }
}
