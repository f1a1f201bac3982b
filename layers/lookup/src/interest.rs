use tokio::sync::watch;

/// Whether anybody still waits for a look: one that is expensive need not begin for those who left.
#[derive(Debug, Clone)]
pub struct Interest(watch::Sender<()>);

/// One who waits.
pub(crate) type Stake = watch::Receiver<()>;

impl Interest {
    /// Nobody's yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(crate) fn join(&self) -> Stake {
        self.0.subscribe()
    }

    /// Whether all who waited have left. Somebody may come all the same, until the look ends.
    pub fn is_gone(&self) -> bool {
        self.0.receiver_count() == 0
    }

    /// Ends when all who waited have left.
    pub async fn gone(&self) {
        self.0.closed().await;
    }
}
