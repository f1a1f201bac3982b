use crate::{distinct::Distinct, rate::Rate, span::Count};

/// What is known of an account.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Account {
    pub(crate) denials: Count,
    pub(crate) attempts: Count,
    /// Tools that it asked for in vain.
    pub(crate) tools: Distinct,
    pub(crate) rate: Rate,
    pub(crate) destructive: Tools,
}

/// Tools by their hashes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tools {
    hashes: [u32; MOST],
    next: usize,
}

/// Destructive tools that are remembered of an account.
const MOST: usize = 32;

impl Tools {
    /// Remembers one; whether it was not remembered before. In place of the one that came first, if there are many: that
    /// is told again then.
    pub(crate) fn is_first(&mut self, hash: u64) -> bool {
        // 0 is no tool.
        let hash = u32::try_from(hash >> 32).unwrap_or_default().max(1);
        if self.hashes.contains(&hash) {
            return false;
        }
        if let Some(place) = self.hashes.get_mut(self.next % MOST) {
            *place = hash;
        }
        self.next = (self.next + 1) % MOST;
        true
    }
}

/// The windows of what weighs: of denials, attempts and tools.
pub(crate) struct AccountWindows(pub(crate) [u64; 3]);

/// A history weighs as much at most as a few denials.
const MOST_HISTORY: u32 = 16;

impl AccountWindows {
    pub(crate) fn weight(&self, account: &Account, now: u64) -> u32 {
        let [denials, attempts, tools] = self.0;
        let suspicious = account
            .denials
            .live(now, denials)
            .saturating_add(account.attempts.live(now, attempts))
            .saturating_add(account.tools.live(now, tools));
        let history = account.rate.windows.min(MOST_HISTORY);
        suspicious.saturating_mul(4).saturating_add(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_new_once_and_what_is_forgotten_is_told_again() {
        let mut tools = Tools::default();
        let hash = |number: u64| number << 32;
        assert!(tools.is_first(hash(1)));
        assert!(!tools.is_first(hash(1)));
        for number in 2..=33 {
            assert!(tools.is_first(hash(number)), "{number}");
        }
        assert!(!tools.is_first(hash(33)));
        assert!(tools.is_first(hash(1)), "rather twice than never");
    }
}
