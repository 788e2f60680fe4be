//! Plots as SVG text.

use plotters::prelude::*;

const SIZE: (u32, u32) = (860, 300);
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 90, 160),
    RGBColor(190, 40, 40),
    RGBColor(20, 130, 60),
    RGBColor(200, 90, 0),
    RGBColor(120, 60, 160),
    RGBColor(120, 120, 120),
    RGBColor(0, 150, 160),
    RGBColor(130, 90, 40),
];

/// One series of a chart.
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    dots: bool,
}

impl Series {
    /// Returns a line.
    pub fn line(name: &str, points: &[(f64, f64)]) -> Series {
        Series { name: name.to_string(), points: finite(points), dots: false }
    }

    /// Returns a cloud of points.
    pub fn dots(name: &str, points: &[(f64, f64)]) -> Series {
        Series { name: name.to_string(), points: finite(points), dots: true }
    }
}

fn finite(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect()
}

/// Draws series over common axes. The axes hold all lines and the middle 98 % of dots.
pub fn chart(x_name: &str, y_name: &str, series: &[Series]) -> String {
    let all: Vec<&(f64, f64)> = series.iter().flat_map(|s| &s.points).collect();
    if all.is_empty() {
        return "<p>No data.</p>".to_string();
    }
    let span = |get: fn(&(f64, f64)) -> f64| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for s in series.iter().filter(|s| !s.points.is_empty()) {
            let values: Vec<f64> = s.points.iter().map(get).collect();
            let tail = if s.dots { 0.01 } else { 0.0 };
            low = low.min(crate::stats::quantile(&values, tail));
            high = high.max(crate::stats::quantile(&values, 1.0 - tail));
        }
        let pad = ((high - low) * 0.05).max(high.abs().max(1e-9) * 1e-6);
        low - pad..high + pad
    };
    let (x, y) = (span(|p| p.0), span(|p| p.1));
    let mut text = String::new();
    let drawn = draw(&mut text, (x, y), (x_name, y_name), series).is_ok();
    if drawn { text } else { "<p>This plot could not be drawn.</p>".to_string() }
}

type Spans = (std::ops::Range<f64>, std::ops::Range<f64>);

fn draw(
    text: &mut String,
    (x, y): Spans,
    (x_name, y_name): (&str, &str),
    series: &[Series],
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(38)
        .y_label_area_size(70)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart.configure_mesh().light_line_style(WHITE).x_desc(x_name).y_desc(y_name).draw()?;
    for (i, s) in series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let legend = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour);
        let inside = |p: &&(f64, f64)| x.contains(&p.0) && y.contains(&p.1);
        if s.dots {
            let dots = s.points.iter().filter(inside);
            // A few points must be seen, many must not hide one another.
            let (radius, ink) = if s.points.len() <= 20 { (5, 0.9) } else { (2, 0.45) };
            chart
                .draw_series(dots.map(|p| Circle::new(*p, radius, colour.mix(ink).filled())))?
                .label(s.name.clone())
                .legend(legend);
        } else {
            let line = LineSeries::new(s.points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line)?.label(s.name.clone()).legend(legend);
        }
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}
