//! The table of alarms in the operating guide is the one in the code. `IJK_BLESS=1` writes it.

use ijk_core::AlarmCode;
use std::path::Path;

const BEGIN: &str = "<!-- alarms: written by a test, see kernel/core/tests/alarms.rs -->\n";
const END: &str = "<!-- end of alarms -->\n";

#[test]
fn the_operating_guide_has_every_alarm_with_cause_and_action() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the guide marks the table");
    let (found, after) = rest.split_once(END).expect("the guide marks its end");
    let mut table = String::from("| alarm | no. | cause | action |\n|---|---|---|---|\n");
    for code in AlarmCode::ALL {
        let (name, cause, action) = (code.name(), code.cause(), code.action());
        table += &format!("| `{name}` | {} | {cause} | {action} |\n", *code as u8);
    }
    if std::env::var_os("IJK_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(found, table, "run this test with IJK_BLESS=1 and read the difference");
}

#[test]
fn numbers_and_names_are_unique_and_sentences_end() {
    for (i, a) in AlarmCode::ALL.iter().enumerate() {
        for b in &AlarmCode::ALL[..i] {
            assert!((*a as u8) > (*b as u8) && a.name() != b.name(), "{a:?} {b:?}");
        }
        assert!(a.cause().ends_with('.') && a.action().ends_with('.'), "{a:?}");
    }
}
