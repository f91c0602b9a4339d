//! Questions made up about documents that nobody has judged, and steps before a search, measured.

use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, ChatResponse, Choice, EventStream, FinishReason,
    Message, ModelInfo, ModelName, Object, Provider, ProviderError, ProviderErrorKind, ProviderName, Role,
    Usage,
};
use hanok_retrieval::{
    Asked, Equipment, Expansion, Intake, LibraryError, QueryExpander, QueryStep, Questionnaire, Text,
    documents_of, evaluate, evaluate_with, has_judgements, make_questions,
};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::{Arc, Weak};

/// Asks about the colour of what a passage is about, and answers; of every fourth thing it makes the answer up.
struct Asker {
    name: ProviderName,
    calls: Mutex<usize>,
    /// Fails from this call on.
    breaks: Mutex<Option<usize>>,
}

impl Asker {
    fn new() -> Arc<Self> {
        Arc::new(Self { name: "asker".into(), calls: Mutex::default(), breaks: Mutex::default() })
    }

    fn models(self: &Arc<Self>) -> Weak<dyn Provider> {
        let provider: Arc<dyn Provider> = self.clone();
        Arc::downgrade(&provider)
    }

    fn said(system: &str, message: &str) -> String {
        let thing: String = system.split("gadget").nth(1).unwrap_or_default().chars().take(3).collect();
        let number: usize = thing.trim().parse().unwrap_or(0);
        if let Some(question) = message.strip_prefix("The question: ") {
            assert!(question.contains(thing.trim()), "{question}");
            return if number.is_multiple_of(4) { "is purple".into() } else { "\"is painted blue\"".into() };
        }
        if message == "Write the question." {
            return format!("What colour is gadget{number}?");
        }
        // A step before a search.
        "something else entirely\nand more of it".to_owned()
    }
}

impl Provider for Asker {
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
        _: &'a CallContext,
        _: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        panic!("whole answers are asked for")
    }
    fn chat<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        let mut calls = self.calls.lock();
        *calls += 1;
        let broken = self.breaks.lock().is_some_and(|at| *calls > at);
        let said = Self::said(&request.messages[0].plain_text(), &request.messages[1].plain_text());
        Box::pin(async move {
            if broken {
                return Err(ProviderError::new(ProviderErrorKind::Overloaded, &self.name, "as told"));
            }
            let usage = Usage { input: Some(100), output: Some(5), ..Usage::default() };
            let message = Message::text(Role::Assistant, said);
            let choice = Choice { index: 0, message, finish: FinishReason::Stop, extra: Object::new() };
            Ok(ChatResponse {
                id: "up".into(),
                model: "m".into(),
                created: 7,
                choices: vec![choice],
                usage,
                dialect: None,
                extra: Object::new(),
            })
        })
    }
}

fn write(dir: &Path, count: usize) {
    for at in 100..100 + count {
        let text = format!(
            "The gadget{at} is painted blue, as the people of the house like it that way. It is kept in hall {at} and \
             looked after by whoever passes there in the morning.\n"
        );
        std::fs::write(dir.join(format!("d{at}.txt")), text).unwrap();
    }
}

fn wanted(asker: &Arc<Asker>, questions: usize) -> Questionnaire {
    Questionnaire { gateway: Asker::models(asker), model: "p/m".into(), questions, seed: 7 }
}

