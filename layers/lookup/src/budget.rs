use std::{collections::HashMap, net::IpAddr, time::Duration};

/// How many questions about tokens that were never good may be asked: whoever makes tokens up spends
/// this, and not what the provider permits altogether.
///
/// It fills at an even rate, and holds what comes in ten minutes. One network holds a part of what is
/// left, so that it leaves most to others.
#[derive(Debug)]
pub struct Budget {
    interval: Duration,
    /// When it will be full again, by the monotonic clock.
    full_at: Duration,
    was_spent: bool,
    shares: Shares,
}

/// Why there is none left, and when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Spent {
    /// All is spent.
    ByAll {
        /// When there is one again.
        after: Duration,
        /// Whether it was not spent a while ago.
        is_news: bool,
    },
    /// One network has spent its part.
    ByOne {
        /// When there is one again for it.
        after: Duration,
    },
}

/// An IPv4 address, or the first 64 bits of an IPv6 address: whoever has one has 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(u128);

/// When what networks spent will be theirs again. Who spent nothing lately is not in it.
#[derive(Debug, Default)]
struct Shares {
    full_at: HashMap<Network, Duration>,
    /// When those that are full are dropped next, by the monotonic clock.
    sweep_at: Duration,
}

const HOLDS: Duration = Duration::from_secs(600);

/// A network has at most this part of what is left, and of the rate at which it fills.
const PART: u32 = 8;

/// Beyond so many networks the others have one part together.
const MOST_NETWORKS: usize = 1 << 16;

const SWEEPS_EVERY: Duration = Duration::from_secs(10);

const THE_OTHERS: Network = Network(u128::MAX);

impl Network {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() & !u128::from(u64::MAX)),
        }
    }
}

impl Budget {
    /// So many questions in a minute, at least one.
    pub fn per_minute(questions: u32) -> Self {
        Self {
            interval: Duration::from_secs(60) / questions.max(1),
            full_at: Duration::ZERO,
            was_spent: false,
            shares: Shares::default(),
        }
    }

    /// Whether there is one left at the monotonic time `now`, for this network; otherwise when to come
    /// back.
    pub fn check(&mut self, now: Duration, network: Option<Network>) -> Result<(), Spent> {
        let owed = self.full_at.saturating_sub(now);
        let after = owed.saturating_add(self.interval).saturating_sub(HOLDS);
        if !after.is_zero() {
            let is_news = !std::mem::replace(&mut self.was_spent, true);
            return Err(Spent::ByAll { after, is_news });
        }
        let share = network.map_or(Duration::ZERO, |network| self.shares.owed(network, now));
        let left = HOLDS.saturating_sub(owed);
        let lacking = share.saturating_add(self.interval * PART);
        let lacking = lacking.saturating_sub(left);
        // One is always permitted to who spent none.
        if share.is_zero() || lacking.is_zero() {
            return Ok(());
        }
        // Its own share and what is left of all grow at once.
        let after = share.min(lacking.div_f64(2.0));
        Err(Spent::ByOne { after })
    }

    /// Takes one.
    pub fn take(&mut self, now: Duration, network: Option<Network>) {
        self.full_at = self.full_at.max(now).saturating_add(self.interval);
        // Spent again a moment later is no news.
        self.was_spent &= self.full_at.saturating_sub(now) > HOLDS / 2;
        if let Some(network) = network {
            self.shares.take(network, now, self.interval * PART);
        }
    }

    /// Gives one back that was taken for a credential that turned out good.
    pub fn give_back(&mut self, network: Option<Network>) {
        self.full_at = self.full_at.saturating_sub(self.interval);
        if let Some(network) = network {
            self.shares.give_back(network, self.interval * PART);
        }
    }

    /// Whether nobody spent anything lately, at the monotonic time `now`: it is like a new one.
    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now && self.shares.full_at.values().all(|at| *at <= now)
    }
}

impl Shares {
    fn owed(&self, network: Network, now: Duration) -> Duration {
        let full_at = self.full_at.get(&self.place(network));
        full_at.map_or(Duration::ZERO, |at| at.saturating_sub(now))
    }

    fn take(&mut self, network: Network, now: Duration, cost: Duration) {
        if now >= self.sweep_at {
            self.full_at.retain(|_, at| now < *at);
            self.sweep_at = now.saturating_add(SWEEPS_EVERY);
        }
        let full_at = self.full_at.entry(self.place(network)).or_default();
        *full_at = (*full_at).max(now).saturating_add(cost);
    }

    fn give_back(&mut self, network: Network, cost: Duration) {
        let place = self.place(network);
        if let Some(full_at) = self.full_at.get_mut(&place) {
            *full_at = full_at.saturating_sub(cost);
        }
    }

