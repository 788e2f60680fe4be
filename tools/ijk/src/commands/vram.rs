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
    let measured = if args.measure { Some(measure(&plan)?) } else { None };
    if args.json {
        let mut document = as_json(&plan);
        document["measured"] = json!(measured);
        print_json(&document);
    } else {
        print_text(&as_text(&plan, measured.as_ref()));
    }
    Ok(())
}

/// What the driver reports beside the plan.
#[derive(Debug, serde::Serialize)]
struct Measured {
    device: String,
    total_bytes: u64,
    before_bytes: u64,
    taken_bytes: u64,
}

#[cfg(feature = "cuda")]
fn measure(plan: &Plan) -> Result<Measured, Exit> {
    use ijk_infer::{WeightsBuilder, WeightsSpec, tensor_specs};
    let Request { symbols, members, window } = plan.request;
    if window != WINDOW as u64 {
        return Err(Exit::usage(format!("--measure: this build's window is {WINDOW}")));
    }
    let mut builder = WeightsBuilder::new(WeightsSpec::new(members as usize));
    for t in tensor_specs(members as usize) {
        builder = builder.tensor(&t.name, t.shape, &vec![0.0; t.value_count()]);
    }
    let weights = builder.finish().map_err(|e| Exit::new(crate::exit::BUG, e))?;
    let engine = ijk_infer::cuda::open(&weights, symbols as usize, plan.budget_bytes, None)
        .map_err(Exit::usage)?;
    let found = engine.measured();
    Ok(Measured {
        device: found.device.clone(),
        total_bytes: found.total_bytes,
        before_bytes: found.before_bytes,
        taken_bytes: found.taken_bytes,
    })
}

#[cfg(not(feature = "cuda"))]
fn measure(_: &Plan) -> Result<Measured, Exit> {
    Err(Exit::usage("--measure: this build has no CUDA; build it with --features cuda"))
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

fn as_text(plan: &Plan, measured: Option<&Measured>) -> String {
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
    if let Some(m) = measured {
        row("taken, by the driver", "measured", m.taken_bytes);
        row("before, others too", "measured", m.before_bytes);
        row("the device has", "measured", m.total_bytes);
    }
    text += &format!("\nlargest number of symbols that fits: {}\n", plan.symbols_max);
    if window != WINDOW as u64 {
        text += &format!("this build's encoder has a window of {WINDOW}\n");
    }
    text += &match measured {
        Some(m) => format!("measured on {}\n", m.device),
        None => "the driver's allowance is an assumption; no device was asked\n".to_owned(),
    };
    text
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
