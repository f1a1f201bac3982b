use std::{future, io};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use tokio::signal::unix::{SignalKind, signal};

/// A child and whatever it starts, as long as that stays in its process group. Killed when dropped.
///
/// The child is not waited for while this lives, so its number is nobody else's.
pub(super) struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// Of a child that leads a group, and is not waited for.
    pub(super) fn of(child: Option<u32>) -> Self {
        let leader = child.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Self { leader }
    }

    /// Until the child ended. It stays to be waited for.
    pub(super) async fn leader_ended(&mut self) -> io::Result<()> {
        let mut signals = signal(SignalKind::child())?;
        let Some(leader) = self.leader else {
            return future::pending().await;
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        loop {
            match waitid(WaitId::Pid(leader), options) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) | Err(Errno::INTR) => {}
                // Somebody else waited for it, so its number may be another's.
                Err(error) => {
                    self.leader = None;
                    return Err(error.into());
                }
            }
            signals.recv().await;
        }
    }

    /// Ends all of it, without asking.
    pub(super) fn kill(&self) {
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