    fn place(&self, network: Network) -> Network {
        let is_full = self.full_at.len() >= MOST_NETWORKS;
        if is_full && !self.full_at.contains_key(&network) {
            return THE_OTHERS;
        }
        network
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn spend(budget: &mut Budget, now: Duration, network: Option<Network>) -> usize {
        let mut spent = 0;
        while budget.check(now, network).is_ok() {
            budget.take(now, network);
            spent += 1;
        }
        spent
    }

    #[test]
    fn what_is_given_back_is_there_again_for_all_and_for_the_one() {
        let mut budget = Budget::per_minute(30);
        let spent = spend(&mut budget, S(0), network(1));
        for _ in 0..spent {
            budget.give_back(network(1));
        }
        assert!(budget.is_full(S(0)));
        assert_eq!(spend(&mut budget, S(0), network(1)), spent);
        assert!(!budget.is_full(S(0)));
        assert!(budget.is_full(S(3600)));
    }

    fn network(number: u8) -> Option<Network> {
        Some(Network::of([192, 0, 2, number].into()))
    }

    #[test]
    fn it_holds_ten_minutes_worth_and_fills_evenly() {
        let mut budget = Budget::per_minute(30);
        assert_eq!(spend(&mut budget, S(7), None), 300);
        let after = |spent| match spent {
            Err(Spent::ByAll { after, .. }) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(budget.check(S(7), None)), S(2));
        assert_eq!(spend(&mut budget, S(9), None), 1);
        assert_eq!(spend(&mut budget, S(69), None), 30);
        assert_eq!(spend(&mut budget, S(7000), None), 300);
    }

    #[test]
    fn that_it_is_spent_is_news_until_it_recovers() {
        let mut budget = Budget::per_minute(30);
        let by_all = |after, is_news| Err(Spent::ByAll { after, is_news });
        for _ in 0..300 {
            assert_eq!(budget.check(S(0), None), Ok(()));
            budget.take(S(0), None);
        }
        assert_eq!(budget.check(S(0), None), by_all(S(2), true));
        assert_eq!(budget.check(S(1), None), by_all(S(1), false));
        budget.take(S(2), None);
        assert_eq!(budget.check(S(2), None), by_all(S(2), false));
        budget.take(S(400), None);
        while budget.check(S(400), None).is_ok() {
            budget.take(S(400), None);
        }
        assert!(budget.was_spent, "by the loop's last check");
        budget.take(S(2000), None);
        assert!(!budget.was_spent);
    }

    #[test]
    fn one_network_spends_an_eighth_of_what_is_left_and_an_eighth_of_the_rate() {
        let mut budget = Budget::per_minute(30);
        assert_eq!(spend(&mut budget, S(0), network(1)), 33);
        assert!(matches!(
            budget.check(S(0), network(1)),
            Err(Spent::ByOne { .. })
        ));
        assert_eq!(spend(&mut budget, S(0), network(2)), 29);
        // Who comes when it pleases has an eighth of what comes in an hour, and what it held before.
        let hour = (0..3600).map(|now| spend(&mut budget, S(now), network(1)));
        let hour: usize = hour.sum();
        assert!((200..=235).contains(&hour), "{hour}");
    }

    #[test]
    fn who_is_told_to_come_back_is_served_then() {
        let mut budget = Budget::per_minute(30);
        spend(&mut budget, S(0), network(1));
        let Err(Spent::ByOne { after }) = budget.check(S(0), network(1)) else {
            panic!("not refused");
        };
        assert!(after <= S(16), "{after:?}");
        assert_eq!(budget.check(after, network(1)), Ok(()));
    }

    #[test]
    fn many_networks_leave_one_to_another_until_all_is_spent() {
        let mut budget = Budget::per_minute(30);
        for number in 0..40 {
            assert!(spend(&mut budget, S(0), network(number)) > 0, "{number}");
        }
        assert_eq!(budget.check(S(0), network(100)), Ok(()));
    }

    #[test]
    fn what_is_kept_of_networks_goes_as_it_fills() {
        let mut budget = Budget::per_minute(1_000_000);
        for number in 0..70_000_u32 {
            let network = Some(Network::of(number.to_be_bytes().into()));
            budget.take(S(0), network);
        }
        assert_eq!(budget.shares.full_at.len(), MOST_NETWORKS + 1);
        budget.take(S(600), network(1));
        assert_eq!(budget.shares.full_at.len(), 1);
    }

    #[test]
    fn an_ipv6_network_is_its_first_64_bits_and_an_ipv4_address_whole() {
        let of = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
