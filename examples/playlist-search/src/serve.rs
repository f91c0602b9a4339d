//! The scripted models behind HTTP, in the dialect of OpenAI's chat completions.

use crate::model;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the models say of themselves at `/v1/models`.
const NOTE: &str = "answered by rules of the example playlist-search, by no language model";
/// How often the models were asked.
static ASKED: AtomicU64 = AtomicU64::new(0);
/// The largest request that is read.
const LARGEST: u64 = 4 << 20;

/// How often the models of this process were asked.
pub(crate) fn asked() -> u64 {
    ASKED.load(Ordering::Relaxed)
}

/// Serves on an address until the process ends. One that serves there already will do.
pub(crate) fn start(address: SocketAddr) -> Result<SocketAddr> {
    let listener = match TcpListener::bind(address) {
        Ok(listener) => listener,
        Err(_) if is_ours(address) => return Ok(address),
        Err(error) => bail!(
            "{address}, where the scripted models are to be ([providers.scripted] of hanok.toml), is taken: {error}; name \
             another port there"
        ),
    };
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends its own thread and nothing else.
            let _ = std::thread::Builder::new().spawn(move || serve(stream));
        }
    });
    Ok(address)
}

fn is_ours(address: SocketAddr) -> bool {
    let asked = || -> Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
        write!(stream, "GET /v1/models HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    asked().is_ok_and(|text| text.contains(NOTE))
}

fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let (mut length, mut closes, mut line) = (0_u64, false, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().context("content-length")?,
                "connection" => closes = value.trim().eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let mut body = Vec::new();
        (&mut reader).take(length.min(LARGEST)).read_to_end(&mut body)?;
        let (status, kind, text) = match (head.split(' ').next(), head.contains("/models")) {
            (Some("GET"), true) => {
                let of = |id: &str| json!({"id": id, "object": "model", "owned_by": NOTE});
                (
                    "200 OK",
                    "application/json",
                    json!({"object": "list", "data": [of("writer"), of("judge")]}).to_string(),
                )
            }
            (Some("POST"), _) => match serde_json::from_slice::<Value>(&body) {
                Ok(request) => {
                    let (kind, text) = complete(&request);
                    ("200 OK", kind, text)
                }
                Err(error) => {
                    let fault =
                        json!({"error": {"message": error.to_string(), "type": "invalid_request_error"}});
                    ("400 Bad Request", "application/json", fault.to_string())
                }
            },
            _ => ("404 Not Found", "application/json", json!({"error": {"message": "not here"}}).to_string()),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        writer.write_all(answer.as_bytes())?;
        if closes {
            return Ok(());
        }
    }
}

/// The answer to a request, whole or as a stream.
fn complete(request: &Value) -> (&'static str, String) {
    ASKED.fetch_add(1, Ordering::Relaxed);
    let model = request.get("model").and_then(Value::as_str).unwrap_or_default();
    let messages = model::messages(request);
    let text = model::answer(model, &messages);
    let read: usize = messages.iter().map(|(_, text)| model::tokens(text)).sum();
    let written = model::tokens(&text);
    let usage = json!({"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written});
    let is_streamed = request.get("stream").and_then(Value::as_bool).unwrap_or_default();
    if !is_streamed {
        let message = json!({"role": "assistant", "content": text});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let whole = json!({
            "id": "scripted", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage,
        });
        return ("application/json", whole.to_string());
    }
    let chunk = |choices: Value, usage: &Value| {
        let chunk = json!({
            "id": "scripted", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices,
            "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let delta = json!([{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null}]);
    let end = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    let nothing = Value::Null;
    let stream = [
        chunk(delta, &nothing),
        chunk(end, &nothing),
        chunk(json!([]), &usage),
        "data: [DONE]\n\n".to_owned(),
    ];
    ("text/event-stream", stream.concat())
}
