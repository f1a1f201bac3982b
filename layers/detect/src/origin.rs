use crate::distinct::Distinct;

/// What is known of a network.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Origin {
    /// Credentials that were refused.
    pub(crate) refused: Distinct,
    /// Ids of API keys that were refused.
    pub(crate) keys: Distinct,
    /// Tools that strangers asked for in vain.
    pub(crate) tools: Distinct,
    /// Accounts that were identified.
    pub(crate) accounts: Distinct,
}

/// The windows of what weighs: of refused credentials, of keys, of tools.
pub(crate) struct OriginWindows(pub(crate) [u64; 3]);

impl OriginWindows {
    pub(crate) fn weight(&self, origin: &Origin, now: u64) -> u32 {
        let [refused, keys, tools] = self.0;
        origin.refused.live(now, refused)
            + origin.keys.live(now, keys)
            + origin.tools.live(now, tools)
    }
}
