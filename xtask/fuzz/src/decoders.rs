//! Everything that reads bytes from outside, and what must hold of it whatever the bytes are.

use crate::features::{Features, words};
use bytes::Bytes;
use hanok_base::stream::Collector;
use hanok_base::{Caller, ChatResponse, Dialect, ErrorKind, ModelName, Problem, Route, StreamEvent};
use hanok_trace::Prices;
use hanok_trace::otlp::{Format, count_metrics, read_logs, read_traces};
use hanok_trace::receive::rows;
use hanok_wire::sse::Parser;
use hanok_wire::{
    Codec, GuardOptions, Patch, RequestOptions, StreamFault, StreamOptions, StreamSummary, WireError, codec,
    embeddings, form, is_json, tokens,
};
use serde_json::Value;

/// A law that does not hold, in words.
pub(crate) type Broken = String;

macro_rules! law {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// Something that reads bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    dialect: Option<Dialect>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Request,
    Response,
    Stream,
    Embed,
    Form,
    Sse,
    OtlpProtobuf,
    OtlpJson,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Stream => "stream",
            Self::Embed => "embed",
            Self::Form => "form",
            Self::Sse => "sse",
            Self::OtlpProtobuf => "otlp-protobuf",
            Self::OtlpJson => "otlp-json",
        }
    }
}

impl Decoder {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let kinds = [What::Request, What::Response, What::Stream, What::Embed];
        let of_dialects = Dialect::ALL
            .into_iter()
            .flat_map(|dialect| kinds.map(|what| Self { dialect: Some(dialect), what }));
        let others = [What::Form, What::Sse, What::OtlpProtobuf, What::OtlpJson];
        of_dialects.chain(others.map(|what| Self { dialect: None, what })).collect()
    }

    /// Its name, and that of its folder in the corpus.
    pub(crate) fn name(self) -> String {
        match self.dialect {
            Some(dialect) => format!("{}-{}", dialect.as_str(), self.what.as_str()),
            None => self.what.as_str().to_owned(),
        }
    }

    /// Runs `bytes` through it.
    ///
    /// # Errors
    ///
    /// A law that the bytes break. A panic is for the caller to catch.
    pub(crate) fn run(self, bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
        let wire = codec(self.dialect.unwrap_or(Dialect::OpenAiChat));
        match self.what {
            What::Request => request(wire, self.dialect, bytes, features),
            What::Response => response(wire, bytes, features),
            What::Stream => stream(wire, bytes, features),
            What::Embed => embed(wire, bytes, features),
            What::Form => multipart(bytes, features),
            What::Sse => sse(bytes, features),
            What::OtlpProtobuf => otlp(bytes, Format::Protobuf, features),
            What::OtlpJson => otlp(bytes, Format::Json, features),
        }
    }
}

fn request(
    wire: &dyn Codec,
    dialect: Option<Dialect>,
    bytes: &[u8],
    features: &mut Features,
) -> Result<(), Broken> {
    let routes = [Route::Chat, Route::CountTokens, Route::Rerank, Route::Raw("moderations")];
    for route in routes {
        peek(wire, route, bytes, features)?;
    }
    features.about("decode request");
    let request = match wire.decode_request(bytes) {
        Ok(request) => request,
        Err(error) => {
            features.error(&error);
            return Ok(());
        }
    };
    features.shape(&request);
    law!(is_json(bytes), "a request was read from what is no JSON");
    tokens::estimate_tokens(&request);
    for target in Dialect::ALL {
        features.about(target.as_str());
        for stream in [false, true] {
            let options =
                RequestOptions { stream, ask_usage: stream, max_completion_tokens: !stream, thoughts: None };
            let encoded = codec(target).encode_request(&request, options);
            law!(is_json(&encoded.body), "the request for {target:?} is no JSON\n{}", show(&encoded.body));
            for lost in &encoded.lost {
                features.shape(lost);
            }
            let again = codec(target).decode_request(&encoded.body);
            if Some(target) == dialect {
                let again = match again {
                    Ok(again) => again,
                    // What stood at the limit may stand a level deeper now.
                    Err(error) if error.to_string().contains("is nested too deeply") => continue,
                    Err(error) => {
                        let (kind, body) = (words(&error), show(&encoded.body));
                        return Err(format!("what was read cannot be read again: {kind}\n{error}\n{body}"));
                    }
                };
                // Reading may put right what is not as the dialect has it, but once only.
                let twice = codec(target).encode_request(&again, options).body;
                let third = codec(target).decode_request(&twice);
                let third = third.map(|third| codec(target).encode_request(&third, options).body);
                law!(
                    third.as_ref().is_ok_and(|third| same(&twice, third)),
                    "a request differs each time it is written and read\n{}\n{:?}",
                    show(&twice),
                    third.as_deref().map(show)
                );
            }
        }
    }
    Ok(())
}

