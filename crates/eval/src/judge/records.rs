//! Where what judges are asked outside of an experiment is recorded: a trace for each case.

use super::{Case, Judge, Judgement};
use hanok_base::{CallContext, Caller, Operation, Recorder, Verdict};
use std::sync::Arc;

/// Where traces go. Cheap to clone.
#[derive(Clone, Default)]
pub struct Records {
    /// `None`: nowhere; a server that is asked records by itself.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// In whose name calls are made.
    pub caller: Arc<Caller>,
}

impl Records {
    /// Asks a judge in a trace of its own. Where nothing can be recorded, it is not asked: the verdict is failed.
    pub(crate) async fn judged(&self, judge: &Judge, case: &Case<'_>, repeat: u32) -> Judgement {
        let cx = match &self.recorder {
            None => CallContext::unrecorded(),
            Some(recorder) => match recorder.admit().await {
                Ok(place) => CallContext::new(place, self.caller.clone()),
                Err(error) => return Judgement::without(Verdict::Failed(error.to_string())),
            },
        };
        let mut span = cx.span(Operation::Other, crate::online::JUDGEMENT);
        if let Some(origin) = case.origin {
            span.set(hanok_trace::attribute::MADE_OF, origin.to_string());
        }
        let said = judge.judge(span.context(), case, repeat).await;
        span.finish();
        said
    }
}
