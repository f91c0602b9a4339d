//! The figures against the targets they are held to, as a table.

use crate::plan::{Figure, Once, Results, Spread};
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// What is wanted, in words.
    pub(crate) target: &'static str,
    pub(crate) floor: String,
    pub(crate) haproxy: String,
    pub(crate) hanok: String,
    /// `None` where something to compare with is missing.
    pub(crate) met: Option<bool>,
}

/// The rows, in the order of the targets' list.
pub(crate) fn rows(results: &Results) -> Vec<Row> {
    let of = |target| Of { results, target };
    let all = All { direct: of("direct"), floor: of("floor"), haproxy: of("haproxy"), hanok: of("hanok") };
    let usual = results.usual_connections;
    let mut counts: Vec<usize> = results.figures.iter().map(|figure| figure.connections).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut rows = vec![all.ratio(
        format!("CPU per JSON request, {usual} connections"),
        "<= 2x floor",
        |it| it.cpu("json", usual),
        micros,
        |times| times <= 2.0,
    )];
    for count in counts.iter().copied().filter(|count| *count > 1) {
        rows.push(all.ratio(
            format!("requests/s, {count} connections"),
            ">= 60% of floor",
            |it| it.best("json", count, |figure| Some(-figure.per_second)).map(|found| -found),
            |rate| format!("{rate:.0}"),
            |share| share >= 0.6,
        ));
    }
    if counts.contains(&1) {
        rows.push(all.added(
            "added p50, 1 connection",
            "<= 2x what the floor adds",
            "json",
            Times::P50,
            |hanok, floor| floor.map(|floor| hanok <= 2.0 * floor),
        ));
        rows.push(all.added("added p99, 1 connection", "<= 150 us", "json", Times::P99, |hanok, _| {
            Some(hanok <= 150.0)
        }));
    }
    rows.push(all.ratio(
        format!("CPU per 50-chunk stream, {usual} connections"),
        "<= 0.5x floor",
        |it| it.cpu("stream", usual),
        micros,
        |times| times <= 0.5,
    ));
    if counts.contains(&1) {
        rows.push(all.added(
            "first byte added on streams, 1 connection",
            "<= 100 us",
            "stream",
            Times::First,
            |hanok, _| Some(hanok <= 100.0),
        ));
    }
    rows.push(all.stalls());
    rows.push(all.late());
    rows.push(all.features());
    rows.extend(all.memory());
    rows.push(all.start());
    rows
}

/// The table, in Markdown.
pub(crate) fn table(results: &Results, rows: &[Row]) -> String {
    let mut lines = vec![
        format!(
            "{} processors, load before {}; {} rounds of {} s a cell, the best of each counts; every prompt another, no cache",
            results.processors,
            results.load_before.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}")),
            results.rounds,
            results.secs
        ),
        String::new(),
        "| | target | floor | haproxy | hanok | |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    for row in rows {
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not compared",
        };
        let Row { what, target, floor, haproxy, hanok, .. } = row;
        lines.push(format!("| {what} | {target} | {floor} | {haproxy} | {hanok} | {met} |"));
    }
    if !with_key(results) {
        lines.push(String::new());
        lines.push("WARNING: hanok was measured WITHOUT key and budget.".to_owned());
    }
    lines.join("\n")
}

fn with_key(results: &Results) -> bool {
    results.once.iter().any(|once| once.target == "hanok" && once.key)
}

/// One target's figures.
struct Of<'a> {
    results: &'a Results,
    target: &'static str,
}

impl Of<'_> {
    /// The least of a figure over the rounds.
    fn best(&self, kind: &str, connections: usize, value: impl Fn(&Figure) -> Option<f64>) -> Option<f64> {
        let figures = self.results.figures.iter();
        let mine =
            figures.filter(|it| it.target == self.target && it.kind == kind && it.connections == connections);
        mine.filter_map(value).min_by(f64::total_cmp)
    }

    fn cpu(&self, kind: &str, connections: usize) -> Option<f64> {
        self.best(kind, connections, |figure| figure.cpu)
    }

    fn once(&self) -> Option<&Once> {
        self.results.once.iter().find(|once| once.target == self.target)
    }
}

#[derive(Clone, Copy)]
enum Times {
    P50,
    P99,
    First,
}

impl Times {
    fn of(self, figure: &Figure) -> Option<f64> {
        match self {
            Self::P50 => figure.whole.map(|spread| spread.p50),
            Self::P99 => figure.whole.map(|spread| spread.p99),
            Self::First => figure.first.map(|spread| spread.p50),
        }
    }
}

struct All<'a> {
    direct: Of<'a>,
    floor: Of<'a>,
    haproxy: Of<'a>,
    hanok: Of<'a>,
}

