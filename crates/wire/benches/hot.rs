//! Nanoseconds per call of what every call passes through. `cargo bench -p hanok-wire --bench hot`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures and stops on what is wrong"
)]

use bytes::Bytes;
use hanok_base::{Dialect, EmbedResponse, Route, Usage};
use hanok_wire::{Codec, GuardOptions, Patch, codec};
use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

/// The best of several rounds: what the code costs when nothing else disturbs it.
fn report<T>(name: &str, bytes: usize, mut call: impl FnMut() -> T) {
    const ROUNDS: u32 = 15;
    const CALLS: u32 = 2_000;
    let best = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..CALLS).for_each(|_| drop(black_box(call())));
            begun.elapsed() / CALLS
        })
        .min()
        .unwrap_or_default();
    println!("{name:<34} {:>8} ns  ({bytes} bytes)", best.as_nanos());
}

fn request() -> Bytes {
    let text = "Explain, in a few plain sentences, how a provider's stream is checked. ".repeat(5);
    let body = format!(
        r#"{{"model":"mock/mock-model","messages":[{{"role":"system","content":"You are terse."}},{{"role":"user","content":"{text}"}}],"temperature":0.2,"max_tokens":512,"stream":true,"user":"someone"}}"#
    );
    Bytes::from(body)
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-0000000000000000000001\",\"object\":\"chat.completion.chunk\",\"created\":1763600000,\"model\":\"mock-model\",\"system_fingerprint\":\"fp_mock\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn stream() -> Vec<Bytes> {
    let mut pieces = vec![Bytes::from(chunk(r#"{"role":"assistant","content":""}"#, "null"))];
    pieces.extend((0..48).map(|i| Bytes::from(chunk(&format!(r#"{{"content":" word{i:02}"}}"#), "null"))));
    pieces.push(Bytes::from(chunk("{}", r#""stop""#)));
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    pieces
}

fn answer() -> Bytes {
    let mut words = String::new();
    (0..70).for_each(|i| write!(words, "word{i:02} ").unwrap());
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-0000000000000000000001","object":"chat.completion","created":1763600000,"model":"mock-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":112,"total_tokens":131,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_mock"}}"#
    ))
}

/// One vector, as the official Python client asks for it.
fn embeddings(wire: &dyn Codec) -> (EmbedResponse, Bytes) {
    let vector = (0..1_536_u16).map(|i| (f32::from(i) / 1_536.0).sin() / 20.0).collect();
    let response = EmbedResponse { model: "m".into(), vectors: vec![vector], usage: Usage::default() };
    let body = wire.encode_embed_response(Route::Embeddings, &response, b"");
    (response, body.into())
}

fn guard(wire: &dyn Codec, pieces: &[Bytes]) -> bool {
    let mut guard = wire.stream_guard(GuardOptions { hide_usage: true });
    for piece in pieces {
        let fed = guard.feed(piece.clone());
        assert!(fed.fault.is_none());
        black_box(fed.bytes);
    }
    assert!(guard.finish().fault.is_none());
    guard.is_complete()
}

fn decode(wire: &dyn Codec, pieces: &[Bytes]) -> usize {
    let mut decoder = wire.stream_decoder();
    let (mut events, mut count) = (Vec::new(), 0);
    for piece in pieces {
        decoder.feed(piece, &mut events).unwrap();
        count += events.drain(..).count();
    }
    decoder.finish().unwrap();
    count
}

fn main() {
    let wire = codec(Dialect::OpenAiChat);
    let (request, pieces, answer) = (request(), stream(), answer());
    let whole = Bytes::from(pieces.concat());
    let cut: Vec<Bytes> =
        (0..whole.len()).step_by(300).map(|at| whole.slice(at..whole.len().min(at + 300))).collect();
    let peeked = wire.peek(Route::Chat, &request).unwrap();

    report("peek", request.len(), || wire.peek(Route::Chat, black_box(&request)));
    report("patch: model", request.len(), || {
        wire.patch(&request, &peeked, &Patch { model: "other", ..Patch::default() })
    });
    report("patch: model and usage", request.len(), || {
        wire.patch(&request, &peeked, &Patch { model: "other", ask_usage: true, ..Patch::default() })
    });
    report("guard: 51 events, one piece", whole.len(), || guard(wire, std::slice::from_ref(&whole)));
    report("guard: 51 events, 51 pieces", whole.len(), || guard(wire, &pieces));
    report("guard: 51 events, cut every 300 B", whole.len(), || guard(wire, &cut));
    report("summarise", answer.len(), || wire.summarise(black_box(&answer)));
    report("stream_decoder: 51 events", whole.len(), || decode(wire, &pieces));
    report("decode_response", answer.len(), || wire.decode_response(black_box(&answer)));
    report("decode_request", request.len(), || wire.decode_request(black_box(&request)));
    let (vectors, floats) = embeddings(wire);
    report("decode_embed_response", floats.len(), || wire.decode_embed_response(black_box(&floats)));
    report("encode_embed_response: base64", floats.len(), || {
        wire.encode_embed_response(Route::Embeddings, black_box(&vectors), br#"{"encoding_format":"base64"}"#)
    });
}
