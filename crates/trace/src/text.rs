//! Full text over messages: an index beside the store that follows it.
//!
//! A message is found in the trace that brought it; those that send it again, as every later turn of a conversation
//! does, are beside that one in its session. The store is the truth: the index's mark says how far it has followed,
//! one that is lost or of another file is built again, and what it finds is looked up in the store.

use crate::recorder::TraceStore;
use hanok_index::{Detail, Groups, IndexError, SearchIndex, Writer};
use hanok_store::{FoundTexts, NewTexts, Store, StoreError, TextMark};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A trace's name and the like are taken once it is so old, as later batches may change them.
const SETTLED: Duration = Duration::from_secs(3);
/// How long what came is gathered before it is taken in.
const GATHER: Duration = Duration::from_secs(2);
/// How often it is looked whether anything came that nobody told of.
const LOOK: Duration = Duration::from_secs(5);
/// How long searches wait at most for what is already taken in, while more comes.
const COMMIT_EVERY: Duration = Duration::from_secs(3);
/// Bytes of a body that are taken in.
const MOST_BYTES: usize = 256 << 10;
/// Most traces of one search that are looked up.
const MOST_FOUND: usize = 200_000;

/// The index could not follow the store.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect: the indexer panicked.
    #[error("the indexer of messages panicked")]
    Panicked,
}

/// How far the index is behind the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TextLag {
    /// Traces that are in the store and not in the index; they are looked through one by one.
    pub traces_behind: u64,
    /// How long the oldest of them has waited.
    pub lag_seconds: f64,
}

/// The index of one store's messages.
pub struct TextIndex {
    index: SearchIndex,
    /// Held by the one that follows.
    following: tokio::sync::Mutex<()>,
}

impl TextIndex {
    /// The index in this folder, which need not exist.
    pub fn open(folder: &Path) -> Self {
        Self { index: SearchIndex::open_with(folder, Detail::Sets), following: tokio::sync::Mutex::default() }
    }

    /// How far it is; of none, the beginning.
    fn mark(&self) -> TextMark {
        self.index.mark().and_then(|mark| parse(&mark)).unwrap_or_default()
    }

    /// The traces that hold all of these words, before `before`; `None` where that cannot be said by the index.
    fn find(&self, words: &[String], before: Option<i64>) -> Result<Option<FoundTexts>, IndexError> {
        // Taken first: what comes into the index meanwhile is found twice, not never.
        let upto = self.mark().seq;
        let mut all: Option<Groups> = None;
        for word in words {
            let Some(found) = self.index.groups_with(word)? else { return Ok(None) };
            match &mut all {
                Some(all) => all.and(&found),
                None => all = Some(found),
            }
        }
        let Some(all) = all else { return Ok(None) };
        let seqs = all.descending().filter_map(|seq| i64::try_from(seq).ok());
        let mut seqs = seqs.skip_while(|seq| before.is_some_and(|before| *seq >= before));
        let found = seqs.by_ref().take(MOST_FOUND).collect();
        Ok(Some(FoundTexts { seqs: found, upto, more: seqs.next().is_some() }))
    }
}

fn parse(mark: &str) -> Option<TextMark> {
    let mut numbers = mark.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(TextMark { epoch: next()?, seq: next()?, body: next()? })
}

fn written(mark: TextMark) -> String {
    format!("{} {} {}", mark.epoch, mark.seq, mark.body)
}

impl TraceStore {
    /// The same, with words looked for by an index in this folder.
    #[must_use]
    pub fn with_texts(mut self, folder: &Path) -> Self {
        self.texts = Some(Arc::new(TextIndex::open(folder)));
        self
    }

    /// How far the index of messages is behind; `None` without one.
    pub async fn text_lag(&self) -> Result<Option<TextLag>, StoreError> {
        let Some(texts) = &self.texts else { return Ok(None) };
        let (traces_behind, waited) = self.store.text_lag(texts.mark()).await?;
        Ok(Some(TextLag { traces_behind, lag_seconds: waited.as_secs_f64() }))
    }

    pub(crate) async fn find(
        &self,
        words: &[String],
        before: Option<i64>,
    ) -> Result<Option<FoundTexts>, TextError> {
        let Some(texts) = self.texts.clone().filter(|_| !words.is_empty()) else { return Ok(None) };
        let words = words.to_vec();
        blocking(move || Ok(texts.find(&words, before)?)).await
    }

    /// Brings the index of messages to what the store has, all at once.
    pub async fn catch_up_texts(&self) -> Result<(), TextError> {
        match &self.texts {
            Some(texts) => follow(texts, &self.store, Duration::ZERO).await,
            None => Ok(()),
        }
    }

