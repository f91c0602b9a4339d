//! What clients of each dialect do with an answer: keep what their SDK keeps, and send it back on the next turn.

use hanok_base::Dialect;
use serde_json::{Value, json};

/// Whether a client has a place for a provider's signatures.
pub(crate) fn keeps_signatures(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::Ollama | Dialect::OllamaGenerate)
}

/// Whether a client has a place for the ids of tool calls.
pub(crate) fn keeps_ids(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::Ollama | Dialect::OllamaGenerate)
}

/// The request behind `answer`, the answer to `request`: each tool call gets one of `results`, an answer without
/// calls a further question.
pub(crate) fn next_turn(dialect: Dialect, request: &Value, answer: &Value, results: &[&str]) -> Value {
    let mut next = request.clone();
    let mut results = results.iter();
    let mut result = || *results.next().unwrap();
    let (turns, said): (&str, Vec<Value>) = match dialect {
        Dialect::OpenAiChat => {
            let message = &answer["choices"][0]["message"];
            let mut said = vec![message.clone()];
            for call in items(&message["tool_calls"]) {
                said.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": result() }));
            }
            ("messages", said)
        }
        Dialect::OpenAiResponses => {
            let mut said = items(&answer["output"]).to_vec();
            for call in items(&answer["output"]).iter().filter(|item| item["type"] == "function_call") {
                let call_id = &call["call_id"];
                said.push(json!({ "type": "function_call_output", "call_id": call_id, "output": result() }));
            }
            ("input", said)
        }
        Dialect::AnthropicMessages => {
            let content = &answer["content"];
            let of_call = |call: &Value| json!({ "type": "tool_result", "tool_use_id": call["id"], "content": result() });
            let results: Vec<Value> =
                items(content).iter().filter(|block| block["type"] == "tool_use").map(of_call).collect();
            let mut said = vec![json!({ "role": "assistant", "content": content })];
            if !results.is_empty() {
                said.push(json!({ "role": "user", "content": results }));
            }
            ("messages", said)
        }
        Dialect::Gemini => {
            let content = &answer["candidates"][0]["content"];
            let of_call = |part: &Value| {
                let call = part.get("functionCall")?;
                let mut answer = json!({ "name": call["name"], "response": { "result": result() } });
                if let Some(id) = call.get("id") {
                    answer["id"] = id.clone();
                }
                Some(json!({ "functionResponse": answer }))
            };
            let results: Vec<Value> = items(&content["parts"]).iter().filter_map(of_call).collect();
            let mut said: Vec<Value> = content.is_object().then(|| content.clone()).into_iter().collect();
            if !results.is_empty() {
                said.push(json!({ "role": "user", "parts": results }));
            }
            ("contents", said)
        }
        Dialect::Ollama | Dialect::OllamaGenerate => {
            let message = &answer["message"];
            let mut kept = json!({ "role": "assistant", "content": message["content"] });
            if let Some(thinking) = message.get("thinking") {
                kept["thinking"] = thinking.clone();
            }
            let calls = items(&message["tool_calls"]);
            if !calls.is_empty() {
                let bare = |call: &Value| {
                    let function = &call["function"];
                    json!({ "function": { "name": function["name"], "arguments": function["arguments"] } })
                };
                kept["tool_calls"] = calls.iter().map(bare).collect();
            }
            let mut said = vec![kept];
            for call in calls {
                let name = &call["function"]["name"];
                said.push(json!({ "role": "tool", "tool_name": name, "content": result() }));
            }
            ("messages", said)
        }
    };
    next[turns].as_array_mut().unwrap().extend(said);
    next
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
