//! `ijk vram`: what the encoder would hold on a CUDA device.

use crate::cli::VramArgs;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::settings::{self, Profile};
use ijk_infer::cuda::plan::{self, Plan, Request};
use ijk_infer::shape::WINDOW;
use serde_json::{Value, json};

/// Prints the plan.
///
/// # Errors
/// 2 for numbers that cannot be, and beyond the budget, with the largest number of symbols that
/// fits.
pub fn run(args: &VramArgs) -> Result<(), Exit> {
    let settings = settings::load(args.config.as_deref(), Profile::Simulation)?;
    let budget = args.budget.unwrap_or(settings.config.infer.vram_budget_bytes);
    let request = Request { symbols: args.symbols, members: args.members, window: args.window };
    let plan = plan::plan(request, budget).map_err(Exit::usage)?;
    match args.json {
        true => print_json(&as_json(&plan)),
        false => print_text(&as_text(&plan)),
    }
    Ok(())
}

fn as_json(plan: &Plan) -> Value {
    let regions: Vec<Value> = plan
        .regions
        .iter()
        .map(|r| {
            let (name, place) = (r.name, r.place.name());
            json!({ "name": name, "place": place, "offset": r.offset, "bytes": r.bytes })
        })
        .collect();
    let mut document = json!({
        "symbols": plan.request.symbols,
        "members": plan.request.members,
        "window": plan.request.window,
        "compiled_window": WINDOW,
        "regions": regions,
        "member_bytes": plan::member_bytes(plan.request.window),
        "ring_bytes": plan::ring_bytes(plan.request.window),
        "arena_bytes": plan.arena_bytes,
        "device_bytes": plan.device_bytes,
        "host_bytes": plan.host_bytes,
        "budget_bytes": plan.budget_bytes,
        "symbols_max": plan.symbols_max,
    });
    if plan.request.window == WINDOW as u64 {
        let one = |(name, bytes): (String, u64)| json!({ "name": name, "bytes": bytes });
        document["tensors"] = plan::tensors().map(one).collect();
    }
    document
}

fn as_text(plan: &Plan) -> String {
    let Request { symbols, members, window } = plan.request;
    let mut text = format!("{symbols} symbols, {members} members, window {window}\n\n");
    let mut row = |name: &str, place: &str, bytes: u64| {
        text +=
            &format!("{name:<22} {place:<12} {bytes:>15} bytes {:>10.1} MB\n", megabytes(bytes));
    };
    for region in &plan.regions {
        row(region.name, region.place.name(), region.bytes);
    }
    row("on the device", "", plan.device_bytes);
    row("budget", "", plan.budget_bytes);
    text += &format!("\nlargest number of symbols that fits: {}\n", plan.symbols_max);
    if window != WINDOW as u64 {
        text += &format!("this build's encoder has a window of {WINDOW}\n");
    }
    text += "the driver's allowance is an assumption; nothing was asked of a device\n";
    text
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