/// Whether two texts are the same JSON, in whatever order.
fn same(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    read(one).is_some_and(|one| Some(one) == read(other))
}

fn peek(wire: &dyn Codec, route: Route, bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
    features.about("peek");
    let peek = match wire.peek(route, bytes) {
        Ok(peek) => peek,
        Err(error) => {
            features.error(&error);
            return Ok(());
        }
    };
    features.shape(&peek);
    law!(is_json(bytes), "what is no JSON passed the peek");
    let body = Bytes::copy_from_slice(bytes);
    let chat = route == Route::Chat;
    let patches = [(false, None), (true, None), (true, Some(7)), (false, Some(7))];
    for (ask_usage, max_tokens) in patches.into_iter().take(if chat { 4 } else { 1 }) {
        let patch =
            Patch { model: "oth\"er", ask_usage, max_tokens, max_completion_tokens: max_tokens.is_some() };
        let patched = wire.patch(&body, &peek, &patch);
        law!(is_json(&patched), "patched, it is no JSON\n{patch:?}\n{}", show(&patched));
        let again = wire.peek(route, &patched).map_err(|error| {
            format!("patched, the request is refused: {}\n{patch:?}\n{error}", words(&error))
        })?;
        law!(
            peek.model.is_empty() || again.model == patch.model,
            "patched, the model is another\n{:?} {patch:?}",
            again.model
        );
        law!(again.stream == peek.stream, "patched, it streams otherwise\n{patch:?}\n{}", show(&patched));
        law!(
            peek.max_tokens.is_none() || again.max_tokens == peek.max_tokens,
            "patched, the client's limit is gone\n{patch:?}\n{}",
            show(&patched)
        );
    }
    Ok(())
}

fn response(wire: &dyn Codec, bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
    features.about("errors");
    for status in [200, 400, 401, 404, 429, 500, 529] {
        let error = wire.decode_error(status, bytes, &"p".into());
        features.shape(&error.kind);
        law!(error.message.len() <= bytes.len() + 1024, "the error is longer than what it was read from");
    }
    features.about("models");
    match wire.decode_models(bytes) {
        Ok(models) => {
            let named: Vec<_> = models.into_iter().map(|model| (model.name.to_string(), model)).collect();
            for target in Dialect::ALL {
                let list = codec(target).encode_models(&named);
                law!(is_json(&list), "the list of models for {target:?} is no JSON\n{}", show(&list));
            }
        }
        Err(error) => features.error(&error),
    }
    features.about("summary");
    match wire.summarise(bytes) {
        Ok(summary) => features.shape(&summary),
        Err(error) => features.error(&error),
    }
    features.about("decode response");
    match wire.decode_response(bytes) {
        Ok(response) => {
            features.shape(&response);
            for target in Dialect::ALL {
                for request in [b"".as_slice(), bytes] {
                    readable(target, &response, request)?;
                }
            }
        }
        Err(error) => features.error(&error),
    }
    Ok(())
}

