//! Two experiments beside each other: the finding, the effect per score, and samples with regressions first.

use super::effects::{self, Reading};
use super::experiments::{gate_badge, pick_two};
use super::format;
use super::gate_words;
use super::icon::Icon;
use super::results::{given, origin, sample_cells, score_of, taken, tools};
use super::shell::{Page, Room, Section, document};
use super::text::fill;
use super::view_evals::{AnswerView, CompareView, EffectView, ExperimentRow, PairView, Which};
use super::words::{Stretch, differing};
use hanok_eval::gate::GateReport;
use hanok_eval::report::{Report, ScoreKind, ScoreReport};
use maud::{Markup, html};

/// Characters of a text that are compared.
const COMPARED: usize = 6000;
/// Effects that the finding names.
const NAMED: usize = 3;

/// The page on which two experiments are chosen.
pub fn choose_page(page: &Page, choices: &[ExperimentRow]) -> Markup {
    let e = &page.texts().evals;
    document(
        page,
        &Room {
            title: e.compare_two,
            section: Section::Evals,
            class: "",
            scripts: &[],
            above: Some((page.to("experiments"), e.evals)),
            heading: html! { (e.compare) },
            actions: html! {},
            main: html! {
                section.panel.none {
                    p.finding { (e.choose) }
                    @if choices.len() > 1 { p.soft { (e.choose_hint) } (pick_two(page, choices, None)) }
                    @else { p.soft { (e.choose_one) } p { a href=(page.to("experiments")) { (e.experiments) } } }
                }
            },
        },
    )
}

/// The comparison.
pub fn compare_page(page: &Page, view: &CompareView) -> Markup {
    let e = &page.texts().evals;
    let name = |row: &ExperimentRow| format!("{} {}", row.name, row.id);
    let (a, b) = (name(&view.first), name(&view.second));
    let short = if view.first.name == view.second.name { view.first.id.to_string() } else { a.clone() };
    let title = fill(e.a_and_b, &[("a", &short), ("b", &view.second.id.to_string())]);
    let title =
        if view.first.name == view.second.name { title } else { fill(e.a_and_b, &[("a", &a), ("b", &b)]) };
    let swapped = format!("experiments/compare?a={}&b={}", view.second.id, view.first.id);
    let above = (
        page.to(&format!("experiments?name={}", format::url_encode(&view.second.name))),
        view.second.name.as_str(),
    );
    document(
        page,
        &Room {
            title: &title,
            section: Section::Evals,
            class: "",
            scripts: &["evals.js"],
            above: Some(above),
            heading: html! { (title) },
            actions: html! { a.btn href=(page.to(&swapped)) { (e.swap) } },
            main: html! {
                div.stack {
                    (verdict(page, view))
                    div.cols.cols-ab { (won(page, view)) (runs(page, view)) }
                    @if !view.effects.is_empty() { (effect_table(page, view)) (samples(page, view)) }
                    @if view.choices.len() > 2 { (pick_two(page, &view.choices, Some((view.first.id, view.second.id)))) }
                }
            },
        },
    )
}

fn reading(view: &CompareView, effect: &EffectView) -> Reading {
    let of = &effect.compared;
    Reading::of(of.difference, of.p_adjusted.or(of.p), view.confidence, effect.less_is_better)
}

fn verdict(page: &Page, view: &CompareView) -> Markup {
    let e = &page.texts().evals;
    let shown: Vec<(&EffectView, Reading)> = view
        .effects
        .iter()
        .map(|effect| (effect, reading(view, effect)))
        .filter(|(_, reading)| *reading != Reading::Unclear)
        .take(NAMED)
        .collect();
    let mut said = vec![e.paired.of(view.paired as u64)];
    if let Some(effect) = chosen(view) {
        said.push(e.method_name(&effect.compared.method).to_owned());
    }
    if view.unpaired > 0 {
        said.push(e.unpaired.of(view.unpaired as u64));
    }
    html! {
        section.panel.verdict {
            @if view.paired == 0 { p { (e.no_common_row) } p.soft { (e.no_common_row_hint) } }
            @else {
                @if view.effects.is_empty() { p { (e.no_common_score) } }
                @else if shown.is_empty() { p { (e.nothing_shown) } }
                @for (effect, reading) in &shown { p { (clause(page, view, effect, *reading)) } }
                p.soft { (said.join(", ")) "." }
            }
        }
    }
}