#[tokio::test]
async fn a_folder_without_judgements_is_judged_by_questions_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let (docs, save) = (folder.path().join("docs"), folder.path().join("save"));
    std::fs::create_dir(&docs).unwrap();
    write(&docs, 40);
    assert!(!has_judgements(&docs));
    let documents = documents_of(&docs, Intake::default()).await.unwrap();
    assert_eq!(documents.len(), 40);

    // Stopped in the middle by a provider that fails.
    let asker = Asker::new();
    *asker.breaks.lock() = Some(21);
    let told: Mutex<Vec<Asked>> = Mutex::default();
    let tell = |asked| told.lock().push(asked);
    let failed = make_questions(&documents, &save, &wanted(&asker, 20), None, &tell).await.unwrap_err();
    assert!(matches!(failed, LibraryError::Model(_)), "{failed:?}");
    let before = told.lock().last().unwrap().tried;
    assert!(before > 3 && before < 20, "{before}");
    assert!(!has_judgements(&save), "what is not complete is not taken for it");

    // It goes on from there.
    let calls = std::mem::replace(&mut *asker.calls.lock(), 0);
    *asker.breaks.lock() = None;
    let made = make_questions(&documents, &save, &wanted(&asker, 20), None, &tell).await.unwrap();
    assert_eq!(made.questions, 20, "{made:?}");
    assert!(made.tried > 20 && made.tried < 40, "some answers were not in their chunk: {made:?}");
    assert!(*asker.calls.lock() <= (made.tried - before + 3) * 2, "{calls} and {}", asker.calls.lock());
    assert_eq!(told.lock().last().unwrap().usage.input, Some((made.tried - before) as u64 * 200));

    // And is made once.
    *asker.calls.lock() = 0;
    assert_eq!(make_questions(&documents, &save, &wanted(&asker, 20), None, &tell).await.unwrap(), made);
    assert_eq!(*asker.calls.lock(), 0);
    let queries = std::fs::read_to_string(save.join("queries.jsonl")).unwrap();
    assert_eq!(queries.lines().count(), 20);
    assert!(queries.lines().all(|line| line.contains("\"synthetic\":true")), "{queries}");
    for line in queries.lines() {
        let number: usize = line.split("gadget").nth(1).unwrap()[..3].parse().unwrap();
        assert_ne!(number % 4, 0, "its answer is nowhere: {line}");
    }
    let report = evaluate(&save, Equipment::default(), &|_| {}).await.unwrap();
    assert_eq!((report.queries, report.documents), (20, 40));
    assert_eq!(report.synthetic.as_ref(), Some(&made));
    assert!(report.ndcg_at_10 > 0.95, "{report:?}");

    // Another model, other documents: another folder.
    let other = Questionnaire { model: "p/other".into(), ..wanted(&asker, 20) };
    let refused = make_questions(&documents, &save, &other, None, &tell).await.unwrap_err();
    assert!(refused.to_string().contains("by p/m with seed 7"), "{refused}");
    let more =
        [documents.as_slice(), &[Text { id: "x".into(), title: String::new(), text: "y".into() }]].concat();
    make_questions(&more, &save, &wanted(&asker, 20), None, &tell).await.unwrap_err();
}

#[tokio::test]
async fn steps_before_a_search_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (docs, save) = (folder.path().join("docs"), folder.path().join("save"));
    std::fs::create_dir(&docs).unwrap();
    write(&docs, 12);
    let asker = Asker::new();
    let documents = documents_of(&docs, Intake::default()).await.unwrap();
    make_questions(&documents, &save, &wanted(&asker, 5), None, &|_| {}).await.unwrap();
    *asker.calls.lock() = 0;
    let expander = QueryExpander::new(Asker::models(&asker), "p/m".into());
    let steps = [QueryStep::Multi];
    let expansion = Expansion { expander: &expander, steps: &steps, recorder: None };
    let report = evaluate_with(&save, None, Equipment::default(), Some(expansion), &|_| {}).await.unwrap();
    assert_eq!((report.queries, *asker.calls.lock()), (5, 5), "one call a question");
    assert_eq!((report.query_steps.as_slice(), report.query_steps_failed), (steps.as_slice(), Some(0)));
    // What the model adds says nothing here: the right one is pushed back, to the sixth place at the worst.
    assert!(report.ndcg_at_10 > 0.35, "{report:?}");
    *asker.breaks.lock() = Some(0);
    let report = evaluate_with(&save, None, Equipment::default(), Some(expansion), &|_| {}).await.unwrap();
    assert_eq!(report.query_steps_failed, Some(5), "and each was searched for as it was");
    assert!(report.ndcg_at_10 > 0.95, "{report:?}");
}
