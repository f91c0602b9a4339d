//! Where an answer's stretches come from: `groundingMetadata` and `citationMetadata` to citations and back. The
//! API counts bytes of the text, citations count code points.

use super::forms::whole;
use hanok_base::chat::Quote;
use hanok_base::{Citation, Object};
use serde_json::{Value, json};

/// The text of an answer, and where in it its parts began, thoughts included.
#[derive(Default)]
pub(super) struct Transcript {
    text: String,
    starts: Vec<usize>,
}

impl Transcript {
    /// Notes that a part begins.
    pub(super) fn part(&mut self) {
        self.starts.push(self.text.len());
    }

    /// Notes a piece of the text.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The code points between two bytes; `None` where they are not between characters of the text.
    fn points(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let before = self.text.get(..start)?.chars().count();
        Some((before, before + self.text.get(start..end)?.chars().count()))
    }

    /// Finds a segment. Offsets are documented to count from the part's beginning, and mostly count from the
    /// text's; the segment's own text tells which.
    fn find(&self, segment: &Value) -> Option<(usize, usize)> {
        let number = |name: &str| segment.get(name).and_then(whole).and_then(|n| usize::try_from(n).ok());
        let (start, end) = (number("startIndex").unwrap_or(0), number("endIndex")?);
        let text = segment.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
        let part = number("partIndex").and_then(|part| self.starts.get(part)).copied();
        let bases = [Some(0), part];
        for base in bases.into_iter().flatten() {
            let (start, end) = (base.checked_add(start)?, base.checked_add(end)?);
            if self.text.get(start..end).is_some_and(|found| text.is_none_or(|text| text == found)) {
                return self.points(start, end);
            }
        }
        let start = self.text.find(text?)?;
        self.points(start, start + text?.len())
    }

    /// The citations that an answer's metadata tell. What cannot be found in the text stands at its end.
    pub(super) fn citations(&self, grounding: Option<&Object>, recited: Option<&Value>) -> Vec<Citation> {
        let mut found = Vec::new();
        let nowhere = || {
            let end = self.text.chars().count();
            (end, end)
        };
        let list = |name: &str| grounding.and_then(|all| all.get(name)).and_then(Value::as_array);
        let chunks = list("groundingChunks").map(Vec::as_slice).unwrap_or_default();
        for support in list("groundingSupports").into_iter().flatten() {
            let place = support.get("segment").and_then(|segment| self.find(segment)).unwrap_or_else(nowhere);
            let indices = support.get("groundingChunkIndices").and_then(Value::as_array);
            for index in indices.into_iter().flatten().filter_map(whole) {
                let chunk = usize::try_from(index).ok().and_then(|index| chunks.get(index));
                found.extend(chunk.map(|chunk| citation(chunk, place)));
            }
        }
        let sources = ["citationSources", "citations"];
        let sources = recited.and_then(|all| sources.iter().find_map(|name| all.get(name)?.as_array()));
        for source in sources.into_iter().flatten() {
            let text = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (start_index, end_index) = self.find(source).unwrap_or_else(nowhere);
            let (url, title) = (text("uri"), text("title"));
            found.push(Citation { start_index, end_index, url, title, ..Citation::default() });
        }
        found
    }
}

/// The members of a chunk's kinds that tell a source: of the web, of documents, of maps, of images.
const KINDS: [&str; 4] = ["web", "retrievedContext", "maps", "image"];

fn citation(chunk: &Value, (start_index, end_index): (usize, usize)) -> Citation {
    let source = KINDS.iter().find_map(|kind| chunk.get(kind)).unwrap_or(chunk);
    let text = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let url = if source.get("uri").is_some() { text("uri") } else { text("sourceUri") };
    let quote = quote(source, text("text"));
    Citation { start_index, end_index, url, title: text("title"), quote, extra: Object::new() }
}

/// A quote, where the chunk tells from where: only Hanok does.
fn quote(chunk: &Value, text: String) -> Option<Quote> {
    let told = chunk.get("customMetadata")?.as_array()?;
    let of = |key: &str| told.iter().find(|item| item.get("key").and_then(Value::as_str) == Some(key));
    let number = |key: &str| usize::try_from(whole(of(key)?.get("numericValue")?)?).ok();
    let source = of("source")?.get("stringValue")?.as_str()?.to_owned();
    let page = |page: usize| u32::try_from(page).ok();
    let first = page_of(chunk).and_then(page);
    let pages = first.map(|first| (first, number("last_page").and_then(page).unwrap_or(first)));
    Some(Quote { source, start: number("start")?, end: number("end")?, text, pages })
}

/// The page a chunk is from.
fn page_of(chunk: &Value) -> Option<usize> {
    usize::try_from(whole(chunk.get("pageNumber")?)?).ok()
}

