//! The command line. Doc comments here are what `--help` says.

#![expect(clippy::doc_markdown, reason = "help texts are read in a terminal")]

use crate::config::{Dollars, LogFormat, Overrides, Period, Seconds};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The AI engineering stack in one binary: gateway, records, retrieval and their web UI.
#[derive(Debug, Parser)]
#[command(name = "hanok", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Example:\n  hanok up docs        serve, with the folder docs to answer from")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Data folder [default: .hanok] [env: HANOK_DATA]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file [default: hanok.toml if present] [env: HANOK_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Log level: error, warn, info, debug, trace, or a filter such as hanok_gateway=debug [env: HANOK_LOG]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Global options")]
    pub(crate) log: Option<String>,
    /// Log format [env: HANOK_LOG_FORMAT]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = "Global options")]
    pub(crate) log_format: Option<LogFormat>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve: the gateway, answers from documents, records and the web UI
    #[command(after_help = "Examples:\n  hanok up docs\n  hanok up ~/notes README.md --bind 127.0.0.1:8080")]
    Up(Up),
    /// Write a commented hanok.toml to start from
    #[command(after_help = "Example:\n  hanok init && hanok up")]
    Init(Init),
    /// Bring a collection up to date with its folders, without serving
    #[command(after_help = "Examples:\n  hanok index\n  hanok index docs --collection handbook --json")]
    Index(Index),
    /// Search a collection
    #[command(after_help = "Example:\n  hanok search \"how are answers cited\" --top-k 5")]
    Search(Search),
    /// Ask a question of the documents, or of any model
    #[command(after_help = "Examples:\n  hanok ask \"where are traces kept?\"\n  \
        hanok ask \"summarise the handbook\" --model hanok/ask@default:openai/gpt-5-mini")]
    Ask(Ask),
    /// Talk with a model, line by line
    #[command(after_help = "Example:\n  hanok chat --model fast")]
    Chat(Chat),
    /// Look at recorded calls
    #[command(subcommand)]
    Trace(Trace),
    /// Look at prompts, label their versions and try them
    #[command(subcommand)]
    Prompt(Prompt),
    /// Make, list and revoke keys for clients
    #[command(subcommand)]
    Keys(Keys),
    /// Say who removed which traces, and when
    #[command(after_help = "Example:\n  hanok audit --limit 20")]
    Audit {
        /// How many lines
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Copy, put back, check or measure the file of the data folder
    #[command(subcommand)]
    Db(Db),
    /// Say what is configured, what answers, what is missing and what to do
    #[command(after_help = "Example:\n  hanok doctor")]
    Doctor(Json),
    /// Check, describe or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run evals, and look at what came of them
    #[command(subcommand)]
    Eval(Eval),
    /// Keep, split, check and export the rows that evals run over
    #[command(subcommand)]
    Dataset(Dataset),
    /// Check judges against people, probe them, and keep people's labels
    #[command(subcommand)]
    Judge(Judge),
    /// Parse documents that come on standard input: the child of a server or an index, limited by itself
    #[command(hide = true)]
    ParseDocuments,
    /// Get a model that runs in this process: an embedder or a cross-encoder
    #[command(
        after_help = "Examples:\n  hanok pull all-minilm-l6-v2\n  hanok pull BAAI/bge-small-en-v1.5\n  \
        hanok pull ./my-model --name mine\n\nFrom the Hugging Face hub, or where HF_ENDPOINT says; HF_TOKEN is shown to it."
    )]
    Pull(Pull),
    /// List the models that were pulled
    #[command(after_help = "Example:\n  hanok list --json")]
    List(Json),
    /// Remove a model that was pulled
    #[command(after_help = "Example:\n  hanok rm all-minilm-l6-v2")]
    Rm {
        /// Its name, as `hanok list` has it
        name: String,
    },
    /// Try changes to how a collection is searched, and adopt what is proved to be better
    #[command(after_help = "Example:\n  hanok tune handbook --queries questions.jsonl\n\n\
        Each line of the file: {\"query\": \"...\", \"relevant\": [\"path of a document\"]}")]
    Tune(Tune),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  hanok completions bash > ~/.local/share/bash-completion/completions/hanok"
    )]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// `hanok up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Folders, files, git+FOLDER (tracked files only) and URLs to answer from, as the collection `default`
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Do not follow changes of files while serving
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// Address and port [default: 127.0.0.1:4141] [env: HANOK_BIND]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) bind: Option<String>,
    /// Take OpenTelemetry's spans on a second address, too [default: 127.0.0.1:4318] [env: HANOK_OTLP]
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:4318")]
    pub(crate) otlp: Option<String>,
}

