//! What a call needs before it may leave: room under its key's limits, and money set aside.

use crate::key::Key;
use crate::limit::Admission;
use crate::policy::Policy;
use crate::route::Model;
use bytes::Bytes;
use hanok_base::{
    CallContext, ChatRequest, Dialect, ErrorKind, MediaSource, ModelName, NanoDollars, Part, Problem,
    RateLimits, Route,
};
use hanok_wire::{Peek, codec};

/// A call that was let in under its key's limits.
pub(crate) struct Admitted {
    pub(crate) admission: Option<Admission>,
    /// What is left of its key's limits, where it has any.
    pub(crate) limits: Option<RateLimits>,
}

/// What decides how much a call may cost.
pub(crate) struct Bill<'a> {
    pub(crate) model_name: &'a str,
    pub(crate) model: &'a Model,
    pub(crate) route: Route,
    pub(crate) dialect: Dialect,
    pub(crate) peek: &'a Peek,
    pub(crate) body: &'a Bytes,
}

/// Lets a call in under its key's limits.
pub(crate) fn admit(key: Option<&Key>, tokens: u64) -> Result<Admitted, Problem> {
    let Some(key) = key else {
        return Ok(Admitted { admission: None, limits: None });
    };
    let whose = format_args!("the key `{}`", key.name);
    let (admission, limits) = key.meter.admit(&key.limits, tokens, &whose)?;
    Ok(Admitted { admission: Some(admission), limits })
}

impl Policy {
    /// Sets money aside for a call where a budget applies. Gives the limit on the answer that the reservation
    /// relies on, where the client set none; it must be sent upstream.
    pub(crate) async fn reserve(
        &self,
        cx: &CallContext,
        key: Option<&Key>,
        bill: &Bill<'_>,
        thought: u64,
    ) -> Result<Option<u64>, Problem> {
        // Counting is free.
        if bill.route == Route::CountTokens {
            return Ok(None);
        }
        let output = self.output(key, bill)?;
        let amount = |output: u64| {
            let choices = u64::from(bill.peek.choices);
            let any_tier = memchr::memmem::find(bill.body, b"service_tier").is_some();
            let once =
                self.at_most(bill.model, || input_at_most(bill), output.saturating_mul(choices), any_tier)?;
            // A stream that goes on elsewhere is paid for at both.
            let twice = bill.peek.stream && bill.model.entries.iter().any(|entry| entry.resumes);
            Ok(NanoDollars(once.0.saturating_mul(if twice { 2 } else { 1 })))
        };
        let bounded = self.set_aside(cx, key, bill.model_name, thought, || amount(output.tokens)).await?;
        if bill.route != Route::Chat || output.said {
            return Ok(None);
        }
        // A key's own limit holds whether or not there is a budget.
        Ok(if bounded { Some(output.tokens) } else { key.and_then(|key| key.max_output_tokens) })
    }

    /// The same for a call that is there in types: of another room of this house, or what a prompt made of a
    /// client's. `thought` tokens it was let in with.
    pub(crate) async fn reserve_typed(
        &self,
        cx: &CallContext,
        key: Option<&Key>,
        request: &mut ChatRequest,
        model: &Model,
        thought: u64,
    ) -> Result<(), Problem> {
        let most = key.and_then(|key| key.max_output_tokens);
        let within = |tokens: u64| most.map_or(tokens, |most| most.min(tokens));
        let said = request.sampling.max_tokens.map(within);
        let output = said.unwrap_or_else(|| within(model.max_tokens.unwrap_or(self.max_output_tokens)));
        let name = request.model.clone();
        let input = || request_at_most(request);
        let all = output.saturating_mul(u64::from(request.sampling.n.unwrap_or(1)));
        let amount = || self.at_most(model, input, all, true);
        let bounded = self.set_aside(cx, key, name.as_str(), thought, amount).await?;
        request.sampling.max_tokens = said.or(if bounded { Some(output) } else { most });
        Ok(())
    }

    /// The same for a call that is paid by what goes in: a token for each byte at most.
    pub(crate) async fn reserve_input(
        &self,
        cx: &CallContext,
        key: Option<&Key>,
        name: &ModelName,
        model: &Model,
        bytes: u64,
    ) -> Result<(), Problem> {
        let amount = || self.at_most(model, || bytes, 0, true);
        self.set_aside(cx, key, name.as_str(), 0, amount).await.map(drop)
    }

