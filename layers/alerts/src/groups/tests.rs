use bartizan_core::FakeClock;
use proptest::prelude::*;

use super::*;

fn groups(count: u32, most: u32) -> Groups {
    let rule = Rule::new("x").unwrap();
    let rule = rule.threshold(count, Duration::from_secs(60)).unwrap();
    Groups::of(
        &rule
            .cool_down(Duration::from_secs(600))
            .unwrap()
            .groups(most)
            .unwrap(),
    )
}

fn seen(now: Duration) -> Seen {
    let record = RecordRef::named(EventId::made(now), now);
    Seen {
        now,
        severity: Severity::Warning,
        record,
    }
}

proptest! {
    /// Whoever comes, in whatever order and at whatever times: what is held is bounded, and nothing is lost but what
    /// did not come to an alert within its window.
    #[test]
    fn groups_are_bounded_and_every_record_is_told_of_once(
        steps in proptest::collection::vec((0u64..40, 0u64..400), 1..400), most in 1u32..20,
    ) {
        use bartizan_core::Clock as _;
        let (mut groups, clock) = (groups(1, most), FakeClock::at(Duration::ZERO));
        let (mut told, mut asked) = (0, 0);
        for (key, passes) in steps {
            clock.advance(Duration::from_secs(passes));
            let now = clock.monotonic();
            while let Some(sum) = groups.next_ended(now) {
                told += sum.count;
            }
            told += groups.count(key, Group::new, seen(now)).map_or(0, |sum| sum.count);
            asked += 1;
            prop_assert!(groups.len() <= most as usize + 1);
            prop_assert!(groups.ends.len() <= groups.len());
        }
        while let Some(sum) = groups.next_untold() {
            prop_assert!(sum.records.len() <= crate::Alert::MOST_RECORDS);
            told += sum.count;
        }
        prop_assert_eq!(told, asked);
        prop_assert_eq!(groups.len(), 0);
    }

    /// The same where alerts wait for several records: none holds more than it waits for.
    #[test]
    fn a_threshold_is_met_exactly_within_its_window(
        passes in proptest::collection::vec(0u64..40, 1..200), count in 2u32..6,
    ) {
        let mut groups = groups(count, 4);
        let (mut now, mut times) = (Duration::ZERO, Vec::new());
        for passed in passes {
            now += Duration::from_secs(passed);
            times.push(now);
            times.retain(|then: &Duration| *then + Duration::from_secs(60) > now);
            let sum = groups.count(1, Group::new, seen(now));
            prop_assert_eq!(sum.is_some(), times.len() >= count as usize);
            if let Some(sum) = sum {
                prop_assert_eq!(sum.count, u64::from(count));
                prop_assert_eq!(sum.first, times[0]);
                // Begin anew, as if quiet were over.
                groups = self::groups(count, 4);
                times.clear();
            }
        }
    }
}

#[test]
fn what_waits_for_more_gives_way_once_its_window_is_past() {
    let mut groups = groups(2, 2);
    let at = Duration::from_secs;
    for key in 0..10 {
        assert!(groups.count(key, Group::new, seen(at(0))).is_none() || key > 2);
    }
    assert_eq!(groups.len(), 3);
    // The first two are past: two others have a place of their own.
    assert!(groups.count(20, Group::new, seen(at(61))).is_none());
    assert!(!groups.count(20, Group::new, seen(at(62))).unwrap().is_other);
}
