//! Plots as SVG text.

use ijk_core::Side;
use plotters::coord::Shift;
use plotters::prelude::*;

const SIZE: (u32, u32) = (960, 260);
const BLUE: RGBColor = RGBColor(31, 90, 160);
const GREEN: RGBColor = RGBColor(20, 130, 60);
const RED_: RGBColor = RGBColor(190, 40, 40);
const GREY: RGBColor = RGBColor(120, 120, 120);
/// One colour a stage, dark enough on white.
const STAGES: [RGBColor; 8] = [
    RGBColor(31, 90, 160),
    RGBColor(200, 90, 0),
    RGBColor(190, 40, 40),
    RGBColor(20, 130, 60),
    RGBColor(120, 60, 160),
    RGBColor(110, 80, 40),
    RGBColor(120, 120, 120),
    RGBColor(0, 0, 0),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type PlotResult = Result<(), Box<dyn std::error::Error>>;

/// A fill to be marked: time, side, price.
pub type Mark = (u64, Side, f64);

/// Seconds since the start of the plot, as hours and minutes of UTC.
fn clock(start_ns: u64) -> impl Fn(&f64) -> String {
    move |seconds| {
        let s = (start_ns / 1_000_000_000) as f64 + seconds;
        let minutes = (s / 60.0) as u64 % (24 * 60);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn seconds(start_ns: u64, ts: u64) -> f64 {
    ts.saturating_sub(start_ns) as f64 * 1e-9
}

fn svg(draw: impl FnOnce(&Area<'_>) -> PlotResult) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        if draw(&area).is_err() || area.present().is_err() {
            return "<p>This plot could not be drawn.</p>".to_string();
        }
    }
    text
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (lo, hi) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return (0.0, 1.0);
    }
    let pad = ((hi - lo) * 0.05).max(hi.abs().max(1.0) * 1e-6);
    (lo - pad, hi + pad)
}

/// Draws one line over time, with marks for own fills.
pub fn line(points: &[(u64, f64)], marks: &[Mark], step: bool, unit: &str) -> String {
    // The drawing library cannot place what is not a number or far outside its axes.
    let points: Vec<(u64, f64)> = points.iter().copied().filter(|p| p.1.is_finite()).collect();
    let times = || points.iter().map(|p| p.0).chain(marks.iter().map(|m| m.0));
    let Some(start) = times().min() else {
        return "<p>No data.</p>".to_string();
    };
    let end = times().max().unwrap_or(start).max(start + 1);
    let (lo, hi) = range(points.iter().map(|p| p.1).chain(marks.iter().map(|m| m.2)));
    svg(|area| {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..seconds(start, end), lo..hi)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_label_formatter(&clock(start))
            .x_desc("UTC")
            .y_desc(unit)
            .draw()?;
        let at = |&(ts, v): &(u64, f64)| (seconds(start, ts), v);
        let path: Vec<(f64, f64)> = if step {
            let pairs = points.windows(2).flat_map(|w| [at(&w[0]), (at(&w[1]).0, w[0].1)]);
            pairs.chain(points.last().map(at)).collect()
        } else {
            points.iter().map(at).collect()
        };
        chart.draw_series(LineSeries::new(path, &BLUE))?;
        chart.draw_series(marks.iter().map(|&(ts, side, px)| {
            let (colour, tip) = match side {
                Side::Bid => (GREEN, 5),
                Side::Ask => (RED_, -5),
            };
            let place = (seconds(start, ts), px);
            EmptyElement::at(place)
                + Polygon::new(vec![(0, 0), (-4, tip + tip / 2), (4, tip + tip / 2)], colour)
        }))?;
        Ok(())
    })
}

/// Draws counts as horizontal bars.
pub fn bars(rows: &[(String, f64)], unit: &str) -> String {
    if rows.iter().all(|r| r.1 == 0.0) {
        return "<p>None.</p>".to_string();
    }
    let top = rows.iter().map(|r| r.1).fold(0.0, f64::max) * 1.1;
    let names: Vec<String> = rows.iter().map(|r| r.0.clone()).collect();
    svg(|area| {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(170)
            .build_cartesian_2d(0.0..top, (0..rows.len()).into_segmented())?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_desc(unit)
            .y_labels(rows.len())
            .y_label_formatter(&|v| match v {
                SegmentValue::CenterOf(i) | SegmentValue::Exact(i) => {
                    names.get(*i).cloned().unwrap_or_default()
                }
                SegmentValue::Last => String::new(),
            })
            .draw()?;
        chart.draw_series(rows.iter().enumerate().map(|(i, row)| {
            let from = (0.0, SegmentValue::Exact(i));
            let mut bar =
                Rectangle::new([from, (row.1, SegmentValue::Exact(i + 1))], BLUE.filled());
            bar.set_margin(3, 3, 0, 0);
            bar
        }))?;
        Ok(())
    })
}

/// Draws latency by percentile, one line a stage, both axes logarithmic; percentile p stands at
/// 1/(1-p).
pub fn latency(stages: &super::latency::Stages) -> String {
    let present: Vec<_> = stages.iter().filter(|s| !s.1.is_empty()).collect();
    if present.is_empty() {
        return "<p>No stage times were kept.</p>".to_string();
    }
    let top = present.iter().map(|s| s.1.max()).max().unwrap_or(1) as f64 * 1.5;
    let steps: Vec<f64> = (0..=32).map(|i| 10f64.powf(f64::from(i) / 8.0)).collect();
    svg(|area| {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(70)
            .build_cartesian_2d((1.0..12_000.0f64).log_scale(), (10.0..top).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc("percentile")
            .y_desc("ns")
            .x_label_formatter(&|x| format!("{}", 100.0 * (1.0 - 1.0 / x)))
            .draw()?;
        for (i, (name, h)) in present.iter().enumerate() {
            let colour = STAGES[i % STAGES.len()];
            let points =
                steps.iter().map(|&x| (x, h.value_at_quantile(1.0 - 1.0 / x).max(10) as f64));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .border_style(GREY)
            .background_style(WHITE.mix(0.8))
            .draw()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_svg_whatever_the_data() {
        assert!(line(&[], &[], false, "x").starts_with("<p>"));
        for points in [vec![(5, 1.0)], vec![(0, 1.0), (1_000_000_000, f64::NAN), (9, 2.0)]] {
            let text = line(&points, &[(5, Side::Bid, 1.0)], true, "x");
            assert!(text.starts_with("<svg"), "{text}");
        }
        assert!(bars(&[("a".into(), 3.0), ("b".into(), 0.0)], "n").starts_with("<svg"));
        assert!(bars(&[("a".into(), 0.0)], "n").starts_with("<p>"));
    }
}
