//! Embeddings of openai-chat.

use crate::{OPENAI, wire};
use hanok_base::{Dialect, EmbedInput, EmbedRequest, EmbedResponse, Object, Route, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

fn decoded(body: &Value) -> Result<EmbedRequest, String> {
    let got = wire(OPENAI).decode_embed_request(Route::Embeddings, body.to_string().as_bytes());
    got.map_err(|error| error.to_string())
}

#[test]
fn inputs() {
    let text = |text: &str| EmbedInput::Text(text.to_owned());
    let check = |input: Value, expect: Result<Vec<EmbedInput>, &str>| {
        let got = decoded(&json!({ "model": "m", "input": input })).map(|request| request.inputs);
        match expect {
            Ok(expect) => assert_eq!(got, Ok(expect), "{input}"),
            Err(part) => assert!(got.as_ref().is_err_and(|error| error.contains(part)), "{input}: {got:?}"),
        }
    };
    check(json!("a"), Ok(vec![text("a")]));
    check(json!(["a", "b"]), Ok(vec![text("a"), text("b")]));
    check(json!([1, 2]), Ok(vec![EmbedInput::Tokens(vec![1, 2])]));
    check(json!([[1, 2], [3]]), Ok(vec![EmbedInput::Tokens(vec![1, 2]), EmbedInput::Tokens(vec![3])]));
    check(json!(null), Err("`input`: is required"));
    check(json!([]), Err("`input`: must hold at least one text"));
    check(json!(""), Err("`input`: must not be empty"));
    check(json!(["a", ""]), Err("`input[1]`: must not be empty"));
    check(json!([[1], []]), Err("`input[1]`: must not be empty"));
    check(json!([1, "a"]), Err("`input`: must hold token numbers only"));
    check(json!([[-1], [2]]), Err("`input[0]`: must hold token numbers only"));
    check(json!([["a"]]), Err("`input`: must hold token numbers only"));
    check(json!({ "text": "a" }), Err("`input`: must be a text or an array of tokens"));
    check(json!(vec!["a"; 2_049]), Err("`input`: holds 2049 inputs; at most 2048"));
    assert_eq!(decoded(&json!({ "model": "m", "input": vec!["a"; 2_048] })).unwrap().inputs.len(), 2_048);
}

#[test]
fn requests() {
    let body = json!({
        "model": "m", "input": ["a"], "encoding_format": "base64", "dimensions": 256, "user": "u", "input_type": "query"
    });
    let request = decoded(&body).unwrap();
    let encoded = wire(OPENAI).encode_embed_request(&request).unwrap();
    let expect =
        json!({ "model": "m", "input": ["a"], "dimensions": 256, "user": "u", "input_type": "query" });
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).unwrap(), expect);
    assert_eq!(encoded.lost, []);

    let foreign =
        EmbedRequest { dialect: Some(Dialect::Gemini), task: Some("QUERY".into()), ..request.clone() };
    let lost = wire(OPENAI).encode_embed_request(&foreign).unwrap().lost;
    assert_eq!(lost.iter().map(|lost| lost.param.as_str()).collect::<Vec<_>>(), ["input_type", "task"]);

    let mixed = [EmbedInput::Text("a".into()), EmbedInput::Tokens(vec![1])].to_vec();
    let error = wire(OPENAI).encode_embed_request(&EmbedRequest { inputs: mixed, ..request }).unwrap_err();
    assert!(error.to_string().contains("not some of each"), "{error}");

    let check = |body: Value, part: &str| {
        let error = decoded(&body).unwrap_err();
        assert!(error.contains(part), "{body}: {error}");
    };
    check(json!({ "input": "a" }), "`model`: is required");
    check(
        json!({ "model": "m", "input": "a", "encoding_format": "int8" }),
        "must be \"float\" or \"base64\"",
    );
    check(json!({ "model": "m", "input": "a", "dimensions": 0 }), "`dimensions`: must be from 1");
    check(json!({ "model": "m", "input": "a", "dimensions": "1" }), "`dimensions`: must be a whole number");
}