fn clause(page: &Page, view: &CompareView, effect: &EffectView, reading: Reading) -> Markup {
    let e = &page.texts().evals;
    let words = if reading == Reading::Better { e.better_in_b } else { e.worse_in_b };
    let Some(found) = effect.compared.difference else { return Markup::default() };
    let size = effects::difference(found.value, effect.is_share);
    let size = if effect.is_share { fill(e.in_points, &[("n", &size)]) } else { size };
    let (low, high) =
        (effects::difference(found.low, effect.is_share), effects::difference(found.high, effect.is_share));
    let interval = fill(
        e.with_interval,
        &[("percent", &effects::percent(view.confidence)), ("low", &low), ("high", &high)],
    );
    html! {
        (fill(words, &[("score", &effect.compared.name)])) " " strong { (size) } " " span.nowrap { (interval) } "."
    }
}

/// The effect on the score by which samples are told apart.
fn chosen(view: &CompareView) -> Option<&EffectView> {
    view.effects.iter().find(|effect| effect.compared.name == view.score)
}

fn won(page: &Page, view: &CompareView) -> Markup {
    let e = &page.texts().evals;
    let (lost, same, won) = chosen(view).map_or((0, 0, 0), |effect| {
        let of = &effect.compared;
        if effect.less_is_better { (of.wins, of.ties, of.losses) } else { (of.losses, of.ties, of.wins) }
    });
    let all = (lost + same + won).max(1);
    #[expect(clippy::cast_precision_loss, reason = "drawn")]
    let share = |part: usize| part as f64 / all as f64;
    let counts = [("won", won), ("same", same), ("lost", lost)].map(|(name, n)| (name, n.to_string()));
    let label = counts.iter().fold(e.wtl.to_owned(), |label, (name, n)| fill(&label, &[(name, n)]));
    html! {
        section.panel {
            header { h2 { (e.won_by_b) } span.dim.end.cut { (view.score) } }
            div.in.stack.stack-sm {
                svg.wtl width="100%" height="26" role="img" aria-label=(label) {
                    rect.l width=(format::percent(share(lost))) height="26" {}
                    rect.t x=(format::percent(share(lost))) width=(format::percent(share(same))) height="26" {}
                    rect.w x=(format::percent(share(lost + same))) width=(format::percent(share(won))) height="26" {}
                }
                ul.legend.apart {
                    li { span.badge.b-err { (e.lost.of(lost as u64)) } }
                    li { (e.same.of(same as u64)) }
                    li { span.badge.b-ok { (e.won.of(won as u64)) } }
                }
            }
        }
    }
}

fn runs(page: &Page, view: &CompareView) -> Markup {
    let e = &page.texts().evals;
    let run = |badge: Markup, row: &ExperimentRow| {
        html! {
            tr {
                td { (badge) }
                td.cut { a href=(page.to(&format!("experiments/{}", row.id))) { (row.name) " " b { (row.id) } } @if !row.task.is_empty() { span.soft { ", " (row.task) } } }
                td.num.dim.nowrap { (format::day(row.created)) @if row.cost_usd > 0.0 { ", " (format::sum(row.cost_usd)) } }
            }
        }
    };
    html! {
        section.panel {
            header { h2 { (e.runs) } }
            table.table {
                caption.vh { (e.runs) }
                tbody {
                    (run(html! { span.badge { "A" } }, &view.first))
                    (run(html! { span.badge.b-acc { "B" } }, &view.second))
                    @if let Some(gate) = &view.gate {
                        tr {
                            td colspan="2" { span.soft { (e.gate) ": " (asked_of(page, view, gate)) } }
                            td.num { (gate_badge(page, Some(gate.passed))) }
                        }
                    }
                }
            }
        }
    }
}

/// What a gate asked for, in one line.
fn asked_of(page: &Page, view: &CompareView, gate: &GateReport) -> String {
    // Only what was asked is said here, so that the numbers do not matter but for what is a share.
    let scores = view.effects.iter().map(|effect| ScoreReport {
        name: effect.compared.name.clone(),
        kind: if effect.is_share { ScoreKind::Truth } else { ScoreKind::Number },
        ..ScoreReport::default()
    });
    let report = Report { scores: scores.collect(), ..Report::default() };
    let said = gate_words::said(page.lang, gate, view.asked.as_ref(), &report, None);
    said.into_iter().map(|said| said.check).collect::<Vec<_>>().join(", ")
}

