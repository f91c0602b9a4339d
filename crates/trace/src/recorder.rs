//! Where spans go: decoded, priced and summed up on the store's writer thread.

use crate::batch::batch;
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
}

impl TraceStore {
    /// Traces in this store, priced by these prices.
    pub fn new(store: Store, prices: Arc<Prices>) -> Self {
        Self { store, prices, pulse: Arc::default() }
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
            Ok(Box::new(Reserved { place, prices, pulse }) as Box<dyn Place>)
        })
    }
}

struct Reserved {
    place: hanok_store::Place,
    prices: Arc<Prices>,
    pulse: Arc<Pulse>,
}

impl Place for Reserved {
    fn record(self: Box<Self>, trace: FinishedTrace) {
        let spans = trace.spans;
        let Self { place, prices, pulse } = *self;
        let bytes = spans.iter().map(approx_bytes).sum();
        let build = move || {
            pulse.beat(&spans);
            batch(spans, &prices).into_iter().collect()
        };
        place.submit(Box::new(build), bytes);
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
