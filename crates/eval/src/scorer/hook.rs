//! `command` and `http`: somebody else's scorer is given sample and output as JSON and answers with a score.
//!
//! What it is given: `{"sample": {…}, "output": {"text", "reasoning", "value", "tool_calls", "citations",
//! "latency_seconds", "cost_dollars", "trace"}, "expected"}`. What it answers: `true` or `false`, a number, a label, or
//! `{"value": …, "explanation": "…", "parts": {"NAME": …}}` (`score` or `pass`, and `reason`, are understood, too), or
//! `{"skipped": "why"}` where it has nothing to say.

use super::spec::{Command, Http};
use super::subject::{Ask, Found, Subject};
use crate::process;
use hanok_base::{BoxFuture, CallContext, Object, Output, Sample, ScoreValue, Verdict};
use hanok_net::{
    Client, ClientOptions, Egress, HeaderMap, HeaderName, HeaderValue, Request, Timeouts, Url, header,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Most bytes of an answer.
const LONGEST_ANSWER: usize = 1 << 20;

/// An output as JSON, for whoever scores outside.
pub(crate) fn output_json(output: &Output) -> Value {
    let calls = output.tool_calls.iter().map(|call| {
        let arguments = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!(call.arguments));
        json!({"name": call.name, "arguments": arguments})
    });
    let citations = output.citations.iter().map(|citation| {
        let quote = citation.quote.as_ref().map(|quote| {
            json!({"source": quote.source, "start": quote.start, "end": quote.end, "text": quote.text})
        });
        json!({"url": citation.url, "title": citation.title, "quote": quote})
    });
    json!({
        "text": output.text,
        "reasoning": output.reasoning,
        "value": output.value,
        "tool_calls": calls.collect::<Vec<_>>(),
        "citations": citations.collect::<Vec<_>>(),
        "latency_seconds": output.latency.as_secs_f64(),
        "cost_dollars": output.cost.map(hanok_base::NanoDollars::dollars),
        "trace": output.trace,
    })
}

fn given(sample: &Sample, subject: &Subject<'_>) -> String {
    let given = json!({
        "sample": sample,
        "output": output_json(subject.output),
        "expected": subject.expected.as_deref(),
    });
    given.to_string()
}

/// Reads an answer.
fn answered(bytes: &[u8]) -> Found {
    let text = String::from_utf8_lossy(bytes);
    let answer: Value = match serde_json::from_str(text.trim()) {
        Ok(answer) => answer,
        Err(error) => {
            return Found::failed(format!(
                "the answer is not JSON: {error}: `{}`",
                super::texts::short(text.trim())
            ));
        }
    };
    let Value::Object(members) = &answer else {
        return value(&answer).map_or_else(
            || Found::failed(format!("the answer is no score: `{}`", super::texts::told(&answer))),
            |value| Found::of(Verdict::Value(value), ""),
        );
    };
    let text = |names: [&str; 2]| {
        names.into_iter().find_map(|name| members.get(name).and_then(Value::as_str)).unwrap_or_default()
    };
    if let Some(why) = members.get("skipped").filter(|why| !why.is_null()) {
        return Found::skipped(super::subject::as_text(why));
    }
    let Some(found) = ["value", "score", "pass"].into_iter().find_map(|name| value(members.get(name)?))
    else {
        return Found::failed("the answer has no `value`, `score` or `pass`");
    };
    let mut found = Found::of(Verdict::Value(found), text(["explanation", "reason"]));
    if let Some(Value::Object(parts)) = members.get("parts") {
        let parts = parts.iter().map(|(name, part)| {
            let verdict =
                value(part).map_or_else(|| Verdict::Failed("it is no score".to_owned()), Verdict::Value);
            (name.clone(), verdict)
        });
        found.parts = parts.collect();
    }
    found
}

fn value(value: &Value) -> Option<ScoreValue> {
    match value {
        Value::Bool(yes) => Some(ScoreValue::Truth(*yes)),
        Value::Number(number) => number.as_f64().map(ScoreValue::Number),
        Value::String(label) => Some(ScoreValue::Label(label.clone())),
        _ => None,
    }
}

fn seconds(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|timeout| !timeout.is_zero())
        .ok_or_else(|| format!("a timeout of {seconds} seconds is none"))
}

/// `command`.
pub(crate) struct Commanded {
    command: Vec<String>,
    timeout: Duration,
    folder: PathBuf,
}

impl Commanded {
    pub(crate) fn new(spec: &Command, folder: PathBuf) -> Result<Self, String> {
        if spec.command.first().is_none_or(String::is_empty) {
            return Err("the command is empty; write command = [\"PROGRAM\", \"ARGUMENT\"]".to_owned());
        }
        Ok(Self { command: spec.command.clone(), timeout: seconds(spec.timeout_seconds)?, folder })
    }
}

