//! Judges, and what people say of outputs.

use super::Json;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `hanok judge`
#[derive(Debug, Subcommand)]
pub(crate) enum Judge {
    /// Hold a judge of an eval against people's labels: agreement, ceiling, baseline, which way it errs
    #[command(after_help = "Examples:\n  hanok judge check evals/support.toml --labels labels.csv\n  \
        hanok judge check support refund-correct --queue refunds --probe --experiment 12\n\n\
        What the judge said is kept: it is asked again only where it, or an item, is new.")]
    Check(JudgeCheck),
    /// Show a judge the same content in other ways: order, length, own family, re-runs, injected verdicts
    #[command(after_help = "Example:\n  hanok judge probe evals/support.toml --only order,injection")]
    Probe(JudgeProbe),
    /// List judges that were checked, each with its newest check
    #[command(after_help = "Example:\n  hanok judge ls --json")]
    Ls(Json),
    /// Show the newest check of a judge
    #[command(after_help = "Example:\n  hanok judge show refund-correct")]
    Show {
        /// The judge
        name: String,
        /// Items on which judge and people differ, at most
        #[arg(long, value_name = "N", default_value_t = 5)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Say what scoring of live traces by rule did
    #[command(after_help = "Example:\n  hanok judge report --days 7")]
    Report {
        /// How many days back
        #[arg(long, value_name = "N", default_value_t = 7)]
        days: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Keep what people say of outputs: queues of things to label
    #[command(subcommand)]
    Labels(JudgeLabels),
}

/// Which judge, and by whose labels.
#[derive(Debug, Args)]
pub(crate) struct WhichJudge {
    /// The eval's file, or its name in evals/
    pub(crate) file: PathBuf,
    /// The judge's name in it [default: the only one]
    pub(crate) judge: Option<String>,
    /// The queue with people's labels [default: of the judge's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Bring these labels into the queue first: .jsonl, .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Most questions at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) concurrency: usize,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok judge check`
#[derive(Debug, Args)]
pub(crate) struct JudgeCheck {
    #[command(flatten)]
    pub(crate) which: WhichJudge,
    /// Probe it, too
    #[arg(long)]
    pub(crate) probe: bool,
    /// Correct the judge's rate in this experiment; may be given again
    #[arg(long, value_name = "NUMBER")]
    pub(crate) experiment: Vec<i64>,
    /// Draws of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) rounds: usize,
}

/// `hanok judge probe`
#[derive(Debug, Args)]
pub(crate) struct JudgeProbe {
    #[command(flatten)]
    pub(crate) which: WhichJudge,
    /// Only these: order, rerun, length, own, injection
    #[arg(long, value_name = "KIND,KIND", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Most cases of each probe
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) cases: usize,
}

/// `hanok judge labels`
#[derive(Debug, Subcommand)]
pub(crate) enum JudgeLabels {
    /// List queues
    Ls(Json),
    /// Bring items and people's labels into a queue, which is made where it is not there
    #[command(after_help = "Examples:\n  hanok judge labels import refunds labels.csv\n  \
        hanok judge labels import tone labels.jsonl --levels rude,plain,kind\n\n\
        Columns: id, question, answer, and label with who, or label:NAME for each person; see docs/judges.md.")]
    Import {
        /// The queue
        queue: String,
        /// The file: .jsonl, .csv
        file: PathBuf,
        #[command(flatten)]
        made: QueueMade,
        #[command(flatten)]
        json: Json,
    },
    /// Put outputs into a queue, to be labelled
    #[command(after_help = "Examples:\n  hanok judge labels add refunds --experiment 12 --limit 100\n  \
        hanok judge labels add refunds --traces \"score:helpful=false since:7d\"")]
    Add {
        /// The queue
        queue: String,
        /// The results of this experiment
        #[arg(long, value_name = "NUMBER", required_unless_present = "traces")]
        experiment: Option<i64>,
        /// The traces that this filter finds
        #[arg(long, value_name = "FILTER", conflicts_with = "experiment")]
        traces: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 200)]
        limit: usize,
        #[command(flatten)]
        made: QueueMade,
        #[command(flatten)]
        json: Json,
    },
    /// Show the item that somebody should label next, without anybody else's label
    Next {
        /// The queue
        queue: String,
        /// Who labels
        #[arg(long, value_name = "NAME")]
        who: String,
        /// One on which people differ, with what they said, to be settled
        #[arg(long)]
        differing: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Label an item
    #[command(
        after_help = "Example:\n  hanok judge labels set 17 pass --who ann --comment \"says it in other words\""
    )]
    Set {
        /// The item's number, as `next` shows it
        item: i64,
        /// The label
        label: String,
        /// Who labels
        #[arg(long, value_name = "NAME")]
        who: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// Settle what others differ on
        #[arg(long)]
        settle: bool,
    },
    /// Write a queue's items with all labels, one JSON document a line
    Export {
        /// The queue
        queue: String,
        /// Into this file [default: stdout]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Forget a queue with its items and labels
    Rm {
        /// The queue
        queue: String,
    },
}

/// What a new queue is made with.
#[derive(Debug, Args)]
pub(crate) struct QueueMade {
    /// Labels, worst first [default: fail,pass]
    #[arg(long, value_name = "LABEL,LABEL", value_delimiter = ',', conflicts_with = "pairwise")]
    pub(crate) levels: Vec<String>,
    /// Of two answers, which is better: loss, tie, win
    #[arg(long)]
    pub(crate) pairwise: bool,
    /// How many people label each item, none seeing what another said
    #[arg(long, value_name = "N")]
    pub(crate) wanted: Option<u32>,
    /// What people are asked
    #[arg(long, value_name = "TEXT")]
    pub(crate) instructions: Option<String>,
}
