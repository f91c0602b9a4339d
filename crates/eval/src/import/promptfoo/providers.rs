//! The providers of a configuration, as tasks of ours.

use super::files::{Files, Named};
use super::notes::Notes;
use super::prompts::Asked;
use hanok_base::Object;
use serde_json::{Value, json};

/// Their names of vendors, with what may stand between vendor and model, and ours.
const VENDORS: [(&str, &[&str], &str); 25] = [
    ("openai", &["chat", "responses", "completion"], "openai"),
    ("anthropic", &["messages", "completion"], "anthropic"),
    ("google", &[], "gemini"),
    ("palm", &[], "gemini"),
    ("ollama", &["chat", "completion"], "ollama"),
    ("azure", &["chat", "responses"], "azure"),
    ("azureopenai", &["chat"], "azure"),
    ("openrouter", &[], "openrouter"),
    ("mistral", &[], "mistral"),
    ("groq", &[], "groq"),
    ("deepseek", &[], "deepseek"),
    ("xai", &[], "xai"),
    ("cerebras", &[], "cerebras"),
    ("perplexity", &[], "perplexity"),
    ("togetherai", &["chat"], "together"),
    ("fireworks", &[], "fireworks"),
    ("cohere", &[], "cohere"),
    ("voyage", &[], "voyage"),
    ("moonshot", &[], "moonshot"),
    ("nvidia", &[], "nvidia"),
    ("vllm", &[], "vllm"),
    ("llamacpp", &[], "llamacpp"),
    ("jina", &[], "jina"),
    ("prompt", &[], "prompt"),
    ("agent", &[], "agent"),
];
/// Kinds of models that are no chat's.
const OTHERS: [&str; 12] = [
    "embedding",
    "embeddings",
    "image",
    "moderation",
    "assistant",
    "realtime",
    "transcription",
    "speech",
    "video",
    "live",
    "agents",
    "codex",
];

/// Our name of a provider's model.
pub(crate) fn model_name(id: &str) -> Option<String> {
    let (vendor, rest) = id.split_once(':')?;
    let (_, kinds, ours) = VENDORS.iter().find(|(theirs, ..)| *theirs == vendor)?;
    let model = match rest.split_once(':') {
        Some((kind, _)) if OTHERS.contains(&kind) => return None,
        Some((kind, model)) if kinds.contains(&kind) => model,
        _ => rest,
    };
    (!model.is_empty() && !OTHERS.contains(&model)).then(|| format!("{ours}/{model}"))
}

/// promptfoo's id of a model of ours.
pub(crate) fn provider_id(model: &str) -> String {
    match model.split_once('/') {
        Some(("anthropic", model)) => format!("anthropic:messages:{model}"),
        Some(("gemini", model)) => format!("google:{model}"),
        Some(("ollama", model)) => format!("ollama:chat:{model}"),
        Some(("azure", model)) => format!("azure:chat:{model}"),
        Some(("together", model)) => format!("togetherai:{model}"),
        Some((vendor, model)) => format!("{vendor}:{model}"),
        None => model.to_owned(),
    }
}

/// The model that a provider means: `openai:gpt-5`, `{id: …}`, or `{text: {…}, embedding: {…}}`.
pub(super) fn judge_name(provider: &Value) -> Option<String> {
    match provider {
        Value::String(id) => model_name(id),
        Value::Object(members) => {
            let inner = members.get("text").and_then(judge_name);
            inner.or_else(|| model_name(members.get("id")?.as_str()?))
        }
        _ => None,
    }
}

/// A provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Provider {
    pub(super) id: String,
    config: Object,
    transform: Option<Value>,
    /// Members that change what is asked, and are not taken over.
    others: Vec<String>,
}

/// The providers of a configuration, in order; those of files in their place.
pub(super) fn providers(files: &Files, listed: &[&Value]) -> Vec<Provider> {
    let items = listed.iter().flat_map(|listed| match listed {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![*one],
    });
    items.flat_map(|item| of_item(files, item, true)).collect()
}

