//! A short share of the kill -9 lab; `ijk-tests kill9` runs it for long.

#[test]
fn nothing_is_lost_doubled_or_invented_across_kills() {
    match ijk_tests::kill9::run(24, 1) {
        Ok(report) => {
            println!("{report}");
            assert_eq!(report.cycles, 24);
            assert!(report.kernel_kills > 10 && report.broker_kills > 0, "{report}");
            assert!(report.orders > 20 && report.executions > 10, "kills amid trading: {report}");
        }
        Err(failure) => panic!("{failure}"),
    }
}
