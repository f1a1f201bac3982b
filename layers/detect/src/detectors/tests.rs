use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// What a stranger or an account may do, with keys as hostile as they come.
fn seen() -> impl Strategy<Value = Seen> {
    let key = || prop::option::of(any::<u64>());
    let flags = any::<[bool; 3]>();
    let of = (any::<u128>(), key(), key(), key(), key(), key(), flags);
    of.prop_map(
        |(address, account, credential, refused, tool, destroyed, flags)| Seen {
            address: Some(IpAddr::V6(Ipv6Addr::from_bits(address))),
            account,
            credential,
            refused,
            refused_key: refused.map(u64::reverse_bits),
            vain_tool: tool,
            destroyed_by: destroyed,
            is_denied: flags[0],
            is_escalation: flags[1],
            is_request: flags[2],
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn memory_stays_under_its_bound_whatever_keys_come(
        all in prop::collection::vec((seen(), 0u64..100_000), 0..3000),
    ) {
        let bound = crate::Bound::minutes(1, 1);
        let builder = Detectors::builder()
            .credential_stuffing(bound)
            .key_enumeration(bound)
            .repeated_denials(bound)
            .unknown_tools(bound)
            .subjects(64, 128, 256);
        let mut detectors = builder.build().unwrap();
        for (seen, later) in &all {
            let now = detectors.time.now() + later;
            detectors.time.at_least(now);
            let mut added = 0;
            let mut take = |_: Record<'_>| added += 1;
            let mut adding = Adding::to(&mut take);
            detectors.look(seen, None, &mut adding);
            detectors.close(now, now, &mut adding);
            prop_assert!(added <= Adding::MOST);
            prop_assert!(detectors.closings.len() <= Closings::MOST);
        }
        let most = 1024 + 3; // and the eighth part of a `Vec`
        prop_assert!(detectors.accounts.bytes() <= 64 * most);
        prop_assert!(detectors.origins.bytes() <= 128 * most);
        prop_assert!(detectors.refused.bytes() <= 256 * most);
        prop_assert!(detectors.used.bytes() <= 256 * most);
    }
}