/// The metadata that tell these citations of `text`; `None` where there are none.
pub(super) fn encode<'a>(citations: impl IntoIterator<Item = &'a Citation>, text: &str) -> Option<Value> {
    let mut chunks: Vec<Value> = Vec::new();
    let mut supports: Vec<(usize, usize, Vec<usize>)> = Vec::new();
    for citation in citations {
        let chunk = encode_chunk(citation);
        let index = chunks.iter().position(|known| *known == chunk).unwrap_or_else(|| {
            chunks.push(chunk);
            chunks.len() - 1
        });
        let (start, end) = (byte(text, citation.start_index), byte(text, citation.end_index));
        match supports.iter_mut().find(|(from, to, _)| (*from, *to) == (start, end)) {
            Some((.., indices)) => indices.push(index),
            None => supports.push((start, end.max(start), vec![index])),
        }
    }
    if chunks.is_empty() {
        return None;
    }
    let supports: Vec<Value> = supports
        .into_iter()
        .map(|(start, end, indices)| {
            let said = text.get(start..end).unwrap_or_default();
            let segment = json!({ "startIndex": start, "endIndex": end, "text": said });
            json!({ "segment": segment, "groundingChunkIndices": indices })
        })
        .collect();
    Some(json!({ "groundingChunks": chunks, "groundingSupports": supports }))
}

fn encode_chunk(citation: &Citation) -> Value {
    let (uri, title) = (citation.url.as_str(), citation.title.as_str());
    match &citation.quote {
        None => json!({ "web": { "uri": uri, "title": title } }),
        Some(Quote { source, start, end, text, pages }) => {
            let mut context = json!({
                "uri": uri,
                "title": title,
                "text": text,
                "customMetadata": [
                    { "key": "source", "stringValue": source },
                    { "key": "start", "numericValue": start },
                    { "key": "end", "numericValue": end },
                ],
            });
            if let (Some((first, last)), Some(object)) = (pages, context.as_object_mut()) {
                object.insert("pageNumber".into(), (*first).into());
                if let (true, Some(Value::Array(told))) = (last != first, object.get_mut("customMetadata")) {
                    told.push(json!({ "key": "last_page", "numericValue": last }));
                }
            }
            json!({ "retrievedContext": context })
        }
    }
}

/// The byte at which a code point begins; the text's end beyond it.
fn byte(text: &str, point: usize) -> usize {
    text.char_indices().nth(point).map_or(text.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments() {
        let mut said = Transcript::default();
        said.part();
        said.part();
        said.text("한옥은 집. ");
        said.part();
        said.text("It is a house.");
        let check = |segment: Value, expect: Option<(usize, usize)>| {
            assert_eq!(said.find(&segment), expect, "{segment}");
        };
        check(json!({ "endIndex": 9, "text": "한옥은" }), Some((0, 3)));
        check(json!({ "startIndex": 10, "endIndex": 13 }), Some((4, 5)));
        check(json!({ "startIndex": 15, "endIndex": 29, "text": "It is a house." }), Some((7, 21)));
        check(json!({ "partIndex": 2, "endIndex": 5, "text": "It is" }), Some((7, 12)));
        // Counted wrongly.
        check(json!({ "startIndex": 3, "endIndex": 9, "text": "house" }), Some((15, 20)));
        check(json!({ "startIndex": 1, "endIndex": 2 }), None);
        check(json!({ "endIndex": 900 }), None);
        check(json!({ "endIndex": 3, "text": "nowhere" }), None);
        check(json!({}), None);
    }

    #[test]
    fn there_and_back() {
        let text = "한옥은 집. It is a house.";
        let quote =
            Quote { source: "a.md".into(), start: 3, end: 9, text: "옥은".into(), pages: Some((2, 3)) };
        let of = |start_index, end_index, url: &str, quote: Option<&Quote>| Citation {
            start_index,
            end_index,
            url: url.into(),
            title: "t".into(),
            quote: quote.cloned(),
            extra: Object::new(),
        };
        let citations = [
            of(0, 3, "/a", Some(&quote)),
            of(0, 3, "/b", None),
            of(7, 21, "/a", Some(&quote)),
            of(21, 21, "/c", None),
        ];
        let encoded = encode(&citations, text).unwrap();
        assert_eq!(encoded["groundingChunks"].as_array().unwrap().len(), 3);
        assert_eq!(encoded["groundingSupports"][0]["segment"]["endIndex"], 9);
        assert_eq!(encoded["groundingSupports"][0]["groundingChunkIndices"], json!([0, 1]));
        let mut said = Transcript::default();
        said.text(text);
        assert_eq!(said.citations(encoded.as_object(), None), citations);
        assert_eq!(encode(&[], text), None);
    }
}
