//! The prompts of a configuration: texts, conversations, files with one or several of them.

use super::files::{Files, Named};
use crate::spec::TemplateMessage;
use hanok_base::Object;
use serde_json::{Value, json};

/// Endings of files that prompts are in, where one is named without `file://`.
const ENDINGS: [&str; 17] = [
    "txt", "md", "json", "jsonl", "yaml", "yml", "csv", "j2", "js", "cjs", "mjs", "ts", "cts", "mts", "py",
    "sh", "rb",
];

const MADE: &str = "the prompt is a conversation that its template makes: write its messages one by one";

/// A prompt, or why there is none to run.
pub(super) type Prompt = Result<Asked, String>;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// One message.
    Text(String),
    /// Messages, as a task has them.
    Messages(Value),
}

/// The prompts of a configuration, in order; several of one file stand one after the other.
pub(super) fn prompts(files: &Files, listed: Option<&Value>) -> Vec<Prompt> {
    let items = match listed {
        None | Some(Value::Null) => return vec![Ok(Asked::Text("{{prompt}}".to_owned()))],
        Some(Value::Array(items)) => items.clone(),
        // `{"path.txt": "label"}`
        Some(Value::Object(paths)) if !paths.contains_key("raw") && !paths.contains_key("id") => {
            paths.keys().map(|path| Value::from(path.as_str())).collect()
        }
        Some(one) => vec![one.clone()],
    };
    items.iter().flat_map(|item| of_item(files, item)).collect()
}

fn of_item(files: &Files, item: &Value) -> Vec<Prompt> {
    let text = match item {
        Value::String(text) => text,
        Value::Object(members) => match (members.get("raw"), members.get("id"), members.get("content")) {
            (Some(Value::String(text)), ..)
            | (None, Some(Value::String(text)), None)
            | (None, _, Some(Value::String(text))) => text,
            (Some(raw @ (Value::Array(_) | Value::Object(_))), ..) => return vec![conversation(raw)],
            _ => return vec![Err("a prompt without `raw` or `id` has no counterpart".to_owned())],
        },
        Value::Array(_) => return vec![conversation(item)],
        other => return vec![Err(format!("the prompt {other} has no counterpart"))],
    };
    if let Some((scheme, _)) = text.split_once("://")
        && scheme != "file"
        && !scheme.is_empty()
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
        && !text.contains(char::is_whitespace)
    {
        return vec![Err(format!("the prompt `{text}` is kept elsewhere"))];
    }
    if text.starts_with("exec:") {
        return vec![Err(format!("the prompt is made by `{text}`, which is not run here"))];
    }
    let named = Named::of(text);
    let is_path = !text.contains(['\n', ' ']) && ENDINGS.contains(&named.ending().as_str());
    let is_file = text.starts_with("file://") || is_path || text.len() < 256 && files.has(text);
    if !is_file {
        return vec![of_text(text)];
    }
    if named.is_code() {
        return vec![Err(format!("the prompt is made by `{}`, which is not run here", named.path))];
    }
    match files.matching(named.path) {
        Ok(paths) => paths.iter().flat_map(|path| of_file(files, path)).collect(),
        Err(why) => vec![Err(format!("the prompt's file: {why}"))],
    }
}

fn of_file(files: &Files, path: &str) -> Vec<Prompt> {
    let prompts = match Named::of(path).ending().as_str() {
        "json" => files.text(path).map(|text| vec![of_text(&text)]),
        "yaml" | "yml" => files.data(path).map(|data| match data {
            Value::String(text) => vec![of_text(&text)],
            data => vec![conversation(&data)],
        }),
        "jsonl" => files.lines(path).map(|lines| lines.iter().map(conversation).collect()),
        "csv" => files.records(path).and_then(|records| {
            let prompts: Vec<Prompt> = records
                .iter()
                .filter_map(|record| record.get("prompt")?.as_str().filter(|text| !text.is_empty()))
                .map(of_text)
                .collect();
            if prompts.is_empty() { Err(format!("`{path}` has no column `prompt`")) } else { Ok(prompts) }
        }),
        "md" | "j2" => files.text(path).map(|text| vec![of_text(&text)]),
        _ if Named::of(path).is_code() => {
            Err(format!("the prompt is made by `{path}`, which is not run here"))
        }
        // Several prompts of one file stand between lines of dashes.
        _ => files.text(path).map(|text| {
            let lines: Vec<&str> = text.lines().collect();
            let texts = lines.split(|line| line.trim() == "---").map(|lines| lines.join("\n"));
            texts
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .map(|text| of_text(&text))
                .collect()
        }),
    };
    prompts.unwrap_or_else(|why| vec![Err(format!("the prompt's file: {why}"))])
}