fn of_item(files: &Files, item: &Value, may_read: bool) -> Vec<Provider> {
    let of_object = |id: &str, members: &Object| Provider {
        id: id.to_owned(),
        config: members.get("config").and_then(Value::as_object).cloned().unwrap_or_default(),
        transform: members.get("transform").cloned(),
        others: ["prompts", "inputs", "env", "delay"]
            .into_iter()
            .filter(|name| members.contains_key(*name))
            .map(str::to_owned)
            .collect(),
    };
    match item {
        Value::String(id) => {
            let named = Named::of(id);
            let is_list =
                id.starts_with("file://") && ["yaml", "yml", "json"].contains(&named.ending().as_str());
            match files.data(named.path) {
                Ok(Value::Array(items)) if is_list && may_read => {
                    items.iter().flat_map(|item| of_item(files, item, false)).collect()
                }
                Ok(data @ Value::Object(_)) if is_list && may_read => of_item(files, &data, false),
                _ => vec![Provider { id: id.clone(), ..Provider::default() }],
            }
        }
        Value::Object(members) => match (members.get("id"), members.iter().next()) {
            (Some(Value::String(id)), _) => vec![of_object(id, members)],
            // `openai:gpt-5: {config: …}`
            (None, Some((id, Value::Object(inner)))) => {
                vec![of_object(inner.get("id").and_then(Value::as_str).unwrap_or(id), inner)]
            }
            _ => vec![Provider::default()],
        },
        _ => vec![Provider::default()],
    }
}

/// What a provider is asked as a task; `model` is asked in its place where given.
pub(super) fn task(
    files: &Files,
    provider: &Provider,
    prompt: Asked,
    model: Option<&str>,
    notes: &mut Notes,
) -> Result<Value, String> {
    let id = provider.id.as_str();
    for name in &provider.others {
        notes
            .lacks(format!("the provider's `{name}` is not taken over; it is kept and given back on export"));
    }
    if model.is_none() {
        if id == "echo" {
            return match prompt {
                Asked::Text(template) => Ok(json!({ "kind": "echo", "template": template })),
                Asked::Messages(messages) => Ok(json!({ "kind": "echo", "template": messages.to_string() })),
            };
        }
        if matches!(id, "http" | "https") || id.starts_with("http://") || id.starts_with("https://") {
            return endpoint(provider, &prompt)
                .map_err(|why| format!("the provider `{id}`: {why}; write a task of kind `http`"));
        }
    }
    let Some(named) = model.map(str::to_owned).or_else(|| model_name(id)) else {
        return Err(format!(
            "the provider `{id}` has no counterpart: give a model with --model, or write a task of kind `http` or `command`"
        ));
    };
    let mut task =
        Object::from_iter([("kind".to_owned(), "model".into()), ("model".to_owned(), named.into())]);
    match prompt {
        Asked::Text(template) => task.insert("template".to_owned(), template.into()),
        Asked::Messages(messages) => task.insert("messages".to_owned(), messages),
    };
    for (name, value) in &provider.config {
        if !sampling(files, name, value, &mut task) {
            notes.lacks(format!(
                "the provider's `{name}` is not taken over; it is kept and given back on export"
            ));
        }
    }
    Ok(Value::Object(task))
}