/// What clients of `target` get of an answer, they can read.
fn readable(target: Dialect, response: &ChatResponse, request: &[u8]) -> Result<(), Broken> {
    let body = codec(target).encode_response(response, request);
    law!(is_json(&body), "the answer for {target:?} is no JSON\n{}", show(&body));
    let mut indices: Vec<_> = response.choices.iter().map(|choice| choice.index).collect();
    indices.sort_unstable();
    indices.dedup();
    if indices.is_empty() || indices.len() < response.choices.len() || response.dialect == Some(target) {
        // No answer in any dialect but the one it came in; and there, what we do not know is given back as it
        // came, good or bad.
        return Ok(());
    }
    codec(target).decode_response(&body).map_err(|error| {
        format!("the answer for {target:?} cannot be read: {}\n{error}\n{}", words(&error), show(&body))
    })?;
    codec(target).summarise(&body).map_err(|error| {
        format!("the answer for {target:?} has no summary: {}\n{error}\n{}", words(&error), show(&body))
    })?;
    Ok(())
}

fn stream(wire: &dyn Codec, bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
    let (events, end) = decode(wire, [bytes]);
    features.about("decode stream");
    features.shape(&events);
    if let Err(error) = &end {
        features.error(error);
    }
    for pieces in splits(bytes) {
        let again = decode(wire, pieces);
        law!(
            again == (events.clone(), end.clone()),
            "in pieces it is another\n{again:?}\n{events:?} {end:?}"
        );
    }
    features.about("guard");
    for hide_usage in [false, true] {
        let options = GuardOptions { hide_usage };
        let guarded = guard(wire, options, [bytes])?;
        features.shape(&guarded.summary);
        features.shape(&(guarded.fault.as_ref().map(|fault| fault.kind), guarded.complete, guarded.content));
        for pieces in splits(bytes) {
            let again = guard(wire, options, pieces)?;
            law!(again == guarded, "guarded in pieces it is another\n{again:?}\n{guarded:?}");
        }
        law!(
            hide_usage || guarded.fault.is_some() || guarded.passed.len() <= bytes.len() + 1024,
            "the guard lets more pass than came"
        );
        law!(
            guarded.fault.is_some() || guarded.complete,
            "the guard ends an incomplete answer without a fault"
        );
        // The guard looks at the frame of an answer, not at all that is in it: what it passes may be of a wrong
        // shape inside, but never cut short or an error.
        let (_, passed) = decode(wire, [guarded.passed.as_slice()]);
        law!(
            guarded.fault.is_some() || !matches!(passed, Err(WireError::Truncated | WireError::Upstream(_))),
            "what the guard passes as complete is cut\n{passed:?}"
        );
    }
    let collected = collect(&events);
    law!(!goes_on(&events), "a choice goes on behind its end\n{events:?}");
    law!(end.is_err() || collected.is_some(), "complete, and yet not collected\n{events:?}");
    for target in Dialect::ALL {
        restream(target, &events, end.is_ok())?;
        if let (Some(response), Ok(())) = (&collected, &end) {
            readable(target, response, b"")?;
        }
    }
    Ok(())
}

/// What clients of `target` get of a stream, they can read; and what is cut never looks complete to them.
fn restream(target: Dialect, events: &[StreamEvent], complete: bool) -> Result<(), Broken> {
    let wire = codec(target);
    let encoder = || {
        let options =
            StreamOptions { include_usage: true, model: ModelName::from("ours"), ..StreamOptions::default() };
        wire.stream_encoder(options)
    };
    let came_so = events
        .iter()
        .any(|event| matches!(event, StreamEvent::Start { dialect, .. } if *dialect == Some(target)));
    if complete && !came_so {
        let mut whole = encoder();
        let mut out = Vec::new();
        for event in events {
            whole.encode(event, &mut out);
        }
        whole.finish(&mut out);
        if let (_, Err(error)) = decode(wire, [out.as_slice()]) {
            let kind = words(&error);
            return Err(format!("the stream for {target:?} cannot be read: {kind}\n{error}\n{}", show(&out)));
        }
    }

    let problem = Problem::new(ErrorKind::Upstream, "stream_truncated", "the stream ended early");
    let mut cut = encoder();
    let mut out = Vec::new();
    let before_the_end = events.iter().take_while(|event| !matches!(event, StreamEvent::Finish { .. }));
    before_the_end.for_each(|event| cut.encode(event, &mut out));
    cut.error(&problem, &mut out);
    let (_, end) = decode(wire, [out.as_slice()]);
    law!(end.is_err(), "ended by an error, and yet complete for {target:?}\n{}", show(&out));
    Ok(())
}

