//! `ijk ib-check`: asks a gateway what the adapter relies on, asks the simulator the same, and
//! writes both down for sharing.

use crate::cli::IbCheckArgs;
use crate::exit::{self, Exit};
use crate::print::{print_json, print_text};
use ijk_data::whole::{self, write_whole};
use ijk_ibkr::check::{CheckError, CheckOptions, Comparison, check, compare, markdown};
use ijk_twsim::{Server, SimConfig};
use serde_json::json;
use std::time::Duration;

/// Asks and reports.
///
/// # Errors
/// Exit code 5 where there is no session, 1 if the gateway leaves a question without a good
/// answer; differences from the simulator alone are no failure.
pub fn run(args: &IbCheckArgs) -> Result<(), Exit> {
    let out = &args.out;
    let (page, data) = (out.join("ib-check.md"), out.join("ib-check.json"));
    for file in [&page, &data] {
        whole::check(file, args.force)?;
    }
    std::fs::create_dir_all(out).map_err(|e| Exit::output(out, e))?;
    let options = CheckOptions {
        address: args.gateway,
        client_id: args.client_id,
        symbol: args.symbol.to_ascii_uppercase(),
        deadline: Duration::from_millis(args.answer_timeout_ms.max(1)),
        place_order: args.place_order,
    };
    let gateway = check(&options).map_err(|e| Exit::new(exit::VENUE, e))?;
    let simulator = ask_simulator(&options)?;
    let report = compare(gateway, simulator);
    write_whole(&page, markdown(&report).as_bytes(), args.force)?;
    let text = serde_json::to_vec_pretty(&report).map_err(|e| Exit::new(exit::BUG, e))?;
    write_whole(&data, &text, args.force)?;
    show(&report, &page, args.json);
    match report.failed().as_slice() {
        [] => Ok(()),
        failed => Err(Exit::new(
            exit::CHECK,
            format!("no good answer to: {} (see {})", failed.join(", "), page.display()),
        )),
    }
}

/// Asks the simulator, in this process, for the same stock.
fn ask_simulator(options: &CheckOptions) -> Result<Vec<ijk_ibkr::check::Answer>, Exit> {
    let failed = |e: &dyn std::fmt::Display| Exit::new(exit::BUG, format!("the simulator: {e}"));
    let symbols = ["AAPL", "MSFT", "TSLA", "NVDA", "SPY"];
    let mut config = SimConfig { start_now: true, ..SimConfig::default() };
    if !symbols.contains(&options.symbol.as_str()) {
        let others = symbols.iter().skip(1).map(|s| s.to_string());
        config.symbols = std::iter::once(options.symbol.clone()).chain(others).collect();
    }
    let server = Server::start(0, config).map_err(|e| failed(&e))?;
    let own = CheckOptions { address: server.addr(), ..options.clone() };
    check(&own).map_err(|e: CheckError| failed(&e))
}

fn show(report: &Comparison, page: &std::path::Path, as_json: bool) {
    let (failed, different) = (report.failed(), report.different());
    if as_json {
        print_json(&json!({
            "report": page, "questions": report.gateway.len(),
            "failed": failed, "different": different,
        }));
        return;
    }
    for (answer, compared) in report.gateway.iter().zip(&report.compared) {
        let alike = if compared.differs.is_empty() { "" } else { "  differs from the simulator" };
        let outcome = format!("{:?}", answer.outcome);
        print_text(&format!("{:<26} {outcome:<9} {:>6} ms{alike}\n", answer.name, answer.took_ms));
    }
    print_text(&format!("report: {}\n", page.display()));
}