/// `hanok init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Overwrite a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `--json`
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Print exactly one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// `hanok index`
#[derive(Debug, Args)]
pub(crate) struct Index {
    /// Folders, files, git+FOLDER (tracked files only) and URLs; the configured ones when none is given
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The collection; all configured ones when neither this nor a path is given
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// Remove this document, or all below this folder, from the collection; its file stays. May be given again
    #[arg(long, value_name = "SOURCE", conflicts_with = "paths")]
    pub(crate) remove: Vec<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok search`
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to search for
    pub(crate) query: String,
    /// Where [default: the collection `default`, or the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// How many hits at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top_k: usize,
    /// Only documents such as: team:legal year>2020 format:pdf path:docs/** -status:draft
    #[arg(long, value_name = "FILTER", default_value = "", allow_hyphen_values = true)]
    pub(crate) filter: String,
    /// Only documents that this reader, or everybody, may find; may be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) reader: Vec<String>,
    /// Which legs [default: those the collection is set up with]
    #[arg(long, value_enum, value_name = "LEGS")]
    pub(crate) legs: Option<crate::config::Legs>,
    /// Say why each hit has its rank
    #[arg(long)]
    pub(crate) why: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok ask`
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The question
    pub(crate) question: String,
    /// The model: hanok/extract[@COLLECTION], hanok/ask[@COLLECTION[:TARGET]], an alias, or provider/model
    #[arg(long, value_name = "MODEL", default_value = "hanok/extract")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok pull`
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// A known name, OWNER/REPOSITORY on the hub, or a folder with config.json, tokenizer.json and model.safetensors
    #[arg(required_unless_present = "known")]
    pub(crate) model: Option<String>,
    /// The name it gets here [default: the last part of its own]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only say which names are known
    #[arg(long)]
    pub(crate) known: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok chat`
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The model
    #[arg(long, value_name = "MODEL", default_value = "hanok/extract")]
    pub(crate) model: String,
    /// Instructions to begin with
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
}

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

/// `hanok db`
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Copy the file, while a server runs or not
    #[command(after_help = "Example:\n  hanok db backup ~/backups/hanok-2026-11-20.db")]
    Backup {
        /// Where to; nothing may be there
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Put a copy in place of the file, after checking it; no server may run
    #[command(after_help = "Example:\n  hanok db restore ~/backups/hanok-2026-11-20.db")]
    Restore {
        /// The copy
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Check that the file is whole; exit 1 where it is not
    #[command(after_help = "Example:\n  hanok db check --json")]
    Check {
        #[command(flatten)]
        json: Json,
    },
    /// Say how large the file is, and what in it is
    Size {
        #[command(flatten)]
        json: Json,
    },
}

/// `hanok prompt`
#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    /// List the prompts of the folder prompts, with their labels
    #[command(after_help = "Example:\n  hanok prompt ls --json")]
    Ls(Json),
    /// Show a prompt: its variables, versions and text
    #[command(after_help = "Examples:\n  hanok prompt show greet\n  hanok prompt show greet@production")]
    Show {
        /// NAME, NAME@LABEL or NAME@VERSION
        prompt: String,
        #[command(flatten)]
        json: Json,
    },
    /// Say what differs between two versions, in text and in configuration
    #[command(after_help = "Examples:\n  hanok prompt diff greet production\n  \
        hanok prompt diff greet 1a2b3c4d5e production --json")]
    Diff {
        /// The prompt
        name: String,
        /// A label or version
        from: String,
        /// Another one [default: the file as it is]
        to: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Fill a prompt in, and show what a model would be asked
    #[command(after_help = "Examples:\n  hanok prompt render greet --var name=Ann\n  \
        hanok prompt render greet@production --vars ann.json --json")]
    Render {
        /// NAME, NAME@LABEL or NAME@VERSION
        prompt: String,
        #[command(flatten)]
        filling: PromptFilling,
        #[command(flatten)]
        json: Json,
    },
    /// Move a label to a version: forward, or back
    #[command(after_help = "Examples:\n  hanok prompt label greet production --to latest\n  \
        hanok prompt label greet production --to 1a2b3c4d5e     roll back\n  \
        hanok prompt label greet staging --remove")]
    Label(PromptLabel),
    /// Try a prompt on variables, or on every row of a file, and show the answers
    #[command(after_help = "Examples:\n  hanok prompt test greet --var name=Ann\n  \
        hanok prompt test classify@staging --dataset tickets.jsonl --model fast --model openai/gpt-5 --limit 10\n\n\
        Each line of the file: {\"name\": \"Ann\"}, or a dataset's row {\"input\": {\"name\": \"Ann\"}}. \
        Exit 1 where an answer does not come or does not fit the prompt's schema.")]
    Test(PromptTest),
}

/// The variables of a prompt
#[derive(Debug, Args)]
pub(crate) struct PromptFilling {
    /// A variable; where the prompt's schema wants no text, the value is read as JSON; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) var: Vec<String>,
    /// A file with an object of variables, JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) vars: Option<PathBuf>,
}

/// `hanok prompt label`
#[derive(Debug, Args)]
pub(crate) struct PromptLabel {
    /// The prompt
    pub(crate) name: String,
    /// The label: production, staging, or any other but latest, which is the file
    pub(crate) label: String,
    /// A version (its first digits), or another label: latest
    #[arg(long, value_name = "VERSION", required_unless_present = "remove")]
    pub(crate) to: Option<String>,
    /// Remove the label
    #[arg(long, conflicts_with = "to")]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok prompt test`
#[derive(Debug, Args)]
pub(crate) struct PromptTest {
    /// NAME, NAME@LABEL or NAME@VERSION
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) filling: PromptFilling,
    /// A file of rows, JSON lines; each is tried, with the variables given otherwise beneath
    #[arg(long, value_name = "FILE")]
    pub(crate) dataset: Option<PathBuf>,
    /// The model [default: the prompt's own]; may be given again
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Vec<String>,
    /// How many rows at most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok keys`
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; it is shown once
    #[command(after_help = "Examples:\n  hanok keys create alice\n  \
        hanok keys create ci --project web --models 'fast,openai/*' --budget 5 --period day --expires 30d")]
    Create(NewKey),
    /// List keys with what they used
    #[command(after_help = "Example:\n  hanok keys ls --json")]
    Ls(Json),
    /// Revoke a key: it stops working at once
    #[command(after_help = "Example:\n  hanok keys revoke alice")]
    Revoke {
        /// Its id, or its name where only one has it
        key: String,
        #[command(flatten)]
        json: Json,
    },
    /// Give back what a crash left counted as spent, though no record says so
    #[command(after_help = "Example:\n  hanok keys reconcile alice")]
    Reconcile {
        /// Its id, or its name where only one has it
        key: String,
        #[command(flatten)]
        json: Json,
    },
}