impl All<'_> {
    /// A figure as a multiple of the floor's.
    fn ratio(
        &self,
        what: String,
        target: &'static str,
        value: impl Fn(&Of<'_>) -> Option<f64>,
        show: impl Fn(f64) -> String,
        met: impl Fn(f64) -> bool,
    ) -> Row {
        let floor = value(&self.floor);
        let shown = |it: &Of<'_>| match (value(it), floor) {
            (Some(mine), Some(floor)) => format!("{} ({:.2}x)", show(mine), mine / floor),
            (Some(mine), None) => show(mine),
            (None, _) => none(),
        };
        Row {
            what,
            target,
            floor: floor.map_or_else(none, &show),
            haproxy: shown(&self.haproxy),
            hanok: shown(&self.hanok),
            met: value(&self.hanok).zip(floor).map(|(mine, floor)| met(mine / floor)),
        }
    }

    /// A time beyond that of asking the mock itself, on one connection.
    fn added(
        &self,
        what: &str,
        target: &'static str,
        kind: &str,
        times: Times,
        met: impl Fn(f64, Option<f64>) -> Option<bool>,
    ) -> Row {
        let value = |it: &Of<'_>| {
            let through = it.best(kind, 1, |figure| times.of(figure))?;
            Some(through - self.direct.best(kind, 1, |figure| times.of(figure))?)
        };
        let floor = value(&self.floor);
        Row {
            what: what.to_owned(),
            target,
            floor: floor.map_or_else(none, micros),
            haproxy: value(&self.haproxy).map_or_else(none, micros),
            hanok: value(&self.hanok).map_or_else(none, micros),
            met: value(&self.hanok).and_then(|hanok| met(hanok, floor)),
        }
    }

    fn stalls(&self) -> Row {
        let streams = |it: &Of<'_>| it.once().and_then(|once| once.streams.clone());
        let shown = |it: &Of<'_>| {
            streams(it).map_or_else(none, |seen| {
                let first = seen.first.map_or(0.0, |spread| spread.max);
                format!(
                    "{}; first byte at most {:.1} ms, any piece {:.1} ms",
                    seen.stalls,
                    first / 1e3,
                    seen.longest / 1e3
                )
            })
        };
        Row {
            what: format!("waits of 40 ms or more in {} streams, 1 connection", self.hanok.results.streams),
            target: "0",
            floor: shown(&self.floor),
            haproxy: shown(&self.haproxy),
            hanok: shown(&self.hanok),
            met: streams(&self.hanok).map(|seen| seen.stalls == 0),
        }
    }

    /// How late chunks of paced streams come, beyond how late they come from the mock itself.
    fn late(&self) -> Row {
        let usual = self.hanok.results.usual_connections;
        let value = |it: &Of<'_>, of: fn(&Figure) -> Option<Spread>| {
            let p99 = |it: &Of<'_>| it.best("paced", usual, |figure| of(figure).map(|spread| spread.p99));
            Some(p99(it)? - p99(&self.direct)?)
        };
        let shown = |it: &Of<'_>| match (value(it, |figure| figure.late), value(it, |figure| figure.gap)) {
            (Some(late), Some(gap)) => format!("{} (gap {})", micros(late), micros(gap)),
            _ => none(),
        };
        Row {
            what: format!(
                "paced streams ({} ms), {usual} connections: added p99 per chunk",
                self.hanok.results.chunk_delay_ms
            ),
            target: "<= 1000 us",
            floor: shown(&self.floor),
            haproxy: shown(&self.haproxy),
            hanok: shown(&self.hanok),
            met: value(&self.hanok, |figure| figure.late).map(|late| late <= 1000.0),
        }
    }

    fn features(&self) -> Row {
        let usual = self.hanok.results.usual_connections;
        let bare = Of { results: self.hanok.results, target: "hanok, bare" };
        let share = self.hanok.cpu("json", usual).zip(bare.cpu("json", usual));
        let share = share.filter(|_| with_key(self.hanok.results));
        let share = share.map(|(full, bare)| (full / bare - 1.0, full, bare));
        Row {
            what: format!(
                "key and budget on against off (recording on), CPU per JSON request, {usual} connections"
            ),
            target: "<= +25%",
            floor: none(),
            haproxy: none(),
            hanok: share.map_or_else(none, |(more, full, bare)| {
                format!("{:+.0}% ({} and {})", more * 100.0, micros(full), micros(bare))
            }),
            met: share.map(|(more, ..)| more <= 0.25),
        }
    }

    fn memory(&self) -> [Row; 3] {
        let most =
            self.hanok.results.figures.iter().map(|figure| figure.connections).max().unwrap_or_default();
        let row = |what: String, target, limit: f64, value: &dyn Fn(&Of<'_>) -> Option<f64>| Row {
            what,
            target,
            floor: value(&self.floor).map_or_else(none, megabytes),
            haproxy: value(&self.haproxy).map_or_else(none, megabytes),
            hanok: value(&self.hanok).map_or_else(none, megabytes),
            met: value(&self.hanok).map(|bytes| bytes <= limit * 1e6),
        };
        #[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
        let float = |bytes: i64| bytes as f64;
        let idle = |it: &Of<'_>| it.once()?.idle.and_then(|bytes| i64::try_from(bytes).ok()).map(float);
        let growth = |it: &Of<'_>| it.once()?.growth.map(float);
        let busy = |it: &Of<'_>| {
            let figures = it.results.figures.iter();
            let mine = figures.filter(|figure| figure.target == it.target && figure.connections == most);
            let bytes = mine.filter_map(|figure| figure.resident).max();
            bytes.and_then(|bytes| i64::try_from(bytes).ok()).map(float)
        };
        [
            row("memory, idle".to_owned(), "<= 25 MB", 25.0, &idle),
            row(format!("memory at {most} connections"), "<= 60 MB", 60.0, &busy),
            row(
                format!("memory grown over {} requests", self.hanok.results.requests),
                "<= 2 MB",
                2.0,
                &growth,
            ),
        ]
    }

    fn start(&self) -> Row {
        let value = |it: &Of<'_>| it.once()?.start;
        let shown = |it: &Of<'_>| value(it).map_or_else(none, |seconds| format!("{seconds:.3} s"));
        Row {
            what: "start to first answer".to_owned(),
            target: "<= 0.05 s",
            floor: shown(&self.floor),
            haproxy: shown(&self.haproxy),
            hanok: shown(&self.hanok),
            met: value(&self.hanok).map(|seconds| seconds <= 0.05),
        }
    }
}

