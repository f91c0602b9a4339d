//! Traces as people meet them: spans recorded, priced, listed and filtered.
//!
//! Deliberately not here: SQL (the store's), the JSON of any dialect (`hanok-wire`'s), and pages.
//!
//! Reading order: [`attribute`] (names), [`message`] (messages as OpenTelemetry writes them), `forms` (those
//! that come again), `exchange` (bytes of a call to messages and usage), [`estimate`] (tokens nobody counted), [`price`], `price_list`
//! (which price is whose), `prices` (the list itself), `batch` (spans to rows), [`govern`] (what of them is kept),
//! [`recorder`], [`filter`],
//! [`otlp`] (what other programs send), `convention` (what it means), [`receive`] (taking it in),
//! [`view`] (what readers get), [`read`], [`text`] (words of messages), [`stats`] (sums over calls), [`session`],
//! [`score`], [`removing`], [`pulse`] (the last minute),
//! [`meter`] (sums since the start).

pub mod attribute;
mod batch;
mod convention;
pub mod estimate;
mod exchange;
pub mod filter;
mod forms;
pub mod govern;
pub mod message;
pub mod meter;
pub mod otlp;
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
pub use view::{Neighbours, SpanView, TraceDetail, TracePage, TraceSummary};