/// `hanok keys create`
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// Its name, as traces show it
    pub(crate) name: String,
    /// The project its calls belong to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) project: String,
    /// Models it may call, `*` stands for any text [default: all]
    #[arg(long, value_name = "MODEL,MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Money it may spend in each period, in US dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) budget: Option<Dollars>,
    /// The budget's period, in UTC
    #[arg(long, value_enum, value_name = "PERIOD", default_value = "month")]
    pub(crate) period: Period,
    /// Most requests a minute
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u64>,
    /// Most tokens a minute, of prompts and answers
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_minute: Option<u64>,
    /// Most calls at once
    #[arg(long, value_name = "N")]
    pub(crate) concurrent: Option<u64>,
    /// Most tokens of one answer
    #[arg(long, value_name = "N")]
    pub(crate) max_output_tokens: Option<u64>,
    /// When it stops working, from now: 12h, 30d [default: never]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<Seconds>,
    /// May see every project, and make and revoke keys
    #[arg(long)]
    pub(crate) admin: bool,
    /// Whether what is said in its calls is kept in the records [default: as the project has it]
    #[arg(long, value_name = "CHOICE", value_parser = ["on", "errors", "off"])]
    pub(crate) payloads: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the file; exit 1 with line, key and the likely spelling when it is wrong
    Check(Json),
    /// Print the file's JSON Schema
    Schema,
    /// Print what holds
    Show {
        /// Say who set each value
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        json: Json,
    },
}

