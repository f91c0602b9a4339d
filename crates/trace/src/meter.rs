//! Running sums of calls at providers since the start, by model: what a monitoring system scrapes.

use hanok_base::{NanoDollars, Operation};
use hanok_store::SpanRow;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Bounds of the histograms in seconds: those OpenTelemetry's GenAI conventions advise for durations.
const BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Models beyond this are counted together: clients can make names up.
const MOST: usize = 1_000;

/// Counts of times between bounds.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum_ns: u64,
}

impl Histogram {
    fn add(&mut self, nanoseconds: i64) {
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "hours are exact enough")]
        let seconds = nanoseconds as f64 / 1e9;
        let at = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum_ns = self.sum_ns.saturating_add(nanoseconds);
    }

    /// Each upper bound (`None` for the last, which has none) with the count between it and the one before.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<f64>, u64)> + '_ {
        let bounds = BOUNDS.iter().map(|bound| Some(*bound)).chain([None]);
        bounds.zip(self.counts.iter().copied())
    }

    /// All times together, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "exact below 104 days")]
    pub fn sum_seconds(&self) -> f64 {
        self.sum_ns as f64 / 1e9
    }
}

/// The sums of one model at one provider.
#[derive(Clone, Debug)]
pub struct Meter {
    /// What was done.
    pub operation: Operation,
    /// Whose model.
    pub provider: String,
    /// Which.
    pub model: String,
    /// How long calls took.
    pub duration: Histogram,
    /// How long the first token took, of streams.
    pub first_token: Histogram,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What priced calls cost.
    pub cost: NanoDollars,
    /// Calls without a price.
    pub unpriced: u64,
    /// Calls that failed.
    pub errors: u64,
}

#[derive(Default)]
pub(crate) struct Meters(Mutex<All>);

#[derive(Default)]
struct All {
    /// By operation, provider and model, a line each.
    meters: HashMap<String, Meter, foldhash::fast::RandomState>,
    key: String,
}

impl Meters {
    /// Adds the calls among some rows.
    pub(crate) fn count(&self, rows: &[SpanRow]) {
        for row in rows.iter().filter(|row| row.counted) {
            self.0.lock().count(row);
        }
    }

    /// All sums, in a stable order.
    pub(crate) fn read(&self) -> Vec<Meter> {
        let mut meters: Vec<Meter> = self.0.lock().meters.values().cloned().collect();
        meters.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        meters
    }
}

impl All {
    fn count(&mut self, row: &SpanRow) {
        let named = |name: &Option<String>| name.as_deref().unwrap_or_default().to_owned();
        let keys = [row.operation.as_ref(), "\n", row.provider.as_deref().unwrap_or_default(), "\n"];
        self.key.clear();
        keys.into_iter().chain(row.model.as_deref()).for_each(|key| self.key.push_str(key));
        if let Some(meter) = self.meters.get_mut(&self.key) {
            return meter.add(row);
        }
        let Some(operation) = Operation::parse(&row.operation) else { return };
        let (provider, model) = if self.meters.len() < MOST {
            (named(&row.provider), named(&row.model))
        } else {
            self.key = format!("{}\nother\nother", row.operation);
            ("other".to_owned(), "other".to_owned())
        };
        let meter = self.meters.entry(self.key.clone()).or_insert_with(|| Meter {
            operation,
            provider,
            model,
            duration: Histogram::default(),
            first_token: Histogram::default(),
            input_tokens: 0,
            output_tokens: 0,
            cost: NanoDollars::default(),
            unpriced: 0,
            errors: 0,
        });
        meter.add(row);
    }
}

impl Meter {
    fn add(&mut self, row: &SpanRow) {
        self.duration.add(row.duration_ns);
        if let Some(first) = row.ttft_ns {
            self.first_token.add(first);
        }
        self.input_tokens += row.usage.input.unwrap_or(0);
        self.output_tokens += row.usage.output.unwrap_or(0);
        let failed = matches!(row.status, hanok_base::SpanStatus::Error(_));
        match row.cost {
            Some(cost) => self.cost.0 = self.cost.0.saturating_add(cost.0),
            None if failed => {}
            None => self.unpriced += 1,
        }
        self.errors += u64::from(failed);
    }
}
