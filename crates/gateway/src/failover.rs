//! A model's targets, tried until one answers.

use crate::answer::Held;
use crate::attempt::{Ask, Failure};
use crate::gateway::Gateway;
use crate::plan::{Facts, Step, plan};
use crate::retry::{Verdict, backoff, may_cost, verdict};
use crate::route::Model;
use crate::target::Seat;
use crate::tariff::Tariff;
use hanok_base::{BoxFuture, CallContext, ErrorKind, Problem, ProviderError, SpanScope};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for a target that asked to be left alone, before the client is told to wait itself.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a call waits for a place at a target that has as many as it may.
const SEAT_WAIT: Duration = Duration::from_secs(10);

/// Sets money aside for one more try.
pub(crate) type More<'a> = dyn Fn() -> BoxFuture<'a, Result<(), Problem>> + Sync + 'a;

impl Gateway {
    /// Tries a model's targets until one answers. The span gets the target that did, and what it cost in tries.
    /// `more` sets money aside for another try where the one before may be charged for all the same.
    pub(crate) async fn route<A: Ask>(
        &self,
        scope: &mut SpanScope,
        model: &Model,
        facts: &Facts<'_>,
        ask: &A,
        more: &More<'_>,
    ) -> Result<(A::Reply, Held), Failure> {
        self.retries.deposit();
        let tariff = self.policy.load().tariff.clone();
        let mut last: Option<ProviderError> = None;
        // Targets that failed in a way no second try changes.
        let mut dead: Vec<String> = Vec::new();
        let mut tries = 0_u32;
        let mut away = None;
        let mut owed = false;
        for round in 0..=model.retries {
            let steps = match self.steps(model, facts, tariff.as_ref(), round).await {
                Ok(steps) => steps,
                Err(wait) => return Err(last.map_or_else(|| nobody(model, wait), Failure::Provider)),
            };
            // Where none has a free place, the best is waited for.
            let waiting = steps.iter().map(|step| (step, true));
            let before = tries;
            for (step, wait) in steps.iter().map(|step| (step, false)).chain(waiting) {
                if wait && tries > before {
                    break;
                }
                let id = step.target.id();
                if dead.contains(&id) {
                    continue;
                }
                let Some(seat) = take_seat(step, wait).await? else {
                    continue;
                };
                if std::mem::take(&mut owed) && more().await.is_err() {
                    return Err(last.map_or_else(|| nobody(model, None), Failure::Provider));
                }
                let Some(mut under_way) = step.target.state.begin() else {
                    // Another call has taken it upon itself to look whether it is well again.
                    away = Some(Duration::ZERO);
                    continue;
                };
                tries += 1;
                let cx = &scope.context().attempt(model.strict).patient(step.patience);
                match ask.attempt(cx, step).await {
                    Ok(reply) => {
                        under_way.succeeded();
                        scope.set("gen_ai.provider.name", step.target.provider.name().as_str());
                        if tries > 1 {
                            scope.set("hanok.tries", tries);
                        }
                        note_lost(scope, cx);
                        return Ok((
                            reply,
                            Held {
                                admission: None,
                                attempt: Some(under_way),
                                seat,
                                target: id,
                                lost: cx.degradations(),
                            },
                        ));
                    }
                    Err(Failure::Request(problem)) => return Err(Failure::Request(problem)),
                    Err(Failure::Provider(error)) => {
                        under_way.failed(&error);
                        tracing::warn!(provider = %error.provider, target = %id, kind = %error.kind, error = %error, "target failed");
                        match verdict(error.kind) {
                            Verdict::GiveUp => return Err(Failure::Provider(error)),
                            Verdict::Elsewhere => dead.push(id),
                            Verdict::Again => {}
                        }
                        owed = may_cost(error.kind);
                        last = Some(error);
                    }
                }
            }
            let alive = steps.iter().any(|step| !dead.contains(&step.target.id()));
            if round == model.retries || !alive || !self.retries.withdraw() {
                break;
            }
            let asked = last.as_ref().and_then(|error| error.retry_after);
            if asked.is_some_and(|wait| wait > LONGEST_WAIT) {
                break;
            }
            tokio::time::sleep(backoff(round, asked)).await;
        }
        Err(last.map_or_else(|| nobody(model, away), Failure::Provider))
    }

    /// The targets worth a try. Where all are left alone for a short while, it is waited for, unless a model is
    /// not to be tried again.
    async fn steps<'m>(
        &self,
        model: &'m Model,
        facts: &Facts<'_>,
        tariff: &dyn Tariff,
        round: u32,
    ) -> Result<Vec<Step<'m>>, Option<Duration>> {
        let planned = plan(model, facts, tariff, Instant::now());
        match planned {
            Err(Some(wait))
                if wait <= LONGEST_WAIT && model.retries > 0 && (round > 0 || self.retries.withdraw()) =>
            {
                // Callers that wait for one moment do not all come back in it.
                tokio::time::sleep(wait + Duration::from_millis(fastrand::u64(0..250))).await;
                plan(model, facts, tariff, Instant::now())
            }
            planned => planned,
        }
    }
}

/// A place at the target; `None` where it is full and is not to be waited for.
async fn take_seat(
    step: &Step<'_>,
    wait: bool,
) -> Result<Option<Option<tokio::sync::OwnedSemaphorePermit>>, Failure> {
    match step.target.state.try_seat(step.max_concurrent) {
        Seat::Unlimited => return Ok(Some(None)),
        Seat::Taken(seat) => return Ok(Some(Some(seat))),
        Seat::Full if !wait => return Ok(None),
        Seat::Full => {}
    }
    match tokio::time::timeout(SEAT_WAIT, step.target.state.seat(step.max_concurrent)).await {
        Ok(seat) => Ok(Some(seat)),
        Err(_) => Err(Failure::Request(Problem {
            retry_after: Some(SEAT_WAIT.as_secs()),
            ..Problem::new(
                ErrorKind::RateLimited,
                "target_busy",
                format!("{} has as many calls under way as it may", step.target.id()),
            )
        })),
    }
}

/// No target to try now, or none for this call at all.
fn nobody(model: &Model, away: Option<Duration>) -> Failure {
    let healths: Vec<_> = model.entries.iter().map(|entry| entry.target.state.health()).collect();
    let said = healths.iter().find_map(|health| health.last_error.as_deref());
    let said = said.map(|error| format!(": {error}")).unwrap_or_default();
    // What only waits because it was asked to is no outage.
    let limited = healths.iter().all(|health| health.breaker == "cooling");
    Failure::Request(match away {
        Some(wait) => Problem {
            retry_after: Some(wait.as_secs() + 1),
            ..if limited {
                let message = format!("every target of this model is at its provider's limit{said}");
                Problem::new(ErrorKind::RateLimited, "rate_limited", message)
            } else {
                let message =
                    format!("every target of this model failed lately and is left alone for a moment{said}");
                Problem::new(ErrorKind::Unavailable, "targets_away", message)
                    .hint("the page Models shows which, and why")
            }
        },
        None => Problem::new(
            ErrorKind::Unavailable,
            "no_target",
            "no target of this model is free, or meant for such a call",
        )
        .hint("see `when` and `max_concurrent` under [models] in hanok.toml"),
    })
}

fn note_lost(scope: &mut SpanScope, cx: &CallContext) {
    let lost: Vec<String> = cx.degradations().iter().map(ToString::to_string).collect();
    if !lost.is_empty() {
        scope.set("hanok.degradations", lost);
    }
}
