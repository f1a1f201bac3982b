use crate::{distinct::Distinct, network::Network, span::Span};

/// What is known of a credential, or of an API key's id, that was refused: where.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refused {
    pub(crate) networks: Distinct,
}

/// What is known of a credential that is good: where it was used last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) span: Span,
    places: [Place; MOST],
}

/// A network, and when it was seen last.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    network: Option<Network>,
    seen: u64,
}

/// Networks that are remembered of a credential.
const MOST: usize = 8;

impl Used {
    pub(crate) const MOST: u32 = MOST as u32;

    /// Notes a use, and tells in how many networks of the same family there were uses within the window. A client with
    /// both families uses one of each.
    pub(crate) fn use_in(&mut self, network: Network, now: u64, window: u64) -> u32 {
        let places = &mut self.places;
        let known = places
            .iter()
            .position(|place| place.network == Some(network));
        let place = match known {
            Some(place) => places.get_mut(place),
            None => places.iter_mut().min_by_key(|place| place.seen),
        };
        if let Some(place) = place {
            *place = Place {
                network: Some(network),
                seen: now.max(1),
            };
        }
        let is_alike = |recent: &Network| recent.is_v6() == network.is_v6();
        count(self.recent(now, window).filter(is_alike))
    }

    /// The other networks of this one's family in which it was used within the window.
    pub(crate) fn others(
        &self,
        network: Network,
        now: u64,
        window: u64,
    ) -> impl Iterator<Item = Network> {
        self.recent(now, window)
            .filter(move |other| *other != network && other.is_v6() == network.is_v6())
    }

    /// It weighs by in how many networks it was used within the window.
    pub(crate) fn weight(&self, now: u64, window: u64) -> u32 {
        count(self.recent(now, window))
    }

    fn recent(&self, now: u64, window: u64) -> impl Iterator<Item = Network> {
        let is_recent = move |place: &&Place| now.abs_diff(place.seen) < window;
        self.places
            .iter()
            .filter(is_recent)
            .filter_map(|place| place.network)
    }
}

fn count(networks: impl Iterator<Item = Network>) -> u32 {
    u32::try_from(networks.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Prefixes;

    #[test]
    fn networks_count_while_they_are_recent_and_by_family() {
        let network = |address: &str| Prefixes::USUAL.of(address.parse().unwrap());
        let (one, other, v6) = (
            network("192.0.2.1"),
            network("198.51.100.1"),
            network("::1"),
        );
        let mut used = Used::default();
        assert_eq!(used.use_in(one, 1000, 500), 1);
        assert_eq!(used.use_in(v6, 1001, 500), 1, "another family");
        assert_eq!(used.use_in(network("192.0.2.9"), 1002, 500), 1);
        assert_eq!(used.use_in(other, 1100, 500), 2);
        assert!(used.others(other, 1100, 500).eq([one]));
        assert_eq!(used.use_in(other, 1600, 500), 1);
        for place in 0..100u8 {
            used.use_in(network(&format!("10.0.{place}.1")), 2000, 500);
        }
        assert_eq!(used.weight(2100, 500), 8);
    }
}
