//! What holds for any bytes.

use super::*;

static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let found = [("", "sse"), ("", "json"), ("requests", "json")].map(|(below, kind)| all(below, kind));
    found.into_iter().flatten().map(|(_, bytes)| bytes).collect()
});

/// A fixture, whole or with some bytes put in, put out or put for others.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"\r\n\n\"{}[]:,\\ d\xEF\xFF".as_slice()), any::<u8>()];
    let damage = vec((any::<Index>(), 0..3_u8, byte), 0..4);
    (select(FIXTURES.as_slice()), damage).prop_map(|(mut bytes, damage)| {
        for (at, how, byte) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                _ if at == bytes.len() => {}
                1 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn state_stream<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<Bytes>) {
    let state = kept::State {
        store: true,
        previous_response_id: Some("resp_before".to_owned()),
        background: false,
        conversation: false,
    };
    let mut stream = kept::StateStream::new(state);
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&stream.feed(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&stream.finish());
    (out, stream.response().cloned())
}

/// Deltas of several parts, in any order.
fn turns() -> impl Strategy<Value = Vec<StreamEvent>> {
    vec((0..5_usize, "[a-z{}\" é한]{0,4}", any::<bool>()), 0..24).prop_map(|steps| {
        let mut events = vec![start()];
        let mut parts: Vec<(usize, bool)> = Vec::new();
        for (which, piece, end_it) in steps {
            let part = if let Some((part, _)) =
                parts.iter().find(|(_, kind)| usize::from(*kind) == which % 2 && which > 2).copied()
            {
                part
            } else {
                let part = parts.len();
                let value = match which % 4 {
                    0 => Part::Text(String::new()),
                    1 => Part::ToolCall(call(&format!("c{part}"), "")),
                    2 => Part::Reasoning(Reasoning::default()),
                    _ => Part::Refusal(String::new()),
                };
                events.push(begin(part, value));
                parts.push((part, which % 2 == 1));
                part
            };
            let kind = events.iter().find_map(|event| match event {
                StreamEvent::PartStart { part: of, value, .. } if *of == part => Some(value.clone()),
                _ => None,
            });
            let ended = events.contains(&super::end(part));
            if ended {
                continue;
            }
            events.push(grow(
                part,
                match kind.unwrap() {
                    Part::ToolCall(_) => Delta::Arguments(piece),
                    Part::Reasoning(_) => Delta::Reasoning(piece),
                    _ => Delta::Text(piece),
                },
            ));
            if end_it {
                events.push(super::end(part));
            }
        }
        events.push(finish(FinishReason::Stop));
        events
    })
}

/// All that was said, by kind: texts, refusals and thoughts joined, calls by id.
fn said(response: &ChatResponse) -> (String, String, String, Vec<(String, String)>) {
    let mut out = (String::new(), String::new(), String::new(), Vec::new());
    for part in &response.choices[0].message.parts {
        match part {
            Part::Text(text) => out.0.push_str(text),
            Part::Refusal(text) => out.1.push_str(text),
            Part::Reasoning(reasoning) => out.2.push_str(&reasoning.text),
            Part::ToolCall(call) => out.3.push((call.id.clone(), call.arguments.clone())),
            _ => {}
        }
    }
    // A part that goes on behind another one is another item, so that the order may be another one.
    for text in [&mut out.0, &mut out.1, &mut out.2] {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        *text = characters.into_iter().collect();
    }
    out.3.sort();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same(bytes in damaged(), cuts in vec(any::<usize>(), 0..12)) {
        let pieces = cut(&bytes, &cuts);
        prop_assert_eq!(decode(pieces.clone()), decode([bytes.as_slice()]));
        prop_assert_eq!(guard(pieces.clone()), guard([bytes.as_slice()]));
        prop_assert_eq!(guard(bytes.chunks(1)), guard([bytes.as_slice()]));
        prop_assert_eq!(state_stream(pieces), state_stream([bytes.as_slice()]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop_oneof![damaged(), vec(any::<u8>(), 0..200)]) {
        let wire = wire();
        let body = Bytes::from(bytes.clone());
        if let Ok(peek) = wire.peek(Route::Chat, &bytes) {
            wire.patch(&body, &peek, &Patch { model: "other", max_tokens: Some(1), ..Patch::default() });
        }
        drop(wire.decode_request(&bytes).map(|request| wire.encode_request(&request, RequestOptions::default()).body));
        drop(wire.decode_response(&bytes).map(|response| wire.encode_response(&response, &bytes)));
        drop(wire.summarise(&bytes));
        drop(wire.decode_error(400, &bytes, &"p".into()));
        drop(kept::peek_state(&bytes));
        drop(kept::expand(&body, &[json!({ "id": "msg_old" })]));
        drop(kept::resolve(&body, &[json!({ "id": "msg_old" })]));
        drop(kept::references(&bytes));
        kept::for_upstream(&body);
        drop(kept::StoredItems::of(&bytes, &bytes));
        drop(kept::cancelled(&bytes));
        let (events, _) = decode([bytes.as_slice()]);
        encode(&events, "");
        guard([bytes.as_slice()]);
    }

    /// However the parts of an answer grow, a client gets all of them, and reads the same from the last event
    /// as from those before it.
    #[test]
    fn nothing_is_lost_in_any_order(turns in turns()) {
        let whole = collect(turns.clone()).unwrap();
        let sent = encode(&turns, "");
        let (decoded, end) = decode([sent.as_slice()]);
        prop_assert_eq!(end, Ok(()));
        let last = events(&sent).pop().unwrap();
        let last = wire().decode_response(last["response"].to_string().as_bytes()).unwrap();
        prop_assert_eq!(said(&last), said(&whole));
        let again = collect(decoded).unwrap();
        let (text, refusal, thought, _) = said(&again);
        let (text_, refusal_, thought_, _) = said(&whole);
        prop_assert_eq!((text, refusal, thought), (text_, refusal_, thought_));
        prop_assert_eq!(guard([sent.as_slice()]).fault, None);
    }
}
