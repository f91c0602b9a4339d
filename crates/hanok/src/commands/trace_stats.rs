//! `hanok trace stats`

use crate::cli::TraceStats;
use crate::output;
use anyhow::ensure;
use hanok_base::Timestamp;
use hanok_store::{CallStats, GroupStats, Stats};
use hanok_trace::{StatsView, TraceStore, parse_dimensions, parse_filter, parse_rank, stats_query};

/// Runs the command.
pub(super) async fn run(traces: &TraceStore, ask: &TraceStats) -> anyhow::Result<()> {
    let since = ask.since.as_deref().map(|since| format!(" since:{since}")).unwrap_or_default();
    let filter = parse_filter(&format!("{}{since}", ask.filter), Timestamp::now())?;
    let mut query = stats_query(&filter);
    ensure!((1..=1_000).contains(&ask.limit), "--limit must be from 1 to 1000");
    ensure!((1..=1_000).contains(&ask.buckets), "--buckets must be from 1 to 1000");
    (query.limit, query.buckets) = (ask.limit, ask.buckets);
    query.rank = parse_rank(&ask.rank)?;
    query.group_by = parse_dimensions(&ask.by)?;
    let group_by = query.group_by.clone();
    let stats = traces.stats(query).await?;
    if ask.json.json {
        return output::json(&StatsView::new(&stats, &group_by));
    }
    let names: Vec<&str> = group_by.iter().map(|dimension| dimension.name()).collect();
    for line in table(&names, &stats) {
        output::line(line)?;
    }
    if stats.traces_to_come > 0 {
        output::note(format!(
            "{} traces of an earlier version are not counted yet; a running `hanok up` does it in the background",
            stats.traces_to_come
        ));
    }
    Ok(())
}

const HEADS: [&str; 10] = [
    "calls",
    "errors",
    "input",
    "cached",
    "output",
    "reasoning",
    "cost",
    "p50 ms",
    "p95 ms",
    "first token ms",
];

/// A line for each group, for the others and for the total, under a line of heads.
fn table(names: &[&str], stats: &Stats) -> Vec<String> {
    let heads = names.iter().copied().chain(HEADS).map(ToOwned::to_owned).collect();
    let mut rows: Vec<Vec<String>> = vec![heads];
    rows.extend(stats.groups.iter().map(|group| {
        let values =
            group.values.iter().map(|value| value.as_deref().map_or_else(|| "-".to_owned(), output::safe));
        values.chain(cells(&group.sums)).collect()
    }));
    let named = |name: &str, group: &GroupStats| {
        let labels = names.iter().enumerate().map(|(at, _)| if at == 0 { name } else { "" }.to_owned());
        labels.chain(cells(&group.sums)).collect()
    };
    rows.extend(stats.others.as_ref().map(|others| named("(others)", others)));
    rows.push(named("(total)", &stats.total));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len() + HEADS.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            // Names to the left, numbers to the right.
            if at < names.len() { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn cells(sums: &CallStats) -> [String; HEADS.len()] {
    let milliseconds = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
    let unpriced = if sums.unpriced > 0 { "+" } else { "" };
    [
        sums.calls.to_string(),
        sums.errors.to_string(),
        sums.input_tokens.to_string(),
        sums.cached_tokens.to_string(),
        sums.output_tokens.to_string(),
        sums.reasoning_tokens.to_string(),
        // What is not priced would come on top.
        format!("${:.4}{unpriced}", sums.cost.dollars()),
        milliseconds(sums.latency_ms.map(|[p50, _, _]| p50)),
        milliseconds(sums.latency_ms.map(|[_, p95, _]| p95)),
        milliseconds(sums.first_token_ms.map(|[p50, _]| p50)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::NanoDollars;

    #[test]
    fn columns_stand_under_each_other() {
        let group = |value: Option<&str>, calls| GroupStats {
            values: vec![value.map(ToOwned::to_owned)],
            sums: CallStats { calls, cost: NanoDollars(1_500_000), unpriced: 1, ..CallStats::default() },
            buckets: Vec::new(),
        };
        let stats = Stats {
            groups: vec![group(Some("gpt-5-mini"), 12), group(None, 3)],
            total: group(None, 15),
            ..Stats::default()
        };
        let lines = table(&["model"], &stats);
        assert_eq!(
            lines,
            [
                "model       calls  errors  input  cached  output  reasoning      cost  p50 ms  p95 ms  first token ms",
                "gpt-5-mini     12       0      0       0       0          0  $0.0015+       -       -               -",
                "-               3       0      0       0       0          0  $0.0015+       -       -               -",
                "(total)        15       0      0       0       0          0  $0.0015+       -       -               -",
            ]
        );
    }
}
