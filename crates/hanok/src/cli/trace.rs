//! Recorded calls.

use super::Json;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `hanok trace`
#[derive(Debug, Subcommand)]
pub(crate) enum Trace {
    /// List traces, newest first
    #[command(after_help = "Example:\n  hanok trace ls --filter \"status:error since:1d\"")]
    Ls {
        #[command(flatten)]
        page: TracePage,
        #[command(flatten)]
        json: Json,
    },
    /// List sessions of which some trace passes the filter, the one with the newest trace first
    #[command(after_help = "Example:\n  hanok trace sessions --filter \"user:alice since:7d\"")]
    Sessions {
        #[command(flatten)]
        page: TracePage,
        #[command(flatten)]
        json: Json,
    },
    /// Say what you think of a trace, a span or a session
    #[command(after_help = "Examples:\n  \
        hanok trace score 4bf92f3577b34da6a3ce929d0e0e4736 helpful true\n  \
        hanok trace score 4bf92f3577b34da6a3ce929d0e0e4736 quality 0.8 --comment \"too long\"\n  \
        hanok trace score support-17 mood angry --session")]
    Score(TraceScore),
    /// Show one trace as a tree
    #[command(after_help = "Example:\n  hanok trace show 4bf92f3577b34da6a3ce929d0e0e4736")]
    Show {
        /// The trace's id (32 hex digits), as `ls` and `x-hanok-trace-id` give it
        id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Write traces with everything in them, one JSON document a line, newest first
    #[command(
        after_help = "Example:\n  hanok trace export --filter \"since:7d status:error\" -o failed.jsonl"
    )]
    Export(TraceExport),
    /// Sum up calls: tokens, cost, errors, how long they took
    #[command(after_help = "Examples:\n  hanok trace stats --by model --since 7d\n  \
        hanok trace stats --by user,model --rank cost --filter status:ok --json")]
    Stats(TraceStats),
    /// Delete traces for good: of a user, a session, a source, or those a filter finds
    #[command(after_help = "Examples:\n  hanok trace rm --user alice --dry-run\n  \
        hanok trace rm --filter 'project:test until:30d' --yes")]
    Rm(Rm),
}

/// Which part of a list
#[derive(Debug, Args)]
pub(crate) struct TracePage {
    /// Such as: model:gpt* user:alice cost>0.01 latency>2s -status:error since:7d refund
    #[arg(long, value_name = "FILTER", default_value = "", allow_hyphen_values = true)]
    pub(crate) filter: String,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Where the last page ended (`next`)
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

/// `hanok trace score`
#[derive(Debug, Args)]
pub(crate) struct TraceScore {
    /// The trace's id, or with --session the session's
    pub(crate) target: String,
    /// What is judged: quality, helpful
    pub(crate) name: String,
    /// A number, true, false, or a label
    #[arg(allow_negative_numbers = true)]
    pub(crate) value: String,
    /// It is about a session
    #[arg(long)]
    pub(crate) session: bool,
    /// It is about this span of the trace
    #[arg(long, value_name = "SPAN", conflicts_with = "session")]
    pub(crate) span: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Another score of this id is overwritten
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok trace stats`
#[derive(Debug, Args)]
pub(crate) struct TraceStats {
    /// Group by one or two of: model, provider, key, user, prompt, tag, source, project, session, status, error
    #[arg(long, value_name = "WHAT,WHAT", default_value = "")]
    pub(crate) by: String,
    /// Such as: model:gpt* status:ok until:2026-11-01
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub(crate) filter: String,
    /// Begun at most so long ago, or since that day: 12h, 7d, 2026-11-01
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// The greatest first by: calls, cost, tokens, errors
    #[arg(long, value_name = "WHAT", default_value = "calls")]
    pub(crate) rank: String,
    /// How many groups
    #[arg(long, value_name = "N", default_value_t = hanok_trace::stats::GROUPS)]
    pub(crate) limit: usize,
    /// Stretches of time at most, in the JSON
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) buckets: usize,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok trace export`
#[derive(Debug, Args)]
pub(crate) struct TraceExport {
    /// Such as: model:gpt* status:error since:7d refund
    #[arg(long, value_name = "FILTER", default_value = "")]
    pub(crate) filter: String,
    /// Into this file, which must not be there yet [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Leave out messages and other large values
    #[arg(long)]
    pub(crate) no_content: bool,
}

/// `hanok trace rm`
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["user", "session", "source", "filter"])]
pub(crate) struct Rm {
    /// All traces of this user
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// All traces of this session
    #[arg(long, value_name = "NAME")]
    pub(crate) session: Option<String>,
    /// All traces that came from this source
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// All traces that this filter finds
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Delete the kept responses of the keys that only these traces came with, too
    #[arg(long)]
    pub(crate) responses: bool,
    /// Only say how many
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
