use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The write-once slot of an address. Most have four bytes, which take one step to write, where a slot for
/// anything takes several.
#[derive(Default)]
pub(crate) struct AddressSlot {
    /// What is there: nothing, [`LONG`], or four bytes behind [`SHORT`].
    stamped: AtomicU64,
    /// Counts for nothing unless the other says so.
    long: OnceLock<Ipv6Addr>,
}

const NOTHING: u64 = 0;
const SHORT: u64 = 1 << 32;
const LONG: u64 = 2 << 32;

impl AddressSlot {
    #[inline]
    pub(crate) fn get(&self) -> Option<IpAddr> {
        match self.stamped.load(Ordering::Acquire) {
            NOTHING => None,
            LONG => self.long.get().copied().map(IpAddr::V6),
            short => {
                let bits = u32::try_from(short ^ SHORT).ok()?;
                Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))
            }
        }
    }

    /// Stamps an address if there is none; whether it is the one that is there now.
    #[inline]
    pub(crate) fn set(&self, address: IpAddr) -> bool {
        let this = match address {
            IpAddr::V4(short) => SHORT | u64::from(short.to_bits()),
            IpAddr::V6(long) => {
                // Before it is told that it is there.
                let _ = self.long.set(long);
                LONG
            }
        };
        let slot = &self.stamped;
        let _ = slot.compare_exchange(NOTHING, this, Ordering::AcqRel, Ordering::Acquire);
        self.get() == Some(address)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    const ADDRESSES: [&str; 7] = [
        "0.0.0.0",
        "192.0.2.1",
        "255.255.255.255",
        "::",
        "::ffff:192.0.2.1",
        "2001:db8::1",
        "2001:db8::2",
    ];

    fn addresses() -> impl Iterator<Item = IpAddr> {
        ADDRESSES.iter().map(|text| text.parse().unwrap())
    }

    #[test]
    fn the_first_address_stays_and_only_the_same_one_is_taken_again() {
        for first in addresses() {
            let slot = AddressSlot::default();
            assert_eq!(slot.get(), None);
            assert!(slot.set(first));
            for other in addresses() {
                assert_eq!(slot.set(other), other == first, "{other} after {first}");
                assert_eq!(slot.get(), Some(first));
            }
        }
    }

    #[test]
    fn of_addresses_that_come_at_once_one_stays_whatever_their_kind() {
        for _ in 0..50 {
            let (slot, start) = (AddressSlot::default(), Barrier::new(ADDRESSES.len()));
            let taken: Vec<IpAddr> = thread::scope(|scope| {
                let set = |address: IpAddr| {
                    let (slot, start) = (&slot, &start);
                    scope.spawn(move || {
                        start.wait();
                        slot.set(address).then_some(address)
                    })
                };
                let all: Vec<_> = addresses().map(set).collect();
                all.into_iter()
                    .filter_map(|one| one.join().unwrap())
                    .collect()
            });
            assert_eq!(taken, [slot.get().unwrap()]);
        }
    }
}
