//! A short share of the simulated bad days; `ijk-tests days` lives many.

use ijk_tests::sim::campaign::{self, Order};
use ijk_tests::sim::faults::{Fault, Group, Plan};
use ijk_tests::sim::world;

#[test]
fn no_order_is_lost_doubled_or_invented_on_bad_days() {
    let summary = campaign::run(&Order::days(1, 60));
    campaign::print(&summary);
    assert_eq!(summary.failures.len(), 0, "see above");
    assert_eq!(summary.days, 60);
    assert!(summary.orders > 1_000 && summary.executions > 1_000, "days amid trading");
    assert!(summary.starts > 120 && summary.fault_total() > 60 * 100, "days amid faults");
    for group in [Group::Broker, Group::Network, Group::Disk, Group::Process, Group::Feed] {
        let of_group = Fault::ALL.iter().zip(&summary.faults).filter(|(f, _)| f.group() == group);
        assert!(of_group.map(|(_, n)| n).sum::<u64>() > 10, "{group:?}");
    }
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    let summary = campaign::run(&Order { twice: true, ..Order::days(1_000, 12) });
    assert_eq!((summary.same, summary.failures.len()), (12, 0));
    assert_ne!(world::live(1).digest, world::live(2).digest);
}

#[test]
fn a_calm_day_trades_without_a_fault_or_an_unknown() {
    for seed in 0..5 {
        let day = world::live_with(seed, Plan::calm());
        assert_eq!(day.violations, [], "seed {seed}");
        assert_eq!(day.faults.iter().sum::<u64>(), 0);
        assert_eq!((day.starts, day.halted), (1, false));
        assert!(day.orders > 10 && day.executions > 5, "{} orders", day.orders);
    }
}
