//! Prometheus text (version 0.0.4), with OpenTelemetry's GenAI names where there is one.

use crate::door::Visitor;
use crate::{House, reply};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{Dialect, Timestamp};
use hanok_trace::Meter;
use http::StatusCode;
use std::fmt::Write as _;
use std::sync::Arc;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn metrics(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if let Err(problem) = visitor.must_be_admin() {
        return reply::problem(Dialect::OpenAiChat, &problem, None);
    }
    let mut out = String::with_capacity(8 << 10);
    calls(&house.traces.meters(), &mut out);
    targets(&house, &mut out);
    export(&house, &mut out);
    received(&house, &mut out);
    house_itself(&house, &mut out);
    reply::bytes(StatusCode::OK, CONTENT_TYPE, out)
}

/// What other programs sent.
fn received(house: &House, out: &mut String) {
    let counts = house.traces.received();
    let rows = [
        ("hanok_otlp_spans_total", "Spans of other programs that are on the disk.", counts.spans),
        (
            "hanok_otlp_rejected_spans_total",
            "Spans of other programs that could not be taken.",
            counts.rejected,
        ),
        (
            "hanok_otlp_ignored_log_records_total",
            "Log records that are no GenAI events.",
            counts.ignored_logs,
        ),
        ("hanok_otlp_ignored_metrics_total", "Metrics, which are not kept.", counts.ignored_metrics),
    ];
    for (name, help, count) in rows {
        let _infallible = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}\n");
    }
}

fn calls(meters: &[Meter], out: &mut String) {
    let mut family = |name: &str, kind: &str, help: &str, rows: &dyn Fn(&Meter, &mut String)| {
        let _infallible = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for meter in meters {
            rows(meter, out);
        }
    };
    family(
        "gen_ai_client_operation_duration_seconds",
        "histogram",
        "Time of a call at its provider.",
        &|meter, out| histogram("gen_ai_client_operation_duration_seconds", meter, &meter.duration, out),
    );
    family(
        "gen_ai_server_time_to_first_token_seconds",
        "histogram",
        "Time to the first token of a streamed answer.",
        &|meter, out| histogram("gen_ai_server_time_to_first_token_seconds", meter, &meter.first_token, out),
    );
    family("gen_ai_client_token_usage_total", "counter", "Tokens.", &|meter, out| {
        for (kind, tokens) in [("input", meter.input_tokens), ("output", meter.output_tokens)] {
            let labels = labels(meter, &[("gen_ai_token_type", kind)]);
            let _infallible = writeln!(out, "gen_ai_client_token_usage_total{{{labels}}} {tokens}");
        }
    });
    family(
        "hanok_cost_usd_total",
        "counter",
        "What calls cost, in US dollars; unpriced calls are not in it.",
        &|meter, out| {
            let labels = labels(meter, &[]);
            let _infallible = writeln!(out, "hanok_cost_usd_total{{{labels}}} {}", meter.cost.dollars());
        },
    );
    family("hanok_unpriced_calls_total", "counter", "Calls whose model has no price.", &|meter, out| {
        let labels = labels(meter, &[]);
        let _infallible = writeln!(out, "hanok_unpriced_calls_total{{{labels}}} {}", meter.unpriced);
    });
    family("hanok_errors_total", "counter", "Calls that failed at their provider.", &|meter, out| {
        let labels = labels(meter, &[]);
        let _infallible = writeln!(out, "hanok_errors_total{{{labels}}} {}", meter.errors);
    });
}

fn histogram(name: &str, meter: &Meter, histogram: &hanok_trace::Histogram, out: &mut String) {
    let mut sum = 0;
    for (bound, count) in histogram.buckets() {
        sum += count;
        let labels = labels(meter, &[("le", &bound.map_or("+Inf".to_owned(), |bound| bound.to_string()))]);
        let _infallible = writeln!(out, "{name}_bucket{{{labels}}} {sum}");
    }
    let labels = labels(meter, &[]);
    let _infallible = writeln!(out, "{name}_sum{{{labels}}} {}", histogram.sum_seconds());
    let _infallible = writeln!(out, "{name}_count{{{labels}}} {sum}");
}

fn labels(meter: &Meter, more: &[(&str, &str)]) -> String {
    let own = [
        ("gen_ai_operation_name", meter.operation.as_str()),
        ("gen_ai_provider_name", &meter.provider),
        ("gen_ai_request_model", &meter.model),
    ];
    let all = own.iter().chain(more).map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    all.collect::<Vec<_>>().join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn targets(house: &House, out: &mut String) {
    let routes = house.gateway.routes();
    let mut seen: Vec<String> = Vec::new();
    let mut rows = String::new();
    for (_, model) in routes.models() {
        for entry in &model.entries {
            let id = entry.target.id();
            if seen.contains(&id) {
                continue;
            }
            let health = entry.target.state.health();
            let up = u8::from(health.breaker == "closed");
            let name = escaped(&id);
            let _infallible = writeln!(rows, "hanok_target_up{{target=\"{name}\"}} {up}");
            seen.push(id);
        }
    }
    out.push_str(
        "# HELP hanok_target_up Whether a configured target takes calls.\n# TYPE hanok_target_up gauge\n",
    );
    out.push_str(&rows);
}

fn export(house: &House, out: &mut String) {
    let export = house.traces.export();
    let families = [
        ("hanok_export_traces_total", "Traces that a collector took.", export.sent()),
        ("hanok_export_left_out_total", "Traces that no collector will get.", export.left_out()),
        ("hanok_export_failures_total", "Requests to a collector that failed.", export.failures()),
    ];
    for (name, help, value) in families {
        let _infallible = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    }
}

fn house_itself(house: &House, out: &mut String) {
    let ok = u8::from(crate::api::store_trouble(house).is_none());
    let config = u8::from(house.config_problem.load().is_none());
    let now = Timestamp::now().seconds();
    let health = house.traces.store().health();
    let (lag, longest) = (health.lag.as_secs_f64(), health.longest_lag.as_secs_f64());
    let _infallible = write!(
        out,
        "# HELP hanok_store_up Whether the store can commit.\n# TYPE hanok_store_up gauge\nhanok_store_up {ok}\n\
         # HELP hanok_store_lag_seconds How long the oldest of what was committed last had waited.\n\
         # TYPE hanok_store_lag_seconds gauge\nhanok_store_lag_seconds {lag}\n\
         # HELP hanok_store_longest_lag_seconds The longest that anything waited for its commit since the start.\n\
         # TYPE hanok_store_longest_lag_seconds gauge\nhanok_store_longest_lag_seconds {longest}\n\
         # HELP hanok_config_current Whether the configuration on disk is the one that holds.\n\
         # TYPE hanok_config_current gauge\nhanok_config_current {config}\n\
         # HELP hanok_time_seconds The server's clock.\n# TYPE hanok_time_seconds gauge\nhanok_time_seconds {now}\n"
    );
}
