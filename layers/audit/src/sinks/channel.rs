use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use crate::{Commit, Outlet, Record};

/// Sends each record's line through a bounded channel of the standard library, to whoever takes it.
///
/// What the channel does not take waits in its [`Queue`](crate::Queue), so that a receiver that stalls is
/// met by the queue's overflow policy. One that is gone counts as a broken writer.
///
/// ```
/// use bartizan_audit::{AuditLayer, Channel, Queue};
/// let (channel, lines) = Channel::bounded(1024);
/// let layer = AuditLayer::new(Queue::to(channel));
/// assert!(lines.try_recv().is_err(), "nothing happened yet");
/// ```
#[derive(Debug)]
pub struct Channel {
    to: SyncSender<String>,
    waiting: VecDeque<String>,
}

impl Channel {
    /// A channel of so many lines, and its other end. With 0 each line waits for its receiver.
    pub fn bounded(lines: usize) -> (Self, Receiver<String>) {
        let (to, from) = sync_channel(lines);
        let waiting = VecDeque::new();
        (Self { to, waiting }, from)
    }
}

impl Outlet for Channel {
    fn take(&mut self, _: &Record<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        self.waiting.push_back(line);
    }

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        while let Some(line) = self.waiting.pop_front() {
            let (line, error) = match self.to.try_send(line) {
                Ok(()) => continue,
                Err(TrySendError::Full(line)) => (line, ErrorKind::WouldBlock.into()),
                Err(TrySendError::Disconnected(line)) => (
                    line,
                    io::Error::new(ErrorKind::BrokenPipe, "nobody receives"),
                ),
            };
            self.waiting.push_front(line);
            return Err(error);
        }
        Ok(())
    }

    fn pending(&self) -> usize {
        self.waiting.len()
    }
}
