//! Rows out of an annotation queue: what people have labelled.

use super::DatasetError;
use crate::keeper::KeepError;
use hanok_base::{Object, Sample};
use hanok_store::Store;
use hanok_store::annotations::{AnnotationItem, Eyes, ItemState};
use serde_json::{Value, json};

/// Items read at once.
const PAGE: usize = 500;

/// The rows of a queue's items that are done, oldest first. What was asked is the input, the reference what would be
/// right; the answer and what people said of it are metadata.
pub async fn rows(store: &Store, queue: &str) -> Result<Vec<Sample>, DatasetError> {
    let queues = store.annotations(None);
    let found = queues.queue(queue).await.map_err(KeepError::from)?;
    let found =
        found.ok_or_else(|| DatasetError::Invalid(format!("there is no annotation queue `{queue}`")))?;
    let (mut rows, mut after) = (Vec::new(), 0);
    loop {
        let items = queues
            .items(found.id, Some(ItemState::Done), after, PAGE, Eyes::All)
            .await
            .map_err(KeepError::from)?;
        let Some(last) = items.last() else { return Ok(rows) };
        after = last.id;
        rows.extend(items.into_iter().map(row));
    }
}

fn row(item: AnnotationItem) -> Sample {
    let mut metadata = item.content;
    let asked = metadata.shift_remove("question").unwrap_or_default();
    let input = match asked {
        Value::Object(input) => input,
        other => Object::from_iter([("input".to_owned(), other)]),
    };
    let expected = metadata.shift_remove("reference").filter(|reference| !reference.is_null());
    if let Some(answer) = metadata.shift_remove("answer") {
        metadata.insert("output".to_owned(), answer);
    }
    metadata.insert("label".to_owned(), json!(item.level));
    let labels = item
        .labels
        .iter()
        .map(|label| json!({ "who": label.who, "level": label.level, "comment": label.comment }));
    metadata.insert("labels".to_owned(), labels.collect());
    let origin = item.origin.map(|(trace, span)| Sample::origin_of(trace, span));
    Sample { id: item.key, input, expected, metadata, cluster: item.cluster, origin }
}