fn none() -> String {
    "-".to_owned()
}

fn micros(time: f64) -> String {
    format!("{time:.0} us")
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(target: &'static str, kind: &'static str, connections: usize, cpu: f64) -> Figure {
        let times = Spread { p50: cpu, p99: 2.0 * cpu, max: 3.0 * cpu };
        Figure {
            target,
            kind,
            connections,
            round: 0,
            requests: 10,
            per_second: 1e6 / cpu,
            cpu: Some(cpu),
            resident: Some(30_000_000),
            whole: Some(times),
            first: Some(times),
            late: Some(times),
            gap: Some(times),
            longest: cpu,
            stalls: 0,
        }
    }

    fn results(hanok: f64) -> Results {
        let cells = [("json", 1), ("json", 16), ("json", 64), ("stream", 1), ("stream", 16), ("paced", 16)];
        let targets = [("direct", 5.0), ("floor", 20.0), ("hanok", hanok), ("hanok, bare", hanok * 0.9)];
        let figures = targets.iter().flat_map(|(target, cpu)| {
            // Two rounds, of which the better one counts.
            cells.iter().flat_map(move |(kind, count)| {
                [figure(target, kind, *count, *cpu), figure(target, kind, *count, cpu * 9.0)]
            })
        });
        let figures: Vec<_> = figures.collect();
        let once = targets.iter().map(|(target, cpu)| Once {
            target,
            key: *target == "hanok",
            start: Some(cpu / 1e3),
            idle: Some(20_000_000),
            growth: Some(-5),
            streams: Some(figure(target, "stream", 1, *cpu)),
        });
        Results {
            processors: 2,
            load_before: None,
            secs: 1.0,
            rounds: 2,
            chunk_delay_ms: 5,
            requests: 10,
            streams: 10,
            usual_connections: 16,
            once: once.collect(),
            figures,
        }
    }

    #[test]
    fn what_is_met_and_what_is_missed() {
        let check = |hanok: f64, expect: &[(&str, bool)]| {
            let rows = rows(&results(hanok));
            for (what, met) in expect {
                let row = rows.iter().find(|row| row.what.starts_with(what)).unwrap();
                assert_eq!(row.met, Some(*met), "{row:?}");
            }
            rows
        };
        let rows = check(
            30.0,
            &[
                ("CPU per JSON request, 16", true),
                ("requests/s, 16", true),
                ("requests/s, 64", true),
                ("added p50", true),
                ("CPU per 50-chunk", false),
                ("waits", true),
                ("key and budget", true),
                ("memory, idle", true),
                ("memory grown", true),
                ("start", true),
            ],
        );
        assert_eq!(rows[0].hanok, "30 us (1.50x)");
        assert_eq!((rows[0].floor.as_str(), rows[0].haproxy.as_str()), ("20 us", "-"));
        check(
            90.0,
            &[
                ("CPU per JSON request, 16", false),
                ("requests/s, 64", false),
                ("added p50", false),
                ("added p99", false),
                ("start", false),
            ],
        );
    }

    #[test]
    fn without_a_key_the_table_says_so() {
        let mut results = results(30.0);
        results.once.iter_mut().for_each(|once| once.key = false);
        let rows = rows(&results);
        assert!(table(&results, &rows).contains("WITHOUT key"));
        assert!(rows.iter().any(|row| row.what.starts_with("key and budget") && row.met.is_none()));
    }
}
