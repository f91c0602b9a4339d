//! Where spans go: decoded, priced and summed up on the store's writer thread.

use crate::batch::batch;
use crate::meter::{Meter, Meters};
use crate::price::Prices;
use crate::pulse::Pulse;
use hanok_base::{BoxFuture, FinishedTrace, Place, Recorder, ResponseBytes, Span, StoreUnavailable};
use hanok_store::Store;
use std::sync::Arc;

/// Records and reads traces. Cheap to clone.
#[derive(Clone)]
pub struct TraceStore {
    pub(crate) store: Store,
    pub(crate) prices: Arc<Prices>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) meters: Arc<Meters>,
}

impl TraceStore {
    /// Traces in this store, priced by these prices.
    pub fn new(store: Store, prices: Arc<Prices>) -> Self {
        Self { store, prices, pulse: Arc::default(), meters: Arc::default() }
    }

    /// Sums of the calls at providers since the start.
    pub fn meters(&self) -> Vec<Meter> {
        self.meters.read()
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Recorder for TraceStore {
    fn admit(&self) -> BoxFuture<'_, Result<Box<dyn Place>, StoreUnavailable>> {
        Box::pin(async move {
            let place = self.store.admit().await.map_err(|full| StoreUnavailable { reason: full.reason })?;
            let (prices, pulse) = (Arc::clone(&self.prices), Arc::clone(&self.pulse));
            let meters = Arc::clone(&self.meters);
            Ok(Box::new(Reserved { place, prices, pulse, meters }) as Box<dyn Place>)
        })
    }
}

struct Reserved {
    place: hanok_store::Place,
    prices: Arc<Prices>,
    pulse: Arc<Pulse>,
    meters: Arc<Meters>,
}

impl Place for Reserved {
    fn record(self: Box<Self>, trace: FinishedTrace) {
        let (spans, caller) = (trace.spans, trace.caller);
        let Self { place, prices, pulse, meters } = *self;
        let bytes = spans.iter().map(approx_bytes).sum();
        let build = move || {
            pulse.beat(&spans);
            let batch = batch(spans, &caller, &prices);
            if let Some(batch) = &batch {
                meters.count(&batch.spans);
            }
            batch.into_iter().collect()
        };
        place.submit(Box::new(build), bytes, trace.settlement);
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