impl Ask for Commanded {
    fn ask<'a>(
        &'a self,
        _: &'a CallContext,
        sample: &'a Sample,
        subject: Subject<'a>,
    ) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let input = given(sample, &subject);
            let ran =
                process::run(&self.command, &self.folder, input.as_bytes(), self.timeout, LONGEST_ANSWER)
                    .await;
            match ran {
                Err(error) => Found::failed(error.to_string()),
                Ok(done) if done.status == Some(0) => answered(&done.stdout),
                Ok(done) => {
                    let status = done
                        .status
                        .map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
                    Found::failed(format!(
                        "it ended with {status}: {}",
                        super::texts::short(done.stderr.trim())
                    ))
                }
            }
        })
    }
}

/// `http`.
pub(crate) struct Posted {
    client: Client,
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
}

impl Posted {
    pub(crate) fn new(spec: &Http, network: &ClientOptions) -> Result<Self, String> {
        let (client, url) = reaching(&spec.url, network)?;
        let mut headers = headers(&spec.headers)?;
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        Ok(Self { client, url, headers, timeout: seconds(spec.timeout_seconds)? })
    }
}

/// A client that reaches the host of this URL, whatever its address, and no other.
pub(crate) fn reaching(url: &str, network: &ClientOptions) -> Result<(Client, Url), String> {
    let explain = |error: hanok_net::NetError| error.to_string();
    let parsed = Url::parse(url).map_err(explain)?;
    let host = parsed.target();
    let egress = Egress::only([host]).and_then(|egress| egress.allow_private(host)).map_err(explain)?;
    let options = ClientOptions { egress: Some(egress), ..network.clone() };
    Ok((Client::new(options).map_err(explain)?, parsed))
}

/// Headers as a file has them; `env:NAME` is read from the environment.
pub(crate) fn headers(table: &Object) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in table {
        let text = value.as_str().ok_or_else(|| format!("the header `{name}` is no text"))?;
        let text = match text.strip_prefix("env:") {
            None => text.to_owned(),
            Some(variable) => std::env::var(variable).map_err(|_| {
                format!("the header `{name}`: the environment variable {variable} is not set")
            })?,
        };
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no header's name"))?;
        // The value may be a secret, and is not repeated.
        let value =
            HeaderValue::from_str(&text).map_err(|_| format!("the header `{name}` has no sendable value"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

impl Ask for Posted {
    fn ask<'a>(
        &'a self,
        _: &'a CallContext,
        sample: &'a Sample,
        subject: Subject<'a>,
    ) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let request = Request {
                url: &self.url,
                headers: &self.headers,
                body: given(sample, &subject).into(),
                timeouts: Timeouts { first_byte: self.timeout, idle: self.timeout, ..Timeouts::default() },
            };
            let exchange = async {
                let response = self.client.post(request).await?;
                let status = response.status;
                Ok::<_, hanok_net::NetError>((status, response.body.collect(LONGEST_ANSWER).await?))
            };
            match tokio::time::timeout(self.timeout, exchange).await {
                Err(_) => {
                    Found::failed(format!("{} did not answer within {:?}", self.url.target(), self.timeout))
                }
                Ok(Err(error)) => Found::failed(error.to_string()),
                Ok(Ok((status, body))) if status.is_success() => answered(&body),
                Ok(Ok((status, body))) => {
                    let said = String::from_utf8_lossy(&body);
                    let said = super::texts::short(said.trim());
                    Found::failed(format!("{} answered {status}: {said}", self.url.target()))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let check = |answer: &str, expect: Result<ScoreValue, &str>, explanation: &str| {
            let found = answered(answer.as_bytes());
            assert_eq!(found.explanation, explanation, "{answer}");
            match (found.verdict, expect) {
                (Verdict::Value(value), Ok(expect)) => assert_eq!(value, expect, "{answer}"),
                (Verdict::Failed(why) | Verdict::Skipped(why), Err(expect)) => {
                    assert!(why.contains(expect), "{answer}: {why}");
                }
                (verdict, _) => panic!("{answer}: {verdict:?}"),
            }
        };
        check("true\n", Ok(ScoreValue::Truth(true)), "");
        check("0.25", Ok(ScoreValue::Number(0.25)), "");
        check("\"good\"", Ok(ScoreValue::Label("good".into())), "");
        check(r#"{"value": 2, "explanation": "so"}"#, Ok(ScoreValue::Number(2.0)), "so");
        check(r#"{"pass": false, "score": 0.5, "reason": "so"}"#, Ok(ScoreValue::Number(0.5)), "so");
        check(r#"{"pass": false}"#, Ok(ScoreValue::Truth(false)), "");
        check(r#"{"skipped": "no table"}"#, Err("no table"), "");
        check(r#"{"result": 1}"#, Err("no `value`"), "");
        check("[1]", Err("no score"), "");
        check("oops", Err("not JSON: "), "");
    }
}