    /// Keeps the index of messages up with the store until that is closed. What fails is told in the log and tried
    /// again.
    pub async fn follow_texts(&self) {
        let (Some(texts), Some(mut committed)) = (&self.texts, self.store.subscribe()) else { return };
        loop {
            if let Err(error) = follow(texts, &self.store, SETTLED).await {
                if matches!(error, TextError::Store(StoreError::Closed)) {
                    return;
                }
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "messages cannot be indexed now; it is tried again");
            }
            let newest = *committed.borrow_and_update();
            if texts.mark().seq >= newest {
                // A batch of an older trace changes no newest one.
                let waited = tokio::time::timeout(LOOK, committed.changed()).await;
                if matches!(waited, Ok(Err(_))) {
                    return;
                }
            }
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Takes in what the store has beyond the index, and holds the writer only for that long.
async fn follow(texts: &Arc<TextIndex>, store: &Store, settled: Duration) -> Result<(), TextError> {
    let _one_at_a_time = texts.following.lock().await;
    texts.index.forget_if_gone();
    let mut at = texts.mark();
    let (mut writer, mut committed, mut gone) = (None, Instant::now(), Vec::new());
    loop {
        let new = store.texts_since(at, settled).await?;
        let (mark, more) = (new.mark, new.more);
        if mark != at || new.afresh || new.gone.iter().any(|seq| !gone.contains(seq)) {
            gone.clone_from(&new.gone);
            let (texts, open) = (Arc::clone(texts), writer.take());
            writer = Some(blocking(move || take(&texts, open, &new)).await?);
            at = mark;
        }
        if let Some(mut open) = writer.take_if(|_| !more || committed.elapsed() >= COMMIT_EVERY) {
            let mark = written(at);
            writer = Some(blocking(move || Ok(open.commit(&mark).map(|()| open)?)).await?);
            committed = Instant::now();
            if !gone.is_empty() {
                store.forget_gone(std::mem::take(&mut gone)).await?;
            }
        }
        if !more {
            break;
        }
    }
    match writer {
        Some(writer) => blocking(move || Ok(writer.finish()?)).await,
        None => Ok(()),
    }
}

/// Hands what came to the writer, which is opened where it is not.
fn take(texts: &TextIndex, writer: Option<Writer>, new: &NewTexts) -> Result<Writer, TextError> {
    let writer = match writer {
        Some(writer) => writer,
        None => texts.index.writer()?,
    };
    if new.afresh {
        // Whatever the folder holds is another history's.
        writer.clear()?;
    }
    let heads = new.heads.iter().filter_map(|(seq, text)| Some((u64::try_from(*seq).ok()?, text)));
    for (seq, text) in heads {
        writer.add(seq, seq, &[text])?;
    }
    // The messages that a trace brought are one text: what is in both is kept once.
    let (mut text, mut words) = (String::new(), String::new());
    for bodies in new.bodies.chunk_by(|(one, _), (next, _)| one == next) {
        text.clear();
        for (_, body) in bodies {
            words.clear();
            words_of(body, &mut words);
            text.push_str(&words);
        }
        let seq = bodies.first().and_then(|(seq, _)| u64::try_from(*seq).ok());
        if let Some(seq) = seq.filter(|_| !text.is_empty()) {
            writer.add(seq, seq, &[&text])?;
        }
    }
    for seq in new.gone.iter().filter_map(|seq| u64::try_from(*seq).ok()) {
        writer.delete_group(seq);
    }
    Ok(writer)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TextError> + Send + 'static,
) -> Result<T, TextError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| TextError::Panicked)?
}

/// The words of a body as it is stored: of a message what it says, of other JSON its texts and numbers, else itself.
fn words_of(body: &[u8], into: &mut String) {
    match serde_json::from_slice::<Value>(body) {
        // The tools that were offered: the same with every call, and said by nobody.
        Ok(Value::Array(_)) => {}
        Ok(value) => said(None, &value, into),
        Err(_) => push(&String::from_utf8_lossy(body), into),
    }
}

fn said(key: Option<&str>, value: &Value, into: &mut String) {
    match value {
        Value::String(text) if key.is_none_or(is_said) => push(text, into),
        Value::Number(number) => push(&number.to_string(), into),
        Value::Array(items) => {
            for item in items {
                said(key, item, into);
            }
        }
        // A file's bytes are no words.
        Value::Object(members) if members.get("type").and_then(Value::as_str) != Some("blob") => {
            // Why a hit has its rank is told, not said.
            for (key, value) in members.iter().filter(|(key, _)| *key != "votes") {
                said(Some(key), value, into);
            }
        }
        _ => {}
    }
}

/// Whether a member of this name is something said, and not what kind of thing it is.
fn is_said(key: &str) -> bool {
    !["type", "role", "id", "finish_reason", "mime_type", "modality", "signature", "dialect", "file_id"]
        .contains(&key)
}

fn push(text: &str, into: &mut String) {
    let room = MOST_BYTES.saturating_sub(into.len());
    let end = text.floor_char_boundary(room.min(text.len()));
    into.push_str(text.get(..end).unwrap_or_default());
    into.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let check = |body: &str, expect: &str| {
            let mut found = String::new();
            words_of(body.as_bytes(), &mut found);
            assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), expect, "{body}");
        };
        check(r#"{"role":"user","parts":[{"type":"text","content":"hello there"}]}"#, "hello there");
        check(
            r#"{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"find","arguments":{"order":17,"ids":["a"]}}],"finish_reason":"stop"}"#,
            "find 17 a",
        );
        check(
            r#"{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"그렇다"}]}"#,
            "그렇다",
        );
        check(r#"{"role":"user","parts":[{"type":"blob","mime_type":"image/png","content":"AAAA"}]}"#, "");
        check(r#"[{"type":"function","name":"find"}]"#, "");
        check(
            r#"{"hanok.hits":[{"text":"a hit","score":1.5,"votes":[{"leg":"bm25","reason":"refund"}]}]}"#,
            "a hit 1.5",
        );
        check("not { json", "not { json");
        let mut found = String::new();
        words_of("가".repeat(MOST_BYTES).as_bytes(), &mut found);
        assert!(found.len() <= MOST_BYTES + 1);
    }

    #[test]
    fn marks() {
        let mark = TextMark { epoch: -5, seq: 7, body: 9 };
        assert_eq!(parse(&written(mark)), Some(mark));
        assert_eq!(parse("7"), None);
    }
}