fn effect_table(page: &Page, view: &CompareView) -> Markup {
    let e = &page.texts().evals;
    let tests = view.effects.iter().filter(|effect| effect.compared.p.is_some()).count();
    let shares = reach(view.effects.iter().filter(|effect| effect.is_share));
    html! {
        section.panel {
            header { h2 { (e.effect) } @if tests > 1 { span.dim.end.opt { (fill(e.adjusted, &[("n", &tests.to_string())])) } } }
            table.table.effects {
                caption.vh { (e.effect_caption) }
                thead { tr {
                    th { (e.score) } th.num.desk { "A" } th.num.desk { "B" } th.num { (e.b_less_a) } th.ci-cell { span.vh { (e.interval) } }
                    th.num.desk { (fill(e.interval_of, &[("percent", &effects::percent(view.confidence))])) } th.num.desk { (e.p) } th { span.vh { (e.reading) } }
                } }
                tbody { @for effect in &view.effects {
                    @let reach = if effect.is_share { shares } else { reach(std::iter::once(effect)) };
                    (effect_row(page, view, effect, reach))
                } }
            }
        }
    }
}

/// How far a line must go to hold these intervals.
fn reach<'a>(effects: impl Iterator<Item = &'a EffectView>) -> f64 {
    effects
        .filter_map(|effect| effect.compared.difference)
        .flat_map(|found| [found.low.abs(), found.high.abs()])
        .filter(|end| end.is_finite())
        .fold(0.0, f64::max)
}

fn effect_row(page: &Page, view: &CompareView, effect: &EffectView, reach: f64) -> Markup {
    let e = &page.texts().evals;
    let of = &effect.compared;
    let reading = reading(view, effect);
    let is_share = effect.is_share;
    let range = of.difference.map(|found| {
        let (low, high) =
            (effects::difference(found.low, is_share), effects::difference(found.high, is_share));
        let range = fill(e.from_to, &[("low", &low), ("high", &high)]);
        if is_share { format!("{range} {}", e.points) } else { range }
    });
    html! {
        tr {
            th scope="row" { (of.name) @if effect.less_is_better { span.hint { (e.less_is_better) } } }
            td.num.soft.desk { (effects::mean(of.before, is_share)) }
            td.num.desk { (effects::mean(of.after, is_share)) }
            td.num.strong { (effects::difference(of.after - of.before, is_share)) }
            td.ci-cell { @if let (Some(found), Some(range)) = (&of.difference, &range) { (effects::effect_line(found, reach, reading, range)) } }
            td.num.soft.desk.nowrap { (range.as_deref().unwrap_or("–")) }
            td.num.desk { @if let Some(p) = of.p_adjusted.or(of.p) { (effects::p_value(p)) } @else { "–" } }
            td { (reading.badge(e)) }
        }
    }
}

fn samples(page: &Page, view: &CompareView) -> Markup {
    let e = &page.texts().evals;
    let tabs = [
        (Which::Worse, e.regressions, view.worse),
        (Which::Better, e.wins, view.better),
        (Which::All, e.all, view.total),
    ];
    let place = |which: Which, score: &str| {
        format!(
            "?a={}&b={}&score={}&show={}#samples",
            view.first.id,
            view.second.id,
            format::url_encode(score),
            which.as_str()
        )
    };
    html! {
        section.panel #samples {
            header.head-wrap {
                h2 { (e.samples) }
                @if view.effects.len() > 1 { form.row method="get" action="#samples" {
                    input type="hidden" name="a" value=(view.first.id); input type="hidden" name="b" value=(view.second.id);
                    select.select name="score" aria-label=(e.score) { @for effect in &view.effects {
                        option value=(effect.compared.name) selected[effect.compared.name == view.score] { (effect.compared.name) }
                    } }
                    button.btn.btn-quiet type="submit" { (page.texts().apply) }
                } }
                nav.seg aria-label=(e.show) { @for (which, word, n) in tabs {
                    a href=(place(which, &view.score)) aria-current=[(which == view.which).then_some("true")] { (word) " " span.dim { (format::count(n)) } }
                } }
            }
            @if view.pairs.is_empty() {
                div.nothing { p.strong { (if view.which == Which::Better { e.no_win } else { e.no_regression }) } }
            } @else {
                div.scroll tabindex="0" role="region" aria-label=(e.samples) {
                    table.table.hit role="grid" {
                        caption.vh { (e.samples_caption) }
                        thead { tr { th { (e.sample) } th { (e.question) } th.num { "A" } th.num { "B" } } }
                        tbody #eval-rows { @for (at, pair) in view.pairs.iter().enumerate() { (pair_row(page, view, pair, at == 0)) } }
                    }
                }
            }
            @if let Some(next) = view.next { p.older { a.btn.btn-quiet href={ (page.with("from", &next.to_string())) "#samples" } { (Icon::Down.draw()) (e.further) } } }
        }
    }
}

