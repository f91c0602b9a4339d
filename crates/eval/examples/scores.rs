//! Answers lines of JSON, `{"scorer": {…}, "text": "…", "expected": …}`, with the scores of the text by name, a line
//! each: so that other programs' scores can be compared with these.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use hanok_base::{CallContext, Object, Output, Sample};
use hanok_eval::Kit;
use hanok_eval::scorer::{ScorerSpec, build};
use serde_json::{Value, json};
use std::io::BufRead;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (kit, cx) = (Kit::default(), CallContext::unrecorded());
    for line in std::io::stdin().lock().lines() {
        let mut asked: Object = serde_json::from_str(&line?)?;
        let spec: ScorerSpec = serde_json::from_value(asked.remove("scorer").unwrap_or_default())?;
        let scorer = build(&spec, &kit)?;
        let text = asked.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        let sample = Sample { expected: asked.remove("expected"), ..Sample::default() };
        let scores = runtime.block_on(scorer.score(&cx, &sample, &Output { text, ..Output::default() }));
        let told: Object = scores.into_iter().map(|score| (score.name, json!(score.verdict))).collect();
        println!("{}", Value::Object(told));
    }
    Ok(())
}
