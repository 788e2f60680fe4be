//! Clients that nobody here wrote, each a process of its own: the broker's Python client in two
//! versions, a repackaged third one, and the numbers of every declared field against the
//! descriptors inside the broker's package. Skipped with a message where they cannot be installed.

mod common;

use ijk_twsim::proto::registry::{ANSWERS, REQUESTS};
use ijk_twsim::proto::{Kind, Schema};
use ijk_twsim::{Limits, Server, SimConfig};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Newest client read when this was written.
const NEWEST: &str = "ibapi-latest==10.51.1";

fn client_completes_the_scenario(packages: &[&str], server_version: u64) {
    let Some(python) = common::python(packages) else { return };
    let config = SimConfig {
        speed: 20.0,
        limits: Limits { messages_per_s: 0, ..Limits::default() },
        ..SimConfig::default()
    };
    let server = Server::start(0, config).expect("a free loopback port");
    let port = server.addr().port().to_string();
    let output = common::run(Command::new(python).arg(common::script("client.py")).arg(port));
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{packages:?}\n{out}\n{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["server_version"], server_version, "{packages:?}");
    assert!(told["callbacks"].as_object().is_some_and(|c| c.len() >= 60), "{out}");
    // What the client was told is what is so.
    let positions = server.with(|g| g.truth_positions());
    assert_eq!(positions, [(265_598, "AAPL".to_string(), 100.0)]);
    assert!(server.with(|g| g.truth_orders()).iter().all(|o| o.status != "Submitted"));
}

#[test]
fn the_brokers_newest_client_completes_the_scenario() {
    client_completes_the_scenario(&[NEWEST, "protobuf"], 226);
}

#[test]
fn the_brokers_older_client_completes_the_scenario() {
    client_completes_the_scenario(&["ibapi-latest==10.45.1", "protobuf==5.29.5"], 223);
}

#[test]
fn a_repackaged_client_completes_the_scenario() {
    client_completes_the_scenario(&["nautilus-ibapi==10.46.1", "protobuf"], 225);
}

/// Compares a declaration, and those inside it, with the broker's; returns how many fields fit.
fn compare(
    name: &str,
    schema: Schema,
    broker: &Value,
    seen: &mut BTreeSet<String>,
    wrong: &mut Vec<String>,
) -> usize {
    if !seen.insert(name.to_string()) {
        return 0;
    }
    let Some(message) = broker[name].as_object() else {
        wrong.push(format!("{name}: the broker has no such message"));
        return 0;
    };
    // Names that are words of Rust carry its `r#`.
    let plain = |text: &str| text.trim_start_matches("r#").replace('_', "").to_ascii_lowercase();
    let mut fits = 0;
    for field in schema.fields {
        let own = plain(field.name);
        let found = message.iter().find(|(theirs, _)| plain(theirs) == own);
        let Some((_, theirs)) = found else {
            wrong.push(format!("{name}.{}: the broker has no such field", field.name));
            continue;
        };
        let kind = match field.kind {
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::Bool => "bool",
            Kind::F64 => "f64",
            Kind::Text => "text",
            Kind::Map => "map",
            Kind::Message(inner) => {
                fits += compare(inner().name, inner(), broker, seen, wrong);
                inner().name
            }
        };
        let same = theirs[0] == field.tag && theirs[1] == kind && theirs[2] == field.many;
        match same {
            true => fits += 1,
            false => wrong.push(format!("{name}.{} = {} {kind}: {theirs}", field.name, field.tag)),
        }
    }
    fits
}

#[test]
fn every_declared_field_has_the_number_and_type_the_broker_gives_it() {
    let Some(python) = common::python(&[NEWEST, "protobuf"]) else { return };
    let output = common::run(Command::new(python).arg(common::script("schema.py")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let broker: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut fits = 0;
    for entry in REQUESTS.iter().chain(ANSWERS) {
        fits += compare(entry.name, (entry.schema)(), &broker, &mut seen, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} mismatches:\n{}", wrong.len(), wrong.join("\n"));
    assert!(fits > 600 && seen.len() > 120, "only {fits} fields of {} messages", seen.len());
    eprintln!("{fits} fields of {} messages, 0 mismatches", seen.len());
}
