//! Answers by a model: what it is told, and which of its citations leave.

use crate::house::{House, chat, citations, recorded};
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, Delta, EventStream, FinishReason, ModelInfo,
    ModelName, Object, Part, Provider, ProviderError, ProviderErrorKind, ProviderName, StreamEvent,
};
use hanok_retrieval::AskAnswerer;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// A model that says what it is told to, in small pieces.
struct Scripted {
    name: ProviderName,
    says: String,
    truncated: bool,
    asked: Mutex<Vec<(ChatRequest, u8)>>,
}

impl Scripted {
    fn new(says: &str) -> Arc<Self> {
        Arc::new(Self { name: "mock".into(), says: says.into(), truncated: false, asked: Mutex::default() })
    }
}

impl Provider for Scripted {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities::default()
    }
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        self.asked.lock().push((request.clone(), cx.depth));
        let head = StreamEvent::Start {
            id: "up".into(),
            model: "real".into(),
            created: 7,
            dialect: None,
            extra: Object::new(),
        };
        let mut events =
            vec![head, StreamEvent::PartStart { choice: 0, part: 0, value: Part::Text(String::new()) }];
        let letters = self.says.chars().map(|c| StreamEvent::PartDelta {
            choice: 0,
            part: 0,
            delta: Delta::Text(c.into()),
        });
        events.extend(letters);
        events.push(StreamEvent::PartEnd { choice: 0, part: 0 });
        if !self.truncated {
            events.push(StreamEvent::Finish { choice: 0, reason: FinishReason::Stop });
        }
        Box::pin(async {
            Ok(Box::pin(futures_util::stream::iter(events.into_iter().map(Ok))) as EventStream)
        })
    }
}

async fn answerer(house: &House, model: &Arc<Scripted>) -> AskAnswerer {
    house.write("guide.md", "# Guide\n\nThe server listens on port 4141. It keeps records for thirty days.\n\n## Colours\n\nThe sky over the port is blue at noon.");
    house.sync().await;
    let gateway: Arc<dyn Provider> = model.clone();
    AskAnswerer::new(house.library.clone(), Arc::downgrade(&gateway), Some("mock/default".into()))
}

#[tokio::test]
async fn only_verbatim_citations_leave() {
    let house = House::new().await;
    let says = "The server listens on \"port 4141\" [1]. Records are kept for thirty days. [1] \
                The moon is made of cheese and crackers [2]. See \"port 9999 is used\" [1]. Beyond [9].";
    let model = Scripted::new(says);
    let answerer = answerer(&house, &model).await;
    let (cx, spans) = recorded();
    let response = answerer
        .chat(&cx, &chat("ask@docs:mock/m:1", "Which port does the server listen on?"))
        .await
        .unwrap();
    drop(cx);

    assert_eq!(response.choices[0].message.plain_text(), says);
    assert_eq!(response.model.as_str(), "ask@docs:mock/m:1");
    let citations = citations(&response);
    let quotes: Vec<&str> =
        citations.iter().map(|citation| citation.quote.as_ref().unwrap().text.as_str()).collect();
    assert_eq!(quotes, ["port 4141", "It keeps records for thirty days."]);
    let points: Vec<char> = says.chars().collect();
    let covered: String = points[citations[1].start_index..citations[1].end_index].iter().collect();
    assert_eq!(covered, "Records are kept for thirty days.");
    for citation in &citations {
        let quote = citation.quote.as_ref().unwrap();
        let id = citation.url.split("/sources/").nth(1).unwrap().split('?').next().unwrap();
        let source = house.library.source(id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(&source.text[quote.start..quote.end], quote.text);
        assert!(citation.url.starts_with("http://127.0.0.1:4141/sources/"), "{}", citation.url);
    }
    let about = &response.choices[0].extra["hanok"];
    assert_eq!((&about["citations"], &about["verbatim"]), (&5.into(), &2.into()), "{about}");
    assert_eq!(about["uncovered"].as_array().unwrap().len(), 2, "{about}");

    let spans = spans.lock();
    let verify = spans.iter().find(|span| span.name == "verify citations").unwrap();
    assert!(verify.attributes.iter().any(|(_, value)| value == "2 of 5 citations verbatim"), "{verify:?}");

    let (asked, depth) = model.asked.lock()[0].clone();
    assert_eq!((asked.model.as_str(), depth), ("mock/m:1", 1));
    let system = asked.messages[0].plain_text();
    assert!(system.contains("passage 1") && system.contains("The server listens on port 4141."), "{system}");
    assert_eq!(asked.messages[1].plain_text(), "Which port does the server listen on?");
}

#[tokio::test]
async fn what_stands_in_the_way_is_said() {
    let house = House::new().await;
    let model = Scripted::new("x");
    let answerer = answerer(&house, &model).await;
    let cx = CallContext::unrecorded();
    // Nothing in the documents: no model is asked.
    let response = answerer.chat(&cx, &chat("ask@docs", "zebra quagga")).await.unwrap();
    assert_eq!(response.choices[0].message.plain_text(), "Nothing found in docs for that question.");
    assert_eq!(response.extra["hanok"]["found"], false);
    assert!(model.asked.lock().is_empty());
    answerer.chat(&cx, &chat("ask", "Which port?")).await.unwrap();
    assert_eq!(model.asked.lock()[0].0.model.as_str(), "mock/default");

    let mut deep = cx.clone();
    deep.depth = 4;
    let error = answerer.chat(&deep, &chat("ask@docs", "port")).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::InvalidRequest);
    let error = answerer.chat(&cx, &chat("ask@nowhere", "port")).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::UnknownModel);
    let error = answerer.chat(&cx, &chat("ask@docs", " ")).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::InvalidRequest);

    let nobody: Weak<Scripted> = Weak::new();
    let without = AskAnswerer::new(house.library.clone(), nobody, None);
    let error = without.chat(&cx, &chat("ask@docs", "port")).await.unwrap_err();
    assert!(error.message.contains("hanok/ask@docs:PROVIDER/MODEL"), "{error}");
}

#[tokio::test]
async fn a_cut_answer_is_truncated() {
    let house = House::new().await;
    let model =
        Arc::new(Scripted { truncated: true, ..Arc::into_inner(Scripted::new("The server [1]")).unwrap() });
    let answerer = answerer(&house, &model).await;
    let error =
        answerer.chat(&CallContext::unrecorded(), &chat("ask@docs", "Which port?")).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Truncated);
}
