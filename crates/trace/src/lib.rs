//! Traces as people meet them: spans recorded, priced, listed and filtered.
//!
//! Deliberately not here: SQL (the store's), the JSON of any dialect (`hanok-wire`'s), and pages.
//!
//! Reading order: [`attribute`] (names), [`message`] (messages as OpenTelemetry writes them), `forms` (those
//! that come again), `preview`, `exchange` (bytes of a call to messages and usage), [`estimate`] (tokens nobody counted), [`price`], `price_list`
//! (which price is whose), `prices` (the list itself), `batch` (spans to rows), [`govern`] (what of them is kept),
//! [`recorder`], [`filter`], [`otlp`] (what other programs send), `convention` (what it means), [`receive`] (taking
//! it in), [`view`] (what readers get), [`read`], [`text`] (words of messages), [`session`], [`score`], [`stats`]
//! (sums over calls), [`removing`] (traces that go), [`pulse`] (the last minute), [`meter`] (sums since the start),
//! [`export`] (out to a collector).

pub mod attribute;
mod batch;
mod convention;
pub mod estimate;
mod exchange;
pub mod export;
pub mod filter;
mod forms;
pub mod govern;
mod labels;
pub mod message;
pub mod meter;
pub mod otlp;
mod preview;
pub mod price;
mod price_list;
mod prices;
pub mod pulse;
pub mod read;
pub mod receive;
pub mod recorder;
pub mod removing;
pub mod score;
pub mod session;
pub mod stats;
pub mod text;
pub mod view;

pub use filter::{Criterion, FilterError, FilterTerm, Label, TraceFilter, parse_filter};
pub use govern::{Keep, Policies, Policy, Sampling};
pub use meter::{Histogram, Meter};
pub use price::{Price, ServiceTier};
pub use price_list::Prices;
pub use pulse::{PulseView, Tick};
pub use read::{Live, TraceError};
pub use receive::{Parcel, Receipt, ReceiveError, ReceivedCounts};
pub use recorder::TraceStore;
pub use removing::Retention;
pub use score::{NewScore, SavedFilter, ScoreError, ScoreFilter, ScorePage, ScoreView};
pub use session::{SessionDetail, SessionPage, SessionView};
pub use stats::{StatsView, parse_dimensions, parse_rank, stats_query};
pub use text::{TextError, TextIndex, TextLag};
pub use view::{Neighbours, SpanView, TraceDetail, TraceOutline, TracePage, TraceSummary};

pub use hanok_store::SpanLine;