fn pair_row(page: &Page, view: &CompareView, pair: &PairView, open: bool) -> Markup {
    html! {
        tr.sample tabindex=(if open { "0" } else { "-1" }) aria-selected=(open) aria-controls={ "d-" (pair.key) } {
            (sample_cells(page, &pair.key, &pair.sample, pair.repeat))
            td.num { (score_of(page, &pair.before, &view.score)) }
            td.num { (score_of(page, &pair.after, &view.score)) }
        }
        tr.detail #{ "d-" (pair.key) } hidden[!open] { td.bare colspan="4" { (detail(page, view, pair)) } }
    }
}

fn detail(page: &Page, view: &CompareView, pair: &PairView) -> Markup {
    let e = &page.texts().evals;
    let cut = |answer: &AnswerView| format::cut(answer.text.as_deref().unwrap_or_default(), COMPARED);
    let (before, after) = (cut(&pair.before), cut(&pair.after));
    let (gone, new) = differing(&before, &after);
    // Where nothing is shared, marking all of it says nothing.
    let marks = gone.iter().chain(&new).any(|stretch| !stretch.own);
    let same = !before.is_empty() && before == after;
    let score = pair.after.scores.iter().find(|(name, _)| *name == view.score);
    html! {
        div.asked { (given(page, &pair.sample)) }
        div.diff {
            (side(page, &html! { span.badge { "A" } }, view.first.id, &pair.before, &gone, marks, true))
            (side(page, &html! { span.badge.b-acc { "B" } }, view.second.id, &pair.after, &new, marks, false))
        }
        @if same { p.why.dim { (e.same_text) } }
        @if let Some((name, score)) = score { div.why {
            (effects::score_badge(e, score))
            span.grow { b { (e.said_of_b) ", " (name) } " " span.soft { (format::cut(&effects::why(page.lang, score), 1000)) } }
        } }
        @if pair.before.trace.is_some() || pair.after.trace.is_some() || pair.sample.origin.is_some() {
            p.why {
                @if pair.before.trace.is_some() || pair.after.trace.is_some() { span.dim { (e.open_traces) } }
                @for (answer, word) in [(&pair.before, e.trace_a), (&pair.after, e.trace_b)] {
                    @if let Some(trace) = &answer.trace { a href=(page.to(&format!("traces/{trace}"))) { (word) } }
                }
                (origin(page, &pair.sample))
            }
        }
    }
}

fn side(
    page: &Page,
    badge: &Markup,
    id: i64,
    answer: &AnswerView,
    text: &[Stretch<'_>],
    marks: bool,
    old: bool,
) -> Markup {
    let e = &page.texts().evals;
    html! {
        div {
            h3 { (badge) (fill(e.experiment_n, &[("n", &id.to_string())])) span.dim.end { (taken(answer)) } }
            @if let Some(error) = &answer.error { p { span.badge.b-err { (e.why_none) } " " span.soft { (format::cut(error, COMPARED)) } } }
            @else if text.is_empty() { p.dim { (e.nothing_said) } }
            @else { p.pre { @for stretch in text {
                @if !marks || !stretch.own { (stretch.text) }
                @else if old { del { (stretch.text) } }
                @else { ins { (stretch.text) } }
            } } }
            (tools(page, answer))
        }
    }
}