/// Takes a member of a provider's configuration over; `false` where there is nothing like it.
fn sampling(files: &Files, name: &str, value: &Value, task: &mut Object) -> bool {
    let ours = match name {
        "temperature" | "top_p" | "seed" | "max_tokens" => name,
        "maxTokens" | "max_output_tokens" | "maxOutputTokens" | "max_completion_tokens" => "max_tokens",
        "topP" => "top_p",
        "reasoning_effort" | "reasoning" => "reasoning_effort",
        "response_format" => "schema",
        "tools" => "tools",
        // It stands before a text; messages say for themselves.
        "instructions" if task.contains_key("template") => "system",
        _ => return false,
    };
    let value = match ours {
        "temperature" | "top_p" => value.is_number().then(|| value.clone()),
        "max_tokens" => value.is_u64().then(|| value.clone()),
        "seed" => value.is_i64().then(|| value.clone()),
        "system" => value.is_string().then(|| value.clone()),
        "reasoning_effort" => value.as_str().or_else(|| value.get("effort")?.as_str()).map(Value::from),
        _ => {
            let read = match value.as_str() {
                Some(path) if path.starts_with("file://") => files.data(Named::of(path).path).ok(),
                _ => Some(value.clone()),
            };
            read.and_then(|value| if ours == "tools" { tools(&value) } else { schema(&value) })
        }
    };
    match value {
        Some(value) if !holds_null(&value) => {
            task.insert(ours.to_owned(), value);
            true
        }
        _ => false,
    }
}

/// Whether TOML could not say it.
pub(super) fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}

/// The schema of `{"type": "json_schema", "json_schema": {"schema": …}}`, or of the Responses API's form.
fn schema(format: &Value) -> Option<Value> {
    let is_schema = format.get("type").and_then(Value::as_str) == Some("json_schema");
    let schema = format.pointer("/json_schema/schema").or_else(|| format.get("schema"));
    schema.filter(|schema| is_schema && schema.is_object()).cloned()
}

/// Tools as chat completions write them; those of Anthropic's form are rewritten.
fn tools(listed: &Value) -> Option<Value> {
    let tool = |tool: &Value| {
        if tool.get("function").is_some_and(Value::is_object) {
            return Some(tool.clone());
        }
        let parameters = tool.get("input_schema").or_else(|| tool.get("parameters"))?;
        Some(json!({
            "type": "function",
            "function": {
                "name": tool.get("name")?, "description": tool.get("description").and_then(Value::as_str).unwrap_or_default(),
                "parameters": parameters,
            },
        }))
    };
    listed.as_array()?.iter().map(tool).collect::<Option<Vec<_>>>().map(Value::Array)
}

/// An endpoint: its body has `{{prompt}}` where the prompt goes.
fn endpoint(provider: &Provider, prompt: &Asked) -> Result<Value, String> {
    let config = &provider.config;
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let url = text("url").unwrap_or(&provider.id);
    if !url.starts_with("http") || url.split("://").nth(1).is_none_or(|rest| rest.starts_with("{{")) {
        return Err("its URL is not written out".to_owned());
    }
    let taken = ["url", "method", "headers", "body", "transformResponse", "responseParser"];
    if let Some(other) = config.keys().find(|name| !taken.contains(&name.as_str())) {
        return Err(format!("its `{other}` has no counterpart"));
    }
    if provider.transform.is_some() {
        return Err("its `transform` has no counterpart".to_owned());
    }
    let Asked::Text(template) = prompt else {
        return Err("a conversation is sent to no endpoint".to_owned());
    };
    let mut headers = Object::new();
    for (name, value) in config.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().ok_or_else(|| format!("its header `{name}` is no text"))?;
        let inner = value.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let variable = inner.and_then(|inner| inner.trim().strip_prefix("env."));
        match variable {
            Some(variable) => headers.insert(name.clone(), format!("env:{}", variable.trim()).into()),
            None if value.contains("{{") => return Err(format!("its header `{name}` is made of variables")),
            None => headers.insert(name.clone(), value.into()),
        };
    }
    let body = match config.get("body") {
        None => None,
        Some(Value::String(body)) => {
            Some(serde_json::from_str::<Value>(body).map_err(|_| "its body is no JSON".to_owned())?)
        }
        Some(body) => Some(body.clone()),
    };
    let body = body.map(|body| with_prompt(&body, template));
    let output = text("transformResponse").or_else(|| text("responseParser")).map(pointer).transpose()?;
    Ok(json!({
        "kind": "http", "url": with_prompt(&json!(url), template), "method": text("method").unwrap_or("POST"),
        "headers": headers, "body": body, "output": output,
    }))
}

