//! Charts: geometry in SVG attributes, in per cent across and in pixels up; text keeps its size. Each point is a link
//! to what it stands for, and the keys move along them (`assets/chart.js`).

use super::format;
use maud::{Markup, html};

/// Where the plot begins from the left, in per cent: the scale's figures stand there.
const LEFT: f64 = 5.0;
/// Pixels above the plot.
const TOP: f64 = 10.0;

/// A point or bar: where it leads and what it says.
pub(super) struct Point {
    pub(super) href: String,
    pub(super) label: String,
}

/// The figures of a scale from nothing to at least `most`, about four steps of a round size.
pub(super) fn scale(most: f64) -> Vec<f64> {
    if !(most.is_finite() && most > 0.0) {
        return vec![0.0, 1.0];
    }
    let rough = most / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let mut ticks = vec![0.0];
    let mut at = 0.0;
    while at < most * 0.999 {
        at += step;
        ticks.push(at);
    }
    ticks
}

/// What a chart is called, drawn with and led to by.
pub(super) struct Chart<'a> {
    /// Said to who cannot see it.
    pub(super) label: String,
    /// Pixels of the plot.
    pub(super) height: f64,
    /// From nothing up.
    pub(super) ticks: &'a [f64],
    /// How a figure of the scale is written.
    pub(super) write: &'a dyn Fn(f64) -> String,
    /// One for each stretch of time.
    pub(super) points: &'a [Point],
}

impl Chart<'_> {
    fn top(&self) -> f64 {
        self.ticks.last().copied().unwrap_or(1.0)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + self.height * (1.0 - (value / self.top()).clamp(0.0, 1.0))
    }

    #[expect(clippy::cast_precision_loss, reason = "a few dozen points")]
    fn x(&self, at: usize) -> (f64, f64) {
        let width = (100.0 - LEFT) / self.points.len().max(1) as f64;
        (LEFT + width * at as f64, width)
    }

    fn frame(&self, content: &Markup) -> Markup {
        html! {
            svg.chart width="100%" height=(px(self.height + TOP + 2.0)) role="group" aria-label=(self.label) data-chart {
                @for (at, tick) in self.ticks.iter().enumerate() {
                    line.{ @if at == 0 { "zero" } @else { "grid" } } x1="0" x2="100%" y1=(px(self.y(*tick))) y2=(px(self.y(*tick))) {}
                }
                (content)
                // Over what is drawn: on a phone there is no room beside it.
                @for tick in self.ticks { text x="0" y=(px(self.y(*tick) - 4.0)) aria-hidden="true" { ((self.write)(*tick)) } }
            }
        }
    }

    /// Bars in parts, one above another: `parts[group][point]`, each group in its colour.
    pub(super) fn stacked(&self, parts: &[(usize, Vec<f64>)]) -> Markup {
        self.frame(&html! { @for (at, point) in self.points.iter().enumerate() {
            @let (x, width) = self.x(at);
            (self.link(at, point, &html! { @for (colour, high, height) in self.segments(at, parts) {
                rect.seg-bar.{ "c" (colour) } x=(share(x + width * 0.12)) width=(share(width * 0.76)) y=(px(high)) height=(px(height)) {}
            } }))
        } })
    }

    /// The colour, upper edge and height of each part of a bar.
    fn segments(&self, at: usize, parts: &[(usize, Vec<f64>)]) -> Vec<(usize, f64, f64)> {
        let mut base = 0.0;
        let mut segments = Vec::with_capacity(parts.len());
        for (colour, values) in parts {
            let value = values.get(at).copied().unwrap_or(0.0);
            if value > 0.0 {
                let (low, high) = (self.y(base), self.y(base + value));
                segments.push((*colour, high, (low - high).max(0.6)));
                base += value;
            }
        }
        segments
    }

    /// Lines through the points there are: the greatest first, so that the least lies on top.
    pub(super) fn lines(&self, lines: &[(usize, Vec<Option<f64>>)]) -> Markup {
        let middle = |at: usize| {
            let (x, width) = self.x(at);
            (x + width / 2.0 - LEFT) / (100.0 - LEFT) * 100.0
        };
        self.frame(&html! {
            svg x=(share(LEFT)) y=(px(TOP)) width=(share(100.0 - LEFT)) height=(px(self.height)) viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" {
                @for (style, values) in lines { @for run in runs(values) {
                    polyline.ln.{ "l" (style) } points=(points(&run, &middle, self.top())) {}
                } }
            }
            @for (at, point) in self.points.iter().enumerate() { (self.link(at, point, &html! {})) }
        })
    }

    /// A point's link: the whole column can be hit. The newest is the chart's one stop for the tab key.
    fn link(&self, at: usize, point: &Point, content: &Markup) -> Markup {
        let (x, width) = self.x(at);
        let last = at + 1 == self.points.len();
        html! {
            a.hit href=(point.href) tabindex=(if last { "0" } else { "-1" }) aria-label=(point.label) {
                rect.column x=(share(x)) width=(share(width)) y=(px(TOP)) height=(px(self.height)) {}
                (content)
            }
        }
    }
}

/// Stretches of points that follow each other; one that stands alone is made a short line.
fn runs(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut runs: Vec<Vec<(usize, f64)>> = Vec::new();
    let mut open = false;
    for (at, value) in values.iter().map(|value| value.filter(|value| value.is_finite())).enumerate() {
        match (value, runs.last_mut()) {
            (Some(value), Some(run)) if open => run.push((at, value)),
            (Some(value), _) => runs.push(vec![(at, value)]),
            (None, _) => {}
        }
        open = value.is_some();
    }
    runs
}

fn points(run: &[(usize, f64)], x: &dyn Fn(usize) -> f64, top: f64) -> String {
    let y = |value: f64| 100.0 - (value / top).clamp(0.0, 1.0) * 100.0;
    match run {
        [(at, value)] => format!("{:.2},{:.2} {:.2},{:.2}", x(*at) - 0.6, y(*value), x(*at) + 0.6, y(*value)),
        run => run
            .iter()
            .map(|(at, value)| format!("{:.2},{:.2}", x(*at), y(*value)))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn px(at: f64) -> String {
    format::measure((at * 10.0).round() / 10.0)
}

fn share(percent: f64) -> String {
    format::percent(percent / 100.0)
}

/// A colour's sign for a legend or table.
pub(super) fn swatch(colour: usize) -> Markup {
    html! { svg.sw aria-hidden="true" { rect.{ "c" (colour) } {} } }
}

/// A line's sign.
pub(super) fn stroke(style: usize) -> Markup {
    html! { svg.key aria-hidden="true" { line.ln.{ "l" (style) } x1="0" x2="18" y1="4" y2="4" {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_just_above_what_they_hold() {
        let check = |most: f64, want: &[f64]| {
            let got = scale(most);
            assert_eq!(got.len(), want.len(), "{got:?}");
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-9 * want.max(1.0), "{got:?}");
            }
        };
        check(6.1, &[0.0, 2.0, 4.0, 6.0, 8.0]);
        check(100.0, &[0.0, 25.0, 50.0, 75.0, 100.0]);
        check(0.0, &[0.0, 1.0]);
        check(f64::NAN, &[0.0, 1.0]);
        check(9_200.0, &[0.0, 2_500.0, 5_000.0, 7_500.0, 10_000.0]);
    }

    #[test]
    fn a_gap_parts_a_line() {
        let runs = runs(&[None, Some(1.0), Some(2.0), None, Some(3.0)]);
        assert_eq!(runs, [vec![(1, 1.0), (2, 2.0)], vec![(4, 3.0)]]);
    }
}
