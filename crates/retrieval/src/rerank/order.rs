//! What a model says the order is, read strictly.

use hanok_base::{Object, OutputFormat};
use serde::Deserialize;
use serde_json::json;

/// The form of an answer that a provider can hold its model to.
pub(super) fn schema() -> OutputFormat {
    OutputFormat::JsonSchema {
        name: "order".to_owned(),
        schema: Some(json!({
            "type": "object",
            "properties": { "order": { "type": "array", "items": { "type": "integer" } } },
            "required": ["order"],
            "additionalProperties": false,
        })),
        strict: Some(true),
        extra: Object::new(),
    }
}

/// Places from 0 in the order an answer gives them: `[2] > [1]`, or `{"order": [2, 1]}`, each of `count` passages
/// exactly once and nothing else beside. What is wrong, where it is anything else.
pub(super) fn read(answer: &str, count: usize) -> Result<Vec<usize>, &'static str> {
    let answer = answer.trim();
    let numbers = if answer.starts_with('{') { of_json(answer)? } else { of_text(answer)? };
    let mut seen = vec![false; count];
    let mut order = Vec::with_capacity(count);
    for number in numbers {
        let at = number.checked_sub(1).ok_or("it names a passage 0")?;
        match seen.get_mut(at) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return Err("it names a passage twice"),
            None => return Err("it names a passage that there is not"),
        }
        order.push(at);
    }
    if order.len() == count { Ok(order) } else { Err("it leaves passages out") }
}

fn of_json(answer: &str) -> Result<Vec<usize>, &'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        order: Vec<usize>,
    }
    serde_json::from_str::<Order>(answer).map(|order| order.order).map_err(|_| "it is not the JSON asked for")
}

fn of_text(answer: &str) -> Result<Vec<usize>, &'static str> {
    let number = |text: &str| {
        let digits = text.trim().strip_prefix('[')?.strip_suffix(']')?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    answer.split('>').map(number).collect::<Option<_>>().ok_or("it is no order of passages")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_order_is_one() {
        let check = |answer: &str, count: usize, expect: Result<&[usize], &str>| match (
            read(answer, count),
            expect,
        ) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{answer}"),
            (Err(got), Err(expect)) => assert!(got.contains(expect), "{answer}: {got}"),
            (got, _) => panic!("{answer}: {got:?}"),
        };
        check("[2] > [3] > [1]", 3, Ok(&[1, 2, 0]));
        check("\n[2]>[1]\n", 2, Ok(&[1, 0]));
        check(r#"{"order":[3,1,2]}"#, 3, Ok(&[2, 0, 1]));
        check("[1]", 1, Ok(&[0]));
        check("[2] > [1]", 3, Err("leaves passages out"));
        check("[2] > [2] > [1]", 3, Err("twice"));
        check("[4] > [2] > [1]", 3, Err("there is not"));
        check("[0] > [1]", 2, Err("passage 0"));
        check("[99999999999999999999] > [1]", 2, Err("no order"));
        check("The order is [2] > [1]", 2, Err("no order"));
        check("[2] > [1].", 2, Err("no order"));
        check("[+2] > [1]", 2, Err("no order"));
        check("2 > 1", 2, Err("no order"));
        check("", 2, Err("no order"));
        check(r#"{"order":[2,1],"why":"because"}"#, 2, Err("not the JSON"));
        check(r#"{"order":[2,-1]}"#, 2, Err("not the JSON"));
        check(r#"{"order":[2,1]} and so on"#, 2, Err("not the JSON"));
    }
}