    async fn set_aside(
        &self,
        cx: &CallContext,
        key: Option<&Key>,
        model: &str,
        thought: u64,
        amount: impl Fn() -> Result<NanoDollars, Problem>,
    ) -> Result<bool, Problem> {
        let allowed = match cx.caller.allowance.get() {
            None => None,
            // Without a price nobody can say; whoever gives the money finds out from the record.
            Some(allowance) => match amount() {
                Err(_unpriced) => None,
                Ok(amount) => {
                    allowance.set_aside(amount).await?;
                    Some(amount)
                }
            },
        };
        let project = &cx.caller.project;
        if key.is_none() && project.is_empty() && self.budgets.is_empty() {
            return Ok(allowed.is_some());
        }
        let accounts = self.callers.accounts(key, project, &self.budgets, model, (self.clock)());
        let bounded = !accounts.bounds.is_empty();
        let amount = match allowed {
            Some(amount) => amount,
            None if bounded => amount()?,
            None => NanoDollars(0),
        };
        let mut reservation = self.ledger.reserve(accounts, amount).await?;
        if let Some(key) = key.filter(|key| key.limits.tokens_per_minute.is_some()) {
            reservation = reservation.metered(key.meter.clone(), thought);
        }
        cx.settle_with(Box::new(reservation));
        Ok(bounded || allowed.is_some())
    }

    fn output(&self, key: Option<&Key>, bill: &Bill<'_>) -> Result<Output, Problem> {
        if bill.route != Route::Chat {
            return Ok(Output { tokens: 0, said: true });
        }
        let most = key.and_then(|key| key.max_output_tokens);
        if let Some(said) = bill.peek.max_tokens {
            return match most {
                Some(most) if said > most => Err(Problem::new(
                    ErrorKind::InvalidRequest,
                    "max_tokens_too_large",
                    format!("at most {most} tokens of an answer are allowed with this key, not {said}"),
                )
                .param("max_tokens")),
                _ => Ok(Output { tokens: said, said: true }),
            };
        }
        let fallback = bill.model.max_tokens.unwrap_or(self.max_output_tokens);
        Ok(Output { tokens: most.map_or(fallback, |most| most.min(fallback)), said: false })
    }

    /// The most a call can cost at any of its targets.
    fn at_most(
        &self,
        model: &Model,
        input: impl Fn() -> u64,
        output: u64,
        any_tier: bool,
    ) -> Result<NanoDollars, Problem> {
        let input = input();
        let mut most = NanoDollars(0);
        for entry in &model.entries {
            let target = &entry.target;
            let (provider, name) = (target.provider.name().as_str(), target.model.as_str());
            let cost = self.tariff.at_most(provider, name, input, output, any_tier).ok_or_else(|| {
                let message = format!("{provider}/{name} has no price, so no budget can hold for it");
                Problem::new(ErrorKind::Forbidden, "model_unpriced", message)
                    .param("model")
                    .hint("give it one under [prices] in hanok.toml; a price of 0 says that it is free")
            })?;
            most = most.max(cost);
        }
        Ok(most)
    }
}

struct Output {
    tokens: u64,
    /// By the client itself.
    said: bool,
}

/// Requests up to this size are taken to have a token for each byte, which no tokenizer exceeds.
const SMALL: usize = 64 << 10;
/// The most tokens that vendors count for an image.
const IMAGE: u64 = 16_384;
/// Words without which no dialect's request holds anything but text: what is named by its address or id, and
/// small images, have more tokens than bytes.
const MEDIA: [&[u8]; 6] = [b"image", b"file", b"audio", b"video", b"document", b"inline"];

/// The most input tokens a call can have.
fn input_at_most(bill: &Bill<'_>) -> u64 {
    let bytes = bill.body.len();
    let plain = || !MEDIA.iter().any(|word| memchr::memmem::find(bill.body, word).is_some());
    if bill.route != Route::Chat || (bytes <= SMALL && plain()) {
        return bytes as u64;
    }
    // Large bodies are mostly media, whose bytes are no tokens.
    match codec(bill.dialect).decode_request(bill.body) {
        Ok(request) => request_at_most(&request),
        Err(_) => bytes as u64,
    }
}

fn request_at_most(request: &ChatRequest) -> u64 {
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| {
            64 + tool.name.len()
                + tool.description.as_ref().map_or(0, String::len)
                + tool.parameters.as_ref().map_or(0, |schema| schema.to_string().len())
        })
        .sum();
    let messages: u64 = request.messages.iter().map(|message| 32 + parts_at_most(&message.parts)).sum();
    messages + tools as u64 + 1_024
}

fn parts_at_most(parts: &[Part]) -> u64 {
    let len = |text: &str| text.len() as u64;
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) | Part::Refusal(text) => len(text),
            Part::Reasoning(reasoning) => {
                len(&reasoning.text)
                    + reasoning.signature.as_ref().map_or(0, |signature| len(&signature.value))
            }
            Part::ToolCall(call) => 64 + len(&call.name) + len(&call.arguments),
            Part::ToolResult(result) => 64 + parts_at_most(&result.parts),
            Part::Media(media) => match (&media.source, media.mime.as_deref()) {
                (MediaSource::Base64(data), Some(mime)) if !mime.starts_with("image/") => {
                    IMAGE.max(len(data) / 4)
                }
                _ => IMAGE,
            },
            Part::Opaque { value, .. } => len(&value.to_string()),
            Part::Citation(_) | Part::CacheBreak(_) => 0,
        })
        .sum()
}