/// `hanok tune`
#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// The collection
    pub(crate) collection: String,
    /// A file of questions with the documents that answer them, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: PathBuf,
    /// A reranker to try: a pulled cross-encoder or a folder with one, provider/model, or chat:MODEL
    #[arg(long, value_name = "MODEL")]
    pub(crate) reranker: Option<String>,
    /// What to try, of: chunker, size, tokenizer, fusion, legs, rerank [default: all]. Other chunkers and sizes embed
    /// texts anew
    #[arg(long = "try", value_name = "WHAT,WHAT", value_delimiter = ',',
        value_parser = ["chunker", "size", "tokenizer", "fusion", "legs", "rerank"])]
    pub(crate) kinds: Vec<String>,
    /// Only say what is proved; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

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

/// `hanok eval`
#[derive(Debug, Subcommand)]
pub(crate) enum Eval {
    /// nDCG, recall, MRR, MAP and speed of search, on a folder with judgements or on questions that a model makes up
    #[command(after_help = "Examples:\n  hanok eval retrieval ./scifact --json\n  \
        hanok eval retrieval ./scifact --embedder ./all-minilm-l6-v2 --legs dense\n  \
        hanok eval retrieval ./scifact --query multi --model openai/gpt-5-mini\n  \
        hanok eval retrieval docs --model openai/gpt-5-mini --save questions")]
    Retrieval(Box<EvalRetrieval>),
    /// Run an eval: its rows through its task and scorers; exit 100 where its gate fails
    #[command(after_help = "Examples:\n  hanok eval run evals/search.toml --limit 20\n  \
        hanok eval run search --repeat 5 --budget 2.50 --report junit=eval.xml --report markdown=eval.md\n\n\
        A run that was stopped or killed goes on where it was, and pays for nothing again.")]
    Run(EvalRun),
    /// List experiments, newest first
    #[command(after_help = "Example:\n  hanok eval ls search")]
    Ls {
        /// Only those of this eval
        #[arg(default_value = "")]
        name: String,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Show an experiment: its numbers, and its results
    #[command(after_help = "Examples:\n  hanok eval show 12\n  hanok eval show 12 --results --low correct")]
    Show(EvalShow),
    /// Compare two experiments row by row: the first is the baseline
    #[command(after_help = "Example:\n  hanok eval compare 11 12")]
    Compare {
        /// The baseline
        first: i64,
        /// What is compared with it
        second: i64,
        /// Confidence of intervals
        #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
        confidence: f64,
        #[command(flatten)]
        json: Json,
    },
    /// Show what two experiments made of the same rows, regressions first
    #[command(after_help = "Example:\n  hanok eval diff 11 12 --score correct")]
    Diff {
        /// The baseline
        first: i64,
        /// What is compared with it
        second: i64,
        /// By which score [default: the first that both have]
        #[arg(long, value_name = "NAME")]
        score: Option<String>,
        /// How many rows
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Forget an experiment with its results
    #[command(after_help = "Example:\n  hanok eval rm 12")]
    Rm {
        /// Its number
        experiment: i64,
    },
    /// Make an eval of a promptfoo or OpenAI file
    #[command(after_help = "Examples:\n  hanok eval import promptfooconfig.yaml -o evals/search.toml\n  \
        hanok eval import samples.jsonl -o evals/match.toml --model openai/gpt-5-mini")]
    Import(EvalImport),
    /// Write an eval as promptfoo or OpenAI have it
    #[command(after_help = "Example:\n  hanok eval export evals/search.toml -o promptfooconfig.yaml")]
    Export {
        /// The eval's file
        file: PathBuf,
        /// Where to: .yaml for promptfoo, .jsonl for OpenAI's samples
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// `hanok eval retrieval`
#[derive(Debug, Args)]
pub(crate) struct EvalRetrieval {
    /// A folder with corpus.jsonl, queries.jsonl and qrels.tsv or qrels/test.tsv; or a corpus.jsonl alone, or documents,
    /// about which --model makes questions
    pub(crate) dir: PathBuf,
    /// Whose judgements: qrels/SPLIT.tsv [default: qrels.tsv, qrels/test.tsv or the only one there is]
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<String>,
    /// Which legs [default: all there are]
    #[arg(long, value_enum, value_name = "LEGS")]
    pub(crate) legs: Option<crate::config::Legs>,
    /// A folder with a model that makes vectors [default: the first pulled one]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) embedder: Option<PathBuf>,
    /// Fuse by ranks instead of scores
    #[arg(long)]
    pub(crate) rrf: bool,
    /// What a model does with each question before it is searched for: rewrite, multi, hyde, decompose
    #[arg(long, value_name = "STEP,STEP", value_delimiter = ',', requires = "model",
        value_parser = ["rewrite", "multi", "hyde", "decompose"])]
    pub(crate) query: Vec<String>,
    /// The chat model for that, and for making questions: an alias or provider/model
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// How many questions are made of a folder without judgements
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) questions: usize,
    /// Which chunks they are about follows from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where they are kept, so that they are made once; a run that was stopped goes on from there
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save: Option<PathBuf>,
    /// Each query, too
    #[arg(long)]
    pub(crate) per_query: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok eval run`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct EvalRun {
    /// The eval's file, or the name of one in the folder evals
    pub(crate) file: PathBuf,
    /// Only the first so many rows
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// How often each row, in place of what the file says
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    /// Most money, in US dollars: nothing begins that could pass it
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) budget: Option<Dollars>,
    /// Most calls at once, in place of what the file says
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// Compare with: last, none, or an experiment's number [default: as the gate says]
    #[arg(long, value_name = "WHICH")]
    pub(crate) baseline: Option<String>,
    /// Begin anew where an earlier run was stopped
    #[arg(long, conflicts_with = "resume")]
    pub(crate) fresh: bool,
    /// Only go on with a run that was stopped; an error where there is none
    #[arg(long)]
    pub(crate) resume: bool,
    /// Take no answer that another experiment has
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Write a report: junit=FILE, markdown=FILE or json=FILE; may be given again
    #[arg(long, value_name = "KIND=FILE")]
    pub(crate) report: Vec<String>,
    /// Only say what would be run, and what so many rows can show
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok eval show`
#[derive(Debug, Args)]
pub(crate) struct EvalShow {
    /// Its number
    pub(crate) experiment: i64,
    /// Its results, too
    #[arg(long)]
    pub(crate) results: bool,
    /// Only results without an output
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only results where this score is no, or less than half
    #[arg(long, value_name = "SCORE")]
    pub(crate) low: Option<String>,
    /// Only results where this score has no value
    #[arg(long, value_name = "SCORE")]
    pub(crate) uncovered: Option<String>,
    /// Only results that hold this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
    /// How many results
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok eval import`
#[derive(Debug, Args)]
pub(crate) struct EvalImport {
    /// promptfoo's YAML, or OpenAI's samples in JSON Lines
    pub(crate) file: PathBuf,
    /// The eval to write, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The model that is asked, in place of the file's
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The model that judges where the file names none of ours; the one that is asked where this is not given
    #[arg(long, value_name = "MODEL")]
    pub(crate) judge: Option<String>,
    /// An eval of every pair of a prompt and a provider: NAME-p1-m1.toml, NAME-p1-m2.toml, …
    #[arg(long, conflicts_with_all = ["prompt", "provider"])]
    pub(crate) all: bool,
    /// Of several prompts, this one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) prompt: usize,
    /// Of several providers, this one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) provider: usize,
}

/// `hanok dataset`
#[derive(Debug, Subcommand)]
pub(crate) enum Dataset {
    /// List datasets
    Ls(Json),
    /// Show a dataset: its versions, and its first rows
    #[command(after_help = "Example:\n  hanok dataset show support --limit 5")]
    Show {
        /// Its name
        name: String,
        /// The version, by the beginning of its hash [default: the newest]
        #[arg(long, value_name = "VERSION", default_value = "")]
        at: String,
        /// How many rows
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Keep rows of a file, of recorded traces or of an annotation queue as a dataset's newest version
    #[command(after_help = "Examples:\n  hanok dataset add support --file rows.csv --expected answer\n  \
        hanok dataset add disliked --traces \"score.helpful:<1 since:7d\"\n  hanok dataset add golden --queue support")]
    Add(DatasetAdd),
    /// Put rows into splits that stay when rows are added: a new version
    #[command(after_help = "Example:\n  hanok dataset split support --into train=0.8,test=0.2")]
    Split {
        /// Its name
        name: String,
        /// Splits and their shares
        #[arg(long, value_name = "NAME=SHARE,NAME=SHARE", default_value = "train=0.8,test=0.2")]
        into: String,
        /// Another seed is another split
        #[arg(long, value_name = "N", default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Find rows that are alike, also over splits; exit 1 where a split knows another
    #[command(after_help = "Example:\n  hanok dataset check support")]
    Check {
        /// Its name, or a file of rows
        name: String,
        /// The version, by the beginning of its hash [default: the newest]
        #[arg(long, value_name = "VERSION", default_value = "")]
        at: String,
        #[command(flatten)]
        json: Json,
    },
    /// Write a dataset's rows into a file
    #[command(after_help = "Example:\n  hanok dataset export support -o support.csv --format csv")]
    Export {
        /// Its name
        name: String,
        /// The version, by the beginning of its hash [default: the newest]
        #[arg(long, value_name = "VERSION", default_value = "")]
        at: String,
        /// Only rows of this split
        #[arg(long, value_name = "NAME")]
        split: Option<String>,
        /// jsonl, csv or openai
        #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
        format: String,
        /// Into this file, which must not be there yet [default: stdout]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Forget a dataset with its versions
    Rm {
        /// Its name
        name: String,
    },
}

/// `hanok dataset add`
#[derive(Debug, Args)]
#[group(id = "from", required = true, multiple = false, args = ["file", "traces", "queue"])]
pub(crate) struct DatasetAdd {
    /// Its name
    pub(crate) name: String,
    /// A file of rows: .jsonl, .csv, .tsv, .json, .yaml or .toml
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Traces that this filter finds
    #[arg(long, value_name = "FILTER")]
    pub(crate) traces: Option<String>,
    /// What people have labelled in this annotation queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Of traces, what was answered is what would be right
    #[arg(long, requires = "traces")]
    pub(crate) answers_are_right: bool,
    /// Traces at most
    #[arg(long, value_name = "N", default_value_t = hanok_eval::dataset::from_traces::MOST)]
    pub(crate) limit: usize,
    /// Columns that are the input
    #[arg(long, value_name = "COLUMN,COLUMN", value_delimiter = ',')]
    pub(crate) input: Vec<String>,
    /// The column that says what would be right
    #[arg(long, value_name = "COLUMN")]
    pub(crate) expected: Option<String>,
    /// The column that tells rows apart
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,
    /// The column that says what a row belongs to
    #[arg(long, value_name = "COLUMN")]
    pub(crate) cluster: Option<String>,
    /// Add to the rows of the newest version, instead of taking their place
    #[arg(long)]
    pub(crate) append: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

impl Cli {
    /// What the flags say about the configuration.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            config: self.global.config.clone(),
            data: self.global.data.clone(),
            bind: if let Command::Up(up) = &self.command { up.bind.clone() } else { None },
            otlp: if let Command::Up(up) = &self.command { up.otlp.clone() } else { None },
            log: self.global.log.clone(),
            log_format: self.global.log_format,
        }
    }
}
