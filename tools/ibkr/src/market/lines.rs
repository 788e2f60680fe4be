//! Which instrument gets which kind of stream: market data lines are few.

/// Streams of one instrument, beside its quotes at intervals, which every one has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Rows of the book.
    pub depth: bool,
    /// Every trade.
    pub trades: bool,
    /// Every quote; of no use beside depth.
    pub quotes: bool,
}

/// Shares out the lines, instruments in order: depth, then every trade, then every quote where
/// there is no depth.
pub fn plan(count: usize, depth_lines: usize, tick_lines: usize) -> Vec<Plan> {
    let mut plans = vec![Plan::default(); count];
    plans.iter_mut().take(depth_lines).for_each(|p| p.depth = true);
    let mut left = tick_lines;
    for p in &mut plans {
        p.trades = left > 0;
        left = left.saturating_sub(1);
    }
    for p in plans.iter_mut().filter(|p| !p.depth) {
        p.quotes = left > 0;
        left = left.saturating_sub(1);
    }
    plans
}

#[test]
fn lines_are_never_overdrawn() {
    for count in 0..8 {
        for depth in 0..8 {
            for ticks in 0..20 {
                let plans = plan(count, depth, ticks);
                assert_eq!(plans.iter().filter(|p| p.depth).count(), depth.min(count));
                let used: usize =
                    plans.iter().map(|p| usize::from(p.trades) + usize::from(p.quotes)).sum();
                assert!(used <= ticks);
                assert!(plans.iter().all(|p| !(p.depth && p.quotes)));
            }
        }
    }
    let p = plan(2, 1, 3);
    assert_eq!(p[0], Plan { depth: true, trades: true, quotes: false });
    assert_eq!(p[1], Plan { depth: false, trades: true, quotes: true });
}