/// A text; one that is JSON of messages is a conversation.
fn of_text(text: &str) -> Prompt {
    let text = text.trim_end_matches('\n');
    let looks = text.trim_start().starts_with('[') && text.contains("\"role\"");
    match serde_json::from_str::<Value>(text) {
        Ok(data @ Value::Array(_)) if looks => conversation(&data),
        Ok(Value::Object(members)) if members.contains_key("messages") => {
            conversation(members.get("messages").unwrap_or(&Value::Null))
        }
        Err(_) if looks => Err(MADE.to_owned()),
        _ if is_yaml(text) => match crate::import::yaml(std::path::Path::new(""), text) {
            Ok(data) => conversation(&data),
            Err(_) => Err(MADE.to_owned()),
        },
        _ => Ok(Asked::Text(text.to_owned())),
    }
}

/// Whether a text is a list of messages in YAML.
fn is_yaml(text: &str) -> bool {
    text.trim_start().starts_with("- role:")
}

/// Messages; those whose content is one text, as it is, or in parts.
fn conversation(data: &Value) -> Prompt {
    let Some(items) = data.as_array() else {
        return match data {
            Value::Object(members) if members.contains_key("messages") => {
                conversation(members.get("messages").unwrap_or(&Value::Null))
            }
            // What is no conversation is sent as it is written.
            data => Ok(Asked::Text(data.to_string())),
        };
    };
    if !items.iter().any(|item| item.get("role").is_some()) {
        return Ok(Asked::Text(data.to_string()));
    }
    let messages: Option<Vec<TemplateMessage>> = items.iter().map(message).collect();
    match messages {
        Some(messages) if !messages.is_empty() => Ok(Asked::Messages(json!(messages))),
        _ => Err("the prompt's messages hold more than texts (pictures, calls, results of tools)".to_owned()),
    }
}

fn message(item: &Value) -> Option<TemplateMessage> {
    let members: &Object = item.as_object()?;
    let text = match members.get("content")? {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts.iter().map(text_of).collect();
            texts?.join("\n")
        }
        _ => return None,
    };
    let role = serde_json::from_value(members.get("role")?.clone()).ok()?;
    let plain = members.keys().all(|name| name == "role" || name == "content");
    plain.then_some(TemplateMessage { role, content: text })
}

/// The text of a part that is nothing else.
fn text_of(part: &Value) -> Option<&str> {
    let members = part.as_object()?;
    let is_text = matches!(members.get("type").and_then(Value::as_str), Some("text" | "input_text"));
    members.get("text").and_then(Value::as_str).filter(|_| is_text && members.len() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("two.txt", "One {{a}}\n---\nTwo\nlines\n");
        write(
            "chat.json",
            r#"[{"role": "system", "content": "Be short"}, {"role": "user", "content": "{{q}}"}]"#,
        );
        write("chat.yaml", "- role: user\n  content: '{{q}}'\n");
        write("three.csv", "prompt,label\nHi {{a}},x\n\"Ho, {{a}}\",y\n");
        write("made.py", "def f(): pass\n");
        let files = Files::beside(&folder.path().join("c.yaml"));
        let check = |listed: Value, expect: &[&str]| {
            let read = prompts(&files, Some(&listed));
            let told: Vec<String> = read
                .into_iter()
                .map(|prompt| match prompt {
                    Ok(Asked::Text(text)) => text,
                    Ok(Asked::Messages(messages)) => messages.to_string(),
                    Err(why) => format!("! {why}"),
                })
                .collect();
            assert_eq!(told.len(), expect.len(), "{listed}: {told:?}");
            for (told, expect) in told.iter().zip(expect) {
                assert!(told.contains(expect), "{listed}: {told}");
            }
        };
        check(json!("Say {{x}}"), &["Say {{x}}"]);
        check(json!(["file://two.txt", "three.csv"]), &["One {{a}}", "Two\nlines", "Hi {{a}}", "Ho, {{a}}"]);
        check(json!(["file://*.json"]), &["Be short"]);
        check(json!([{"id": "file://chat.yaml", "label": "c"}]), &[r#""role":"user""#]);
        check(json!({"two.txt": "label"}), &["One", "Two"]);
        check(json!([{"raw": "Hi", "label": "x", "config": {}}]), &["Hi"]);
        check(json!(["made.py:f"]), &["! the prompt is made by"]);
        check(
            json!(["langfuse://mine:3:text"]),
            &["! the prompt `langfuse://mine:3:text` is kept elsewhere"],
        );
        check(json!(["file://none.txt"]), &["! the prompt's file"]);
        check(
            json!([r#"[{"role": "user", "content": [{"type": "text", "text": "a"}]}]"#]),
            &[r#""content":"a""#],
        );
        check(
            json!([
                r#"[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{u}}"}}]}]"#
            ]),
            &["! the prompt's messages hold more"],
        );
        check(
            json!([r#"[{% for m in h %}{"role": "user"}{% endfor %}]"#]),
            &["! the prompt is a conversation"],
        );
    }
}