#[test]
fn answers() {
    let check = |body: &str, expect: Result<&[&[f32]], &str>| {
        let got = wire(OPENAI).decode_embed_response(body.as_bytes());
        match expect {
            Ok(expect) => assert_eq!(got.unwrap().vectors, expect, "{body}"),
            Err(part) => {
                let error = got.unwrap_err().to_string();
                assert!(error.contains(part), "{body}: {error}");
            }
        }
    };
    check(
        r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":[3,-4e-1]},{"object":"embedding","index":0,"embedding":"AACAPwAAAMA="}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}"#,
        Ok(&[&[1.0, -2.0], &[3.0, -0.4]]),
    );
    check(r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#, Ok(&[&[1.0], &[2.0]]));
    check(r#"{"data":[]}"#, Ok(&[]));
    check("{}", Err("`data`: is missing"));
    check(r#"{"error":{"message":"no such model"}}"#, Err("no such model"));
    check(
        r#"{"data":[{"embedding":[1]},{"embedding":[2,3]}]}"#,
        Err("`data[1].embedding`: is of another length"),
    );
    check(r#"{"data":[{"embedding":[]}]}"#, Err("is of another length"));
    check(
        r#"{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[2]}]}"#,
        Err("`data[1]`: is missing"),
    );
    check(r#"{"data":[{"embedding":"AACAPw="}]}"#, Err("no base64"));
    check(r#"{"data":[{"embedding":"AACA"}]}"#, Err("no base64 of 32-bit floats"));
    check(r#"{"data":[{"embedding":"AADAfw=="}]}"#, Err("what is no number"));
    check(r#"{"data":[{"embedding":[1e300]}]}"#, Err("number out of range"));
    check(r#"{"data":[{"embedding":{}}]}"#, Err("an array of numbers, or base64"));
}

#[test]
fn bytes() {
    let usage = Usage { input: Some(7), ..Usage::default() };
    let response = EmbedResponse { model: "m".into(), vectors: vec![vec![1.0, -2.0], vec![0.1, 0.0]], usage };
    let check = |request: &str, expect: &str| {
        let bytes = wire(OPENAI).encode_embed_response(Route::Embeddings, &response, request.as_bytes());
        assert_eq!(String::from_utf8(bytes).unwrap(), expect);
    };
    let floats = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,-2.0]},{"object":"embedding","index":1,"embedding":[0.1,0.0]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    check(r#"{"input":"a"}"#, floats);
    check(r#"{"input":"a","encoding_format":"float"}"#, floats);
    check("", floats);
    check(
        r#"{"encoding_format":"base64"}"#,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAMA="},{"object":"embedding","index":1,"embedding":"zczMPQAAAAA="}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#,
    );
}

/// The dialects with embeddings, a line each.
#[rustfmt::skip]
const DIALECTS: &[Dialect] = &[
    Dialect::OpenAiChat,
    Dialect::Gemini,
    Dialect::Ollama,
];

/// A client of each dialect over a provider of each.
#[test]
fn translated() {
    let body = |dialect: Dialect| match dialect {
        Dialect::Gemini => {
            let entry =
                |text: &str| json!({ "model": "models/m", "content": { "parts": [{ "text": text }] } });
            (Route::BatchEmbeddings, json!({ "requests": [entry("a"), entry("b")] }))
        }
        _ => (Route::Embeddings, json!({ "model": "m", "input": ["a", "b"] })),
    };
    let inputs = ["a", "b"].map(|text| EmbedInput::Text(text.to_owned()));
    let usage = Usage { input: Some(7), ..Usage::default() };
    let answer = EmbedResponse { model: "m".into(), vectors: vec![vec![0.5, -1.0], vec![0.0, 2.0]], usage };
    for client in DIALECTS {
        for provider in DIALECTS {
            let place = format!("{} over {}", client.as_str(), provider.as_str());
            let (route, asked) = body(*client);
            let asked = asked.to_string();
            let request = EmbedRequest {
                model: "m".into(),
                ..wire(*client).decode_embed_request(route, asked.as_bytes()).unwrap()
            };
            assert_eq!(request.inputs, inputs, "{place}");
            let encoded = wire(*provider).encode_embed_request(&request).unwrap();
            assert_eq!(encoded.lost, [], "{place}");
            let got = wire(*provider).decode_embed_request(body(*provider).0, &encoded.body).unwrap();
            assert_eq!(got.inputs, inputs, "{place}");

            let provided = wire(*provider).encode_embed_response(body(*provider).0, &answer, &encoded.body);
            let got = wire(*provider).decode_embed_response(&provided).unwrap();
            let shown = wire(*client).encode_embed_response(route, &got, asked.as_bytes());
            let shown = wire(*client).decode_embed_response(&shown).unwrap();
            assert_eq!(shown.vectors, answer.vectors, "{place}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn vectors_survive_to_the_bit(
        vectors in (1..9_usize).prop_flat_map(|length| {
            let number = any::<f32>().prop_filter("finite", |number| number.is_finite());
            prop::collection::vec(prop::collection::vec(number, length), 1..4)
        }),
        base64: bool,
        input in 0..1_000_u64,
    ) {
        let usage = Usage { input: Some(input), ..Usage::default() };
        let response = EmbedResponse { model: "m".into(), vectors, usage };
        let mut request = Object::new();
        if base64 {
            request.insert("encoding_format".into(), "base64".into());
        }
        let request = Value::Object(request).to_string();
        let bytes = wire(OPENAI).encode_embed_response(Route::Embeddings, &response, request.as_bytes());
        prop_assert_eq!(wire(OPENAI).decode_embed_response(&bytes).unwrap(), response);
    }
}