/// Texts with the prompt in place of `{{prompt}}`.
fn with_prompt(value: &Value, template: &str) -> Value {
    match value {
        Value::String(text) => {
            let mut filled = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("{{") {
                filled.push_str(before);
                match after.split_once("}}") {
                    Some((name, behind)) if name.trim() == "prompt" => {
                        filled.push_str(template);
                        rest = behind;
                    }
                    _ => {
                        filled.push_str("{{");
                        rest = after;
                    }
                }
            }
            filled.push_str(rest);
            Value::String(filled)
        }
        Value::Array(items) => items.iter().map(|item| with_prompt(item, template)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), with_prompt(value, template))).collect()
        }
        other => other.clone(),
    }
}

/// A JSON pointer of `json.choices[0].message`; what is more than a way into the answer is code.
fn pointer(code: &str) -> Result<String, String> {
    let failed = || format!("`{code}` is code that reads its answer");
    let rest = code.trim().strip_prefix("json").ok_or_else(failed)?;
    let mut pointer = String::new();
    let flat = rest.replace("?.", ".").replace(['[', ']'], ".");
    for step in flat.split('.').map(|step| step.trim_matches(['\'', '"'])).filter(|step| !step.is_empty()) {
        if !step.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
            return Err(failed());
        }
        pointer.push('/');
        pointer.push_str(step);
    }
    Ok(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models() {
        let check = |id: &str, expect: Option<&str>| assert_eq!(model_name(id).as_deref(), expect, "{id}");
        check("openai:gpt-5-mini", Some("openai/gpt-5-mini"));
        check("openai:chat:gpt-5", Some("openai/gpt-5"));
        check("anthropic:messages:claude-sonnet-4-5", Some("anthropic/claude-sonnet-4-5"));
        check("google:gemini-2.5-pro", Some("gemini/gemini-2.5-pro"));
        check("ollama:llama3.2:3b", Some("ollama/llama3.2:3b"));
        check("togetherai:meta-llama/Llama-3", Some("together/meta-llama/Llama-3"));
        check("openai:embedding:text-embedding-3-large", None);
        check("openai:image:dall-e-3", None);
        check("bedrock:anthropic.claude", None);
        check("file://provider.py", None);
        for model in ["openai/gpt-5", "anthropic/claude", "azure/mine", "together/x/y", "gemini/g"] {
            assert_eq!(model_name(&provider_id(model)).as_deref(), Some(model));
        }
    }

    #[test]
    fn endpoints_become_tasks() {
        let files = Files::beside(std::path::Path::new("c.yaml"));
        let made = |config: Value| {
            let listed = json!([{ "id": "https", "config": config }]);
            let provider = providers(&files, &[&listed]).remove(0);
            task(&files, &provider, Asked::Text("Say {{word}}".into()), None, &mut Notes::default())
        };
        let config = json!({
            "url": "https://x.test/chat", "headers": {"authorization": "{{ env.KEY }}", "x": "1"},
            "body": {"messages": [{"role": "user", "content": "{{prompt}} {{more}}"}]},
            "transformResponse": "json.choices[0].message.content",
        });
        let task = made(config).unwrap();
        assert_eq!(task["body"]["messages"][0]["content"], "Say {{word}} {{more}}");
        assert_eq!(
            (&task["headers"]["authorization"], &task["output"]),
            (&json!("env:KEY"), &json!("/choices/0/message/content"))
        );
        let check = |config: Value, part: &str| {
            let why = made(config).unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        check(json!({"url": "{{env.URL}}/x"}), "not written out");
        check(json!({"url": "https://x.test", "transformResponse": "json.a.map(x => x.b)"}), "is code");
        check(json!({"url": "https://x.test", "sessionParser": "x"}), "`sessionParser`");
        check(json!({"url": "https://x.test", "headers": {"a": "Bearer {{env.K}}"}}), "made of variables");
    }
}
