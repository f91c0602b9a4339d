//! How figures grow with the number of spans, and what is expected at more: a chart as SVG, and the table behind it.
//!
//! What is expected is the last measured step continued: a power of the number of spans, through the two largest sizes
//! that were measured. It is a line through two points, and said to be one.

use crate::plan::{AtSize, Results, float};
use crate::report::PAGES;
use std::fmt::Write as _;

/// Where the expectation is told.
const EXPECTED_AT: f64 = 1e8;

/// One line of the chart.
struct Line {
    name: &'static str,
    unit: &'static str,
    /// Spans, and the figure.
    points: Vec<(f64, f64)>,
}

impl Line {
    fn of(name: &'static str, unit: &'static str, sizes: &[AtSize], figure: impl Fn(&AtSize) -> f64) -> Self {
        Self { name, unit, points: sizes.iter().map(|size| (float(size.spans), figure(size))).collect() }
    }

    /// What comes of the last step at [`EXPECTED_AT`]; `None` with fewer than two sizes.
    fn expected(&self) -> Option<f64> {
        let [.., (x1, y1), (x2, y2)] = self.points.as_slice() else { return None };
        let power = (y2 / y1).ln() / (x2 / x1).ln();
        let expected = y2 * (EXPECTED_AT / x2).powf(power);
        (expected.is_finite() && *x2 < EXPECTED_AT).then_some(expected)
    }
}

fn lines(results: &Results) -> [Line; 4] {
    let slowest = |pages: bool| {
        move |size: &AtSize| {
            let of_kind = size.questions.iter().filter(|question| PAGES.contains(&question.name) == pages);
            of_kind.map(|question| question.p95_ms).fold(0.0, f64::max)
        }
    };
    [
        Line::of("spans taken in a second", "", &results.sizes, |size| size.spans_per_second),
        Line::of("slowest of twelve questions, p95", " ms", &results.sizes, slowest(false)),
        Line::of("slower of list and trace page, p95", " ms", &results.sizes, slowest(true)),
        Line::of("disk per span, text included", " B", &results.sizes, |size| size.disk_bytes_per_span),
    ]
}

/// The table behind the chart, in Markdown.
pub(crate) fn table(results: &Results) -> String {
    let mut out = String::from("| spans |");
    for size in &results.sizes {
        // Writing to a string cannot fail.
        let _ = write!(out, " {} |", size.spans);
    }
    let _ = writeln!(out, " {} (expected) |", figure(EXPECTED_AT));
    out.push_str(&"|---".repeat(results.sizes.len() + 2));
    out.push_str("|\n");
    for line in lines(results) {
        let _ = write!(
            out,
            "| {}{} |",
            line.name,
            if line.unit.is_empty() { "" } else { "," }.to_owned() + line.unit
        );
        for (_, y) in &line.points {
            let _ = write!(out, " {} |", figure(*y));
        }
        let _ = writeln!(out, " {} |", line.expected().map_or_else(|| "?".to_owned(), figure));
    }
    out
}

const WIDTH: f64 = 760.0;
const PANEL: f64 = 130.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 40.0;

/// The chart: a panel for each line, both axes logarithmic.
pub(crate) fn svg(results: &Results) -> String {
    let lines = lines(results);
    let xs = || lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x));
    let first = xs().fold(EXPECTED_AT, f64::min).log10();
    let x =
        |spans: f64| LEFT + (spans.log10() - first) / (EXPECTED_AT.log10() - first) * (WIDTH - LEFT - RIGHT);
    let height = PANEL * float(lines.len() as u64) + 30.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Figures by the number of spans stored\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>svg{{background:#fff;color:#222}}@media(prefers-color-scheme:dark){{svg{{background:#161616;color:#ddd}}}}\
         .axis{{stroke:currentColor;opacity:.25}}.line{{fill:none;stroke:#2f6f4f;stroke-width:2}}\
         .far{{stroke-dasharray:4 4;opacity:.6}}.dot{{fill:#2f6f4f}}text{{fill:currentColor}}.small{{font-size:11px;opacity:.75}}</style>\n"
    );
    for (line, top) in lines.iter().zip((0_u32..).map(|at| f64::from(at) * PANEL)) {
        panel(&mut out, line, top, &x);
    }
    let mut at = first.ceil();
    while at <= EXPECTED_AT.log10() {
        let label = figure(10_f64.powf(at));
        let _ = writeln!(
            out,
            "<text class=\"small\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
            x(10_f64.powf(at)),
            height - 14.0
        );
        at += 1.0;
    }
    let _ = writeln!(
        out,
        "<text class=\"small\" x=\"{LEFT}\" y=\"{:.1}\">spans stored; dashed: the last measured step continued</text>\n</svg>",
        height - 1.0
    );
    out
}

fn panel(out: &mut String, line: &Line, top: f64, x: &impl Fn(f64) -> f64) {
    let expected = line.expected().map(|y| (EXPECTED_AT, y));
    let all = || line.points.iter().chain(&expected).map(|(_, y)| y.max(1e-3));
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let span = (most / least).log10().max(0.3);
    let (head, foot) = (top + 34.0, top + PANEL - 24.0);
    let y = |figure: f64| foot - (figure.max(1e-3) / least).log10() / span * (foot - head);
    let _ =
        writeln!(out, "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>", top + 16.0, line.name);
    let _ = writeln!(
        out,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
        WIDTH - RIGHT,
        foot + 8.0,
        foot + 8.0
    );
    let path = |points: &[(f64, f64)]| {
        points
            .iter()
            .map(|(at, figure)| format!("{:.1},{:.1}", x(*at), y(*figure)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let _ = writeln!(out, "<polyline class=\"line\" points=\"{}\"/>", path(&line.points));
    if let (Some(last), Some(expected)) = (line.points.last(), expected) {
        let _ = writeln!(out, "<polyline class=\"line far\" points=\"{}\"/>", path(&[*last, expected]));
    }
    for (at, figure_) in line.points.iter().chain(&expected) {
        let _ =
            writeln!(out, "<circle class=\"dot\" r=\"3\" cx=\"{:.1}\" cy=\"{:.1}\"/>", x(*at), y(*figure_));
        let _ = writeln!(
            out,
            "<text class=\"small\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}{}</text>",
            x(*at),
            y(*figure_) - 7.0,
            figure(*figure_),
            line.unit
        );
    }
}

/// A figure for people: three digits, thousands apart.
fn figure(number: f64) -> String {
    if number < 10.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{:.0}", if number < 1_000.0 { number } else { round(number) });
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn round(number: f64) -> f64 {
    let unit = 10_f64.powf(number.log10().floor() - 2.0);
    (number / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        let check = |number: f64, expect: &str| assert_eq!(figure(number), expect);
        check(0.54, "0.5");
        check(55.1, "55");
        check(999.4, "999");
        check(30_146.0, "30,100");
        check(1e8, "100,000,000");
    }

    #[test]
    fn the_last_step_goes_on() {
        let line = |points: &[(f64, f64)]| Line { name: "", unit: "", points: points.to_vec() };
        let near = |found: Option<f64>, expect: f64| {
            assert!((found.unwrap() / expect - 1.0).abs() < 1e-9, "{found:?}");
        };
        near(line(&[(1e4, 7.0), (1e5, 5.0), (1e6, 50.0)]).expected(), 5_000.0);
        near(line(&[(1e5, 600.0), (1e6, 600.0)]).expected(), 600.0);
        assert_eq!(line(&[(1e6, 600.0)]).expected(), None);
    }
}
