//! `ijk forecast`: what the ensemble says at every token.

use super::features::{for_each_token, open, token_cells, token_columns};
use crate::cli::ForecastArgs;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::slots::Hearing;
use crate::table::{Kind, Table};
use crate::{place, progress, weights};
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use ijk_core::{EnsembleForecast, EventSource};
use ijk_infer::cuda::SymbolToken;
use serde_json::json;

/// Writes the forecasts.
///
/// # Errors
/// 2 for usage and where the device that was asked for is not there, 3 for bad input or weights;
/// nothing is written then.
pub fn run(args: &ForecastArgs) -> Result<(), Exit> {
    let Some((model, id)) = weights::load_weights(&args.weights)? else {
        return Err(Exit::usage("--weights none: a forecast needs weights"));
    };
    let (mut source, index) = open(&args.spec, args.symbol.as_deref(), args.stride)?;
    let mut hearing = Hearing::new(&model, &args.slots, source.instruments(), index)?;
    // A device computes no slots: with them the processor does.
    let mut placed = place::place(&model, args.device)?;
    let members = model.members().len();
    let mut forecasts = Vec::with_capacity(1);
    let mut table = Table::create(&args.out.out, &columns(members), args.out.force)?;
    let bar = progress::bar(None, "forecast", args.out.json);
    for_each_token(&mut source, index, args.stride, |token, received| {
        forecasts.clear();
        match &mut hearing {
            Some(hearing) => forecasts.push(hearing.step(&token.features, received)),
            None => {
                let one = [SymbolToken { symbol: 0, features: token.features }];
                placed.step(token.index, &one, &mut forecasts)?;
            }
        }
        token_cells(&mut table, token);
        cells(&mut table, &forecasts[0], members);
        if token.index & 0xff == 0 {
            bar.set_message(format!("{} tokens", token.index));
        }
        table.end_row()
    })?;
    let tokens = table.finish()?;
    bar.finish_and_clear();
    if args.out.json {
        print_json(&json!({
            "out": args.out.out.display().to_string(), "tokens": tokens, "members": members,
            "weights": id, "device": placed.name, "left_device_at_token": placed.left_at,
        }));
    } else {
        print_text(&format!("{}: {tokens} tokens, {members} members\n", args.out.out.display()));
    }
    Ok(())
}

fn columns(members: usize) -> Vec<(String, Kind)> {
    let mut columns = token_columns();
    let mut add = |name: String| columns.push((name, Kind::Float));
    for h in HORIZONS {
        for what in ["p_down", "p_flat", "p_up", "mean_bps", "epistemic_var", "aleatoric_var"] {
            add(format!("{what}_h{h}"));
        }
        for m in 0..members {
            for what in ["p_down", "p_flat", "p_up", "mean_bps", "var"] {
                add(format!("m{m}_{what}_h{h}"));
            }
        }
    }
    columns
}

fn cells(table: &mut Table, forecast: &EnsembleForecast, members: usize) {
    let n = forecast.member_count as usize;
    for h in 0..HORIZON_COUNT {
        let mut p = [0.0f64; 3];
        for member in &forecast.members[..n] {
            for (sum, v) in p.iter_mut().zip(member[h].probabilities()) {
                *sum += f64::from(v) / n as f64;
            }
        }
        let pooled = forecast.pooled(h);
        p.iter().for_each(|&v| {
            table.float(if n == 0 { f64::NAN } else { v });
        });
        table
            .float(pooled.map_or(f64::NAN, |x| x.mean_bps))
            .float(pooled.map_or(f64::NAN, |x| x.epistemic_var))
            .float(pooled.map_or(f64::NAN, |x| x.aleatoric_var));
        for m in 0..members {
            let f = forecast.members.get(m).filter(|_| m < n).map(|member| member[h]);
            let p = f.map_or([f32::NAN; 3], |f| f.probabilities());
            p.iter().for_each(|&v| {
                table.float(f64::from(v));
            });
            table.float(f.map_or(f64::NAN, |f| f64::from(f.mean_bps)));
            table.float(f.map_or(f64::NAN, |f| f64::from(f.log_var).exp()));
        }
    }
}
