//! The calibration plot of a card: told against come, one curve a horizon.

use ijk_models::compare::Comparison;
use plotters::prelude::*;

/// Returns the plot of the first model as SVG text, or what the drawing library says.
///
/// # Errors
/// Where the plot cannot be drawn.
pub fn calibration(all: &[Comparison]) -> Result<String, String> {
    let mut svg = String::new();
    draw(&mut svg, all).map_err(|e| e.to_string())?;
    Ok(svg)
}

fn draw(svg: &mut String, all: &[Comparison]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (560, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..1.0f64, 0.0..1.0f64)?;
    chart.configure_mesh().x_desc("probability told").y_desc("share that came").draw()?;
    chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.4)))?;
    for (i, c) in all.iter().enumerate() {
        let Some(model) = c.models.first() else { continue };
        let colour = Palette99::pick(i).to_rgba();
        let points: Vec<(f64, f64)> = model
            .calibration
            .iter()
            // A handful of rows says nothing of a share.
            .filter(|b| b.count >= 30)
            .map(|b| (b.told, b.came))
            .collect();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(format!("{} tokens", c.horizon_tokens))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        chart.draw_series(points.iter().map(|&p| Circle::new(p, 3, colour.filled())))?;
    }
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    drop(chart);
    area.present()?;
    drop(area);
    Ok(())
}
