//! An answer from documents as it grows: its text, its citations, and the events it is streamed as.

use hanok_base::chat::Quote;
use hanok_base::{
    CallContext, Citation, Coverage, Delta, EventStream, FinishReason, Hit, ModelName, Object, Part,
    ResponseId, SourceId, StreamEvent, Timestamp, TraceId,
};
use serde_json::Value;

/// Builds a whole answer whose text is known at once.
pub(crate) struct Answer {
    /// Pieces of the text, as they are streamed.
    pieces: Vec<String>,
    /// Code points so far.
    length: usize,
    citations: Vec<Citation>,
}

/// A stretch of a document: what a citation names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(crate) source_id: SourceId,
    pub(crate) source: String,
    pub(crate) heading: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: String,
    pub(crate) pages: Option<(u32, u32)>,
}

impl Quoted {
    /// Bytes `start..end` of the document a hit is from; `None` where the hit does not hold them.
    pub(crate) fn within(hit: &Hit, start: usize, end: usize) -> Option<Self> {
        let text = hit.text.get(start.checked_sub(hit.start)?..end.checked_sub(hit.start)?)?;
        Some(Self {
            source_id: hit.source_id,
            source: hit.source.clone(),
            heading: hit.heading.clone(),
            start,
            end,
            text: text.to_owned(),
            pages: hit.about.pages,
        })
    }

    /// The citation of this stretch for code points `from..to` of an answer.
    pub(crate) fn citation(self, cx: &CallContext, from: usize, to: usize) -> Citation {
        let Self { source_id, source, heading, start, end, text, pages } = self;
        Citation {
            start_index: from,
            end_index: to,
            url: format!("{}/sources/{source_id}?start={start}&end={end}#quote", cx.caller.base_url),
            title: if heading.is_empty() { source.clone() } else { heading },
            quote: Some(Quote { source, start, end, text, pages }),
            extra: Object::new(),
        }
    }
}

impl Answer {
    pub(crate) fn new() -> Self {
        Self { pieces: Vec::new(), length: 0, citations: Vec::new() }
    }

    /// Adds text that is not quoted.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.length += text.chars().count();
        self.pieces.push(text);
    }

    /// Adds a quote with its marker.
    pub(crate) fn quote(&mut self, cx: &CallContext, quoted: Quoted) {
        let from = self.length;
        let to = from + quoted.text.chars().count();
        let marker = self.citations.len() + 1;
        self.say(format!("{} [{marker}]", quoted.text));
        self.citations.push(quoted.citation(cx, from, to));
    }

    /// The events of the whole answer.
    pub(crate) fn into_events(self, model: &ModelName, about: Value) -> EventStream {
        let mut events = vec![start(model, about)];
        events.push(StreamEvent::PartStart { choice: 0, part: 0, value: Part::Text(String::new()) });
        events.extend(self.pieces.into_iter().map(|piece| StreamEvent::PartDelta {
            choice: 0,
            part: 0,
            delta: Delta::Text(piece),
        }));
        events.push(StreamEvent::PartEnd { choice: 0, part: 0 });
        for (at, citation) in self.citations.into_iter().enumerate() {
            events.push(StreamEvent::PartStart { choice: 0, part: at + 1, value: Part::Citation(citation) });
            events.push(StreamEvent::PartEnd { choice: 0, part: at + 1 });
        }
        events.push(StreamEvent::Finish { choice: 0, reason: FinishReason::Stop });
        Box::pin(futures_util::stream::iter(events.into_iter().map(Ok)))
    }
}

/// The head of an answer, with what is said of it beside its text under `hanok`.
pub(crate) fn start(model: &ModelName, about: Value) -> StreamEvent {
    let mut extra = Object::new();
    extra.insert("hanok".to_owned(), about);
    StreamEvent::Start {
        id: ResponseId::from(format!("chatcmpl-{}", TraceId::random())),
        model: model.clone(),
        created: Timestamp::now().seconds(),
        dialect: None,
        extra,
    }
}

/// What an answer says when the documents do not hold it.
pub(crate) fn nothing_found(korean: bool, collection: &str, coverage: Coverage) -> String {
    match (korean, coverage.found) {
        (true, 0) if !coverage.indexing => {
            format!(
                "{collection} 컬렉션에는 아직 문서가 없습니다. `hanok index 경로` 또는 `hanok up 경로`로 문서를 색인하세요."
            )
        }
        (false, 0) if !coverage.indexing => {
            format!(
                "The collection {collection} holds no documents yet: index some with `hanok index PATH` or `hanok up PATH`."
            )
        }
        (true, _) => format!("{collection} 컬렉션에서 이 질문에 대한 내용을 찾지 못했습니다."),
        (false, _) => format!("Nothing found in {collection} for that question."),
    }
}

/// How much is indexed, as the last line of an answer; nothing once all is.
pub(crate) fn coverage_line(korean: bool, coverage: Coverage) -> Option<String> {
    let (indexed, found) = (grouped(coverage.indexed), grouped(coverage.found));
    coverage.indexing.then(|| {
        if korean {
            format!("\n\n(지금까지 문서 {found}개 중 {indexed}개를 색인했습니다)")
        } else {
            format!("\n\n({indexed} of {found} documents indexed so far)")
        }
    })
}

/// `1040` as `1,040`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_how_much_is_indexed() {
        let coverage = Coverage { indexed: 312, found: 1040, indexing: true };
        assert_eq!(
            coverage_line(false, coverage).as_deref(),
            Some("\n\n(312 of 1,040 documents indexed so far)")
        );
        assert_eq!(
            coverage_line(true, coverage).as_deref(),
            Some("\n\n(지금까지 문서 1,040개 중 312개를 색인했습니다)")
        );
        assert_eq!(coverage_line(false, Coverage { indexing: false, ..coverage }), None);
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