fn embed(wire: &dyn Codec, bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
    let routes = [Route::Embeddings, Route::BatchEmbeddings];
    for route in routes {
        peek(wire, route, bytes, features)?;
        features.about("embed request");
        match wire.decode_embed_request(route, bytes) {
            Ok(request) => {
                features.shape(&request);
                for target in Dialect::ALL {
                    if let Ok(encoded) = codec(target).encode_embed_request(&request) {
                        law!(is_json(&encoded.body), "the embed request for {target:?} is no JSON");
                        drop(codec(target).decode_embed_request(route, &encoded.body));
                    }
                }
            }
            Err(error) => features.error(&error),
        }
    }
    features.about("embed response");
    embeddings::embeddings_usage(bytes);
    match wire.decode_embed_response(bytes) {
        Ok(response) => {
            features.shape(&response);
            for target in Dialect::ALL {
                for route in routes {
                    let body = codec(target).encode_embed_response(route, &response, bytes);
                    law!(body.is_empty() || is_json(&body), "the vectors for {target:?} are no JSON");
                }
            }
        }
        Err(error) => features.error(&error),
    }
    Ok(())
}

/// The first line is the content type, the rest the form.
fn multipart(bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
    let at = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (head, body) = bytes.split_at_checked(at).unwrap_or((bytes, b""));
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    features.about("form");
    let Some(boundary) = form::boundary(&String::from_utf8_lossy(head)) else { return Ok(()) };
    let peek = match form::peek(&body, &boundary) {
        Ok(peek) => peek,
        Err(error) => {
            features.error(&error);
            return Ok(());
        }
    };
    features.shape(&peek);
    let patch = Patch { model: "other", ask_usage: true, max_tokens: Some(7), ..Patch::default() };
    let patched = codec(Dialect::OpenAiChat).patch(&body, &peek, &patch);
    law!(
        patched.len() + peek.model.len() == body.len() + patch.model.len(),
        "more than the model was changed in the form"
    );
    Ok(())
}

fn sse(bytes: &[u8], features: &mut Features) -> Result<(), Broken> {
    let read = |pieces: Vec<&[u8]>| {
        let mut events = Vec::new();
        let mut parser = Parser::default();
        let mut end = Ok(());
        for piece in pieces {
            end = end.and_then(|()| {
                parser.feed(piece, |event| {
                    events.push((event.name.to_vec(), event.data.to_vec()));
                    Ok(())
                })
            });
        }
        let end = end.and_then(|()| {
            parser.finish(|event| {
                events.push((event.name.to_vec(), event.data.to_vec()));
                Ok(())
            })
        });
        (events, end)
    };
    let whole = read(vec![bytes]);
    features.about("sse");
    let sizes = whole.0.iter().map(|(name, data)| (!name.is_empty(), data.len().min(2) == 2));
    features.shape(&sizes.map(|(named, long)| (named.then_some(0), long)).collect::<Vec<_>>());
    for pieces in splits(bytes) {
        law!(read(pieces) == whole, "in pieces the events are others");
    }
    Ok(())
}

type Decoded = (Vec<StreamEvent>, Result<(), WireError>);

fn decode<'a>(wire: &dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = wire.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish();
    (events, end)
}

#[derive(Debug, PartialEq)]
struct Guarded {
    passed: Vec<u8>,
    fault: Option<StreamFault>,
    complete: bool,
    content: bool,
    summary: StreamSummary,
}

