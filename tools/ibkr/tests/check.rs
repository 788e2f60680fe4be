//! The check of a gateway, against a simulated one.

use ijk_ibkr::check::{Answer, CheckError, CheckOptions, Outcome, check, compare, markdown};
use ijk_twsim::{ACCOUNT, Server, SimConfig};
use std::time::Duration;

fn options(server: &Server, place_order: bool) -> CheckOptions {
    CheckOptions {
        address: server.addr(),
        client_id: 5,
        symbol: "AAPL".to_string(),
        deadline: Duration::from_secs(5),
        place_order,
    }
}

fn server(script: &[&str]) -> Server {
    let script = script.iter().map(|l| l.to_string()).collect();
    Server::start(0, SimConfig { script, ..SimConfig::default() }).expect("a port")
}

fn of<'a>(answers: &'a [Answer], name: &str) -> &'a Answer {
    answers.iter().find(|a| a.name == name).unwrap_or_else(|| panic!("no question '{name}'"))
}

#[test]
fn the_simulator_answers_every_question_well_and_no_account_number_is_told() {
    let server = server(&[]);
    let answers = check(&options(&server, true)).expect("a session");
    for answer in &answers {
        assert_eq!(answer.outcome, Outcome::Good, "{answer:#?}");
    }
    assert_eq!(of(&answers, "session").facts["paper_accounts"], "1");
    assert_eq!(of(&answers, "contract").facts["contract_id"], "265598");
    assert_eq!(of(&answers, "contract").facts["hours_readable"], "true");
    assert_eq!(of(&answers, "unknown contract").facts["code"], "200");
    assert_eq!(of(&answers, "quotes").facts["kind"], "Realtime");
    assert_eq!(of(&answers, "order far from the market").facts["cancelled"], "true");
    // Nothing is left behind.
    let open = server.with(|g| g.truth_orders());
    assert!(open.iter().all(|o| o.filled == 0.0), "{open:?}");
    let report = compare(answers.clone(), answers);
    assert!(report.failed().is_empty() && report.different().is_empty());
    let page = markdown(&report);
    assert!(!page.contains(ACCOUNT) && !serde_json::to_string(&report).unwrap().contains(ACCOUNT));
    assert!(page.contains("| quotes | good |"), "{page}");
}

#[test]
fn without_leave_nothing_is_placed() {
    let server = server(&[]);
    let answers = check(&options(&server, false)).expect("a session");
    assert_eq!(of(&answers, "order far from the market").outcome, Outcome::NotAsked);
    assert!(server.with(|g| g.truth_orders()).is_empty());
}

#[test]
fn what_is_wrong_with_a_gateway_shows_beside_the_simulator() {
    let faulty = server(&["data deny 10167", "hang positions", "read-only on"]);
    let short = CheckOptions { deadline: Duration::from_secs(2), ..options(&faulty, true) };
    let bad = check(&short).expect("a session");
    assert_eq!(of(&bad, "quotes").outcome, Outcome::Bad);
    assert_eq!(of(&bad, "quotes").facts["code"], "10167");
    assert_eq!(of(&bad, "positions").outcome, Outcome::NoAnswer);
    assert_eq!(of(&bad, "imagined order").outcome, Outcome::NoAnswer);
    assert_ne!(of(&bad, "order far from the market").outcome, Outcome::Good);
    let good = server(&[]);
    let report = compare(bad, check(&options(&good, true)).expect("a session"));
    for name in ["quotes", "positions", "imagined order"] {
        assert!(report.failed().contains(&name) && report.different().contains(&name), "{name}");
    }
    assert!(!report.different().contains(&"contract"), "{:?}", report.compared);
    assert!(markdown(&report).contains("NO ANSWER"));
}

#[test]
fn where_nothing_listens_nothing_is_asked() {
    let addr = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let server = server(&[]);
    let nobody = CheckOptions { address: addr, ..options(&server, false) };
    assert!(matches!(check(&nobody), Err(CheckError::Probe(_))));
}
