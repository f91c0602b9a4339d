//! Where spans go: decoded, priced and summed up on the store's writer thread.

use crate::batch::batch;
use crate::forms::Forms;
use crate::govern::{Policies, Policy, govern};
use crate::meter::{Meter, Meters};
use crate::price_list::Prices;
use crate::pulse::Pulse;
use crate::receive::Received;
use crate::text::TextIndex;
use arc_swap::ArcSwap;
use hanok_base::{BoxFuture, FinishedTrace, Place, Recorder, ResponseBytes, Span, StoreUnavailable};
use hanok_store::{Scores, Store, Traces};
use std::sync::Arc;

/// Records and reads traces. Cheap to clone.
#[derive(Clone)]
pub struct TraceStore {
    pub(crate) store: Store,
    pub(crate) prices: Arc<ArcSwap<Prices>>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) meters: Arc<Meters>,
    forms: Arc<Forms>,
    /// Finds words in messages.
    pub(crate) texts: Option<Arc<TextIndex>>,
    pub(crate) received: Arc<Received>,
    policies: Arc<ArcSwap<Policies>>,
    /// Whose traces are read; `None` is everybody's.
    pub(crate) scope: Option<Arc<str>>,
}

impl TraceStore {
    /// Traces in this store, priced by these prices.
    pub fn new(store: Store, prices: Arc<Prices>) -> Self {
        Self {
            store,
            prices: Arc::new(ArcSwap::new(prices)),
            pulse: Arc::default(),
            meters: Arc::default(),
            forms: Arc::default(),
            texts: None,
            received: Arc::default(),
            policies: Arc::new(ArcSwap::from_pointee(Policies {
                default: Policy::careful(),
                ..Policies::default()
            })),
            scope: None,
        }
    }

    /// Sums of the calls at providers since the start.
    pub fn meters(&self) -> Vec<Meter> {
        self.meters.read()
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The prices now.
    pub fn prices(&self) -> Arc<Prices> {
        self.prices.load_full()
    }

    /// Exchanges the prices, for this and all its clones. What is recorded keeps its cost.
    pub fn set_prices(&self, prices: Arc<Prices>) {
        self.prices.store(prices);
    }

    /// What is kept, now.
    pub fn policies(&self) -> Arc<Policies> {
        self.policies.load_full()
    }

    /// Exchanges what is kept, for this and all its clones. What is recorded stays as it is.
    pub fn set_policies(&self, policies: Arc<Policies>) {
        self.policies.store(policies);
    }

    /// The same, reading the traces of this project only; the empty name is that of traces without a project.
    /// `None` reads all. Recording is not restricted.
    #[must_use]
    pub fn of(&self, project: Option<Arc<str>>) -> Self {
        Self { scope: project, ..self.clone() }
    }

    pub(crate) fn rows(&self) -> Traces<'_> {
        self.store.traces().of(self.scope.clone())
    }

    pub(crate) fn scores(&self) -> Scores<'_> {
        self.store.scores(self.scope.clone())
    }
}

impl Recorder for TraceStore {
    fn admit(&self) -> BoxFuture<'_, Result<Box<dyn Place>, StoreUnavailable>> {
        Box::pin(async move {
            let place = self.store.admit().await.map_err(|full| StoreUnavailable { reason: full.reason })?;
            let (prices, pulse) = (Arc::clone(&self.prices), Arc::clone(&self.pulse));
            let (meters, forms) = (Arc::clone(&self.meters), Arc::clone(&self.forms));
            let policies = Arc::clone(&self.policies);
            Ok(Box::new(Reserved { place, prices, pulse, meters, forms, policies }) as Box<dyn Place>)
        })
    }
}

struct Reserved {
    place: hanok_store::Place,
    prices: Arc<ArcSwap<Prices>>,
    pulse: Arc<Pulse>,
    meters: Arc<Meters>,
    forms: Arc<Forms>,
    policies: Arc<ArcSwap<Policies>>,
}

impl Place for Reserved {
    fn record(self: Box<Self>, trace: FinishedTrace) {
        let FinishedTrace { spans, caller, settlement } = trace;
        let Self { place, prices, pulse, meters, forms, policies } = *self;
        let bytes = spans.iter().map(approx_bytes).sum();
        let build = move || {
            pulse.beat(spans.iter(), &caller.project);
            let mut batch = batch(spans, &caller, &prices.load(), &forms);
            if let Some(batch) = &mut batch {
                meters.count(&batch.spans);
                govern(batch, policies.load().of(&caller.project), &caller);
            }
            batch.into_iter().collect()
        };
        place.submit(Box::new(build), bytes, settlement);
    }
}

/// About how much memory a span holds.
fn approx_bytes(span: &Span) -> usize {
    let exchange = span.exchange.as_ref().map_or(0, |exchange| {
        let response = match &exchange.response {
            ResponseBytes::None => 0,
            ResponseBytes::Whole(body) => body.len(),
            ResponseBytes::Streamed(pieces) => pieces.iter().map(bytes_of_piece).sum(),
        };
        exchange.request.len() + response
    });
    // Hits and the like are attributes; they are counted by number, since walking them costs more than it tells.
    std::mem::size_of::<Span>() + span.attributes.len() * 128 + exchange
}

fn bytes_of_piece(piece: &impl AsRef<[u8]>) -> usize {
    piece.as_ref().len() + 64
}