fn guard<'a>(
    wire: &dyn Codec,
    options: GuardOptions,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Guarded, Broken> {
    let mut guard = wire.stream_guard(options);
    let mut passed = Vec::new();
    let mut fault = None;
    for piece in pieces {
        let fed = guard.feed(Bytes::copy_from_slice(piece));
        law!(fault.is_none() || fed.bytes.is_empty() && fed.fault.is_none(), "something follows a fault");
        passed.extend_from_slice(&fed.bytes);
        fault = fault.or(fed.fault);
    }
    let fed = guard.finish();
    law!(fault.is_none() || fed.bytes.is_empty() && fed.fault.is_none(), "something follows a fault");
    passed.extend_from_slice(&fed.bytes);
    let fault = fault.or(fed.fault);
    let (complete, content) = (guard.is_complete(), guard.saw_content());
    law!(fault.is_none() || !complete, "complete in spite of {fault:?}");
    Ok(Guarded { passed, fault, complete, content, summary: guard.summary().clone() })
}

/// Whether some part of a choice grows behind the choice's `Finish`.
fn goes_on(events: &[StreamEvent]) -> bool {
    let mut finished = Vec::new();
    events.iter().any(|event| match event {
        StreamEvent::Finish { choice, .. } => {
            finished.push(*choice);
            false
        }
        StreamEvent::PartStart { choice, .. } | StreamEvent::PartDelta { choice, .. } => {
            finished.contains(choice)
        }
        _ => false,
    })
}

fn collect(events: &[StreamEvent]) -> Option<ChatResponse> {
    let mut collector = Collector::default();
    events.iter().cloned().for_each(|event| collector.push(event));
    collector.into_response()
}

/// `bytes` cut in several ways that follow from them: at a few places, into small pieces, and byte by byte
/// where they are few.
fn splits(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let seed = bytes.iter().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut cuts: Vec<usize> = (0..rng.usize(1..6)).map(|_| rng.usize(0..=bytes.len())).collect();
    cuts.sort_unstable();
    let mut rest = bytes;
    let mut gone = 0;
    let mut few = Vec::new();
    for cut in cuts {
        let (piece, behind) = rest.split_at_checked(cut - gone).unwrap_or((rest, b""));
        few.push(piece);
        (gone, rest) = (cut, behind);
    }
    few.push(rest);
    let size = if bytes.len() <= 1024 { 1 } else { rng.usize(2..64) };
    vec![few, bytes.chunks(size).collect()]
}

fn show(bytes: &[u8]) -> String {
    const MOST: usize = 2000;
    let end = bytes.len().min(MOST);
    format!("{}", bytes.get(..end).unwrap_or_default().escape_ascii())
}

/// Spans of other programs: each that is read can be stored, and costs what it says.
fn otlp(bytes: &[u8], format: Format, features: &mut Features) -> Result<(), Broken> {
    features.about("logs");
    match read_logs(bytes, format) {
        Ok(logs) => features.shape(&logs),
        Err(error) => features.shape(&error),
    }
    features.about("metrics");
    features.shape(&count_metrics(bytes, format).is_ok());
    features.about("spans");
    let read = match read_traces(bytes, format) {
        Ok(read) => read,
        Err(error) => {
            features.shape(&error);
            return Ok(());
        }
    };
    features.shape(&read);
    let spans: usize = read.iter().flat_map(|of| &of.scopes).map(|scoped| scoped.entries.len()).sum();
    let caller = Caller::default();
    let prices = Prices::builtin();
    let batches =
        rows(bytes, format, &caller, &prices).map_err(|error| format!("read once only: {error}"))?;
    features.about("rows");
    features.shape(&batches);
    let kept: usize = batches.iter().map(|batch| batch.spans.len()).sum();
    law!(kept <= spans, "{kept} spans were made of {spans}");
    for span in batches.iter().flat_map(|batch| &batch.spans) {
        law!(span.duration_ns >= 0, "a span lasts {} ns", span.duration_ns);
        law!(span.cost.is_none_or(|cost| cost.0 >= 0), "a span costs {:?}", span.cost);
        let usage = &span.usage;
        law!(
            usage.input.is_none() || usage.cached_input <= usage.input,
            "more is cached than was sent: {usage:?}"
        );
        law!(
            usage.output.is_none() || usage.reasoning <= usage.output,
            "more was reasoned than came: {usage:?}"
        );
        for (slot, body) in &span.bodies {
            law!(is_json(body), "{slot:?} is no JSON\n{}", show(body));
        }
    }
    Ok(())
}
