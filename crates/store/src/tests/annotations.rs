//! People's labels, blind and settled, and what judges said beside them.

use super::{batch, block, open, span, submit, trace_id};
use crate::{
    AnnotationLabel, Annotations, Eyes, ItemState, JudgeOpinion, NewCheck, NewItem, NewQueue, Queue,
    ScoringDay, Target,
};
use hanok_base::{NanoDollars, Object, Timestamp};
use serde_json::{Value, json};

fn binary() -> Value {
    json!({"form": "binary", "labels": ["fail", "pass"]})
}

pub(super) async fn queue(annotations: &Annotations<'_>, name: &str, wanted: u32) -> Queue {
    let new = NewQueue {
        project: String::new(),
        name: name.into(),
        instructions: "right?".into(),
        scale: binary(),
        wanted,
    };
    annotations.put_queue(new).await.unwrap().unwrap()
}

pub(super) fn item(key: &str) -> NewItem {
    let mut content = Object::new();
    content.insert("answer".into(), format!("답 {key}").into());
    NewItem { key: key.into(), content, reason: "sampled".into(), ..NewItem::default() }
}

#[test]
fn labels_are_blind_until_there_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let annotations = store.annotations(None);
        let queue = queue(&annotations, "refunds", 2).await;
        let urgent = NewItem { urgency: 5, ..item("b") };
        assert_eq!(annotations.add(queue.id, vec![item("a"), urgent, item("a")]).await.unwrap(), 2);
        let first = annotations.next(queue.id, "ann").await.unwrap().unwrap();
        assert_eq!((first.key.as_str(), first.content["answer"].as_str()), ("b", Some("답 b")));
        let label =
            async |who: &str, level| annotations.label(first.id, who, level, "because").await.unwrap();
        let waiting = async |who: &str, most| annotations.waiting(queue.id, who, most).await.unwrap();
        assert_eq!((waiting("ann", 9).await.len(), waiting("ann", 1).await), (2, vec![first.id]));
        let counted = async |who: &str| {
            let (queue, counts, waiting) = annotations.counted(queue.id, who).await.unwrap().unwrap();
            (queue.name, counts.open, counts.differing, counts.done, waiting)
        };
        assert_eq!(counted("ann").await, ("refunds".into(), 2, 0, 0, 2));
        let elsewhere = store.annotations(Some("other".into()));
        assert!(elsewhere.counted(queue.id, "ann").await.unwrap().is_none());
        assert!(elsewhere.waiting(queue.id, "ann", 9).await.unwrap().is_empty());
        assert_eq!(label("ann", 1).await, Some(ItemState::Open));
        assert!(!waiting("ann", 9).await.contains(&first.id) && waiting("ben", 9).await.len() == 2);
        assert_eq!((counted("ann").await.4, counted("ben").await.4), (1, 2));
        assert_eq!(
            label("ann", 0).await,
            Some(ItemState::Open),
            "own label may change while nobody else's is seen"
        );
        // Neither by the queue's next item nor by its own page.
        let seen = annotations.next(queue.id, "ben").await.unwrap().unwrap();
        assert_eq!((seen.id, seen.labels.len()), (first.id, 0));
        let seen_by =
            async |eyes: Eyes<'_>| annotations.item(first.id, eyes).await.unwrap().unwrap().labels.len();
        assert_eq!((seen_by(Eyes::Of("ben")).await, seen_by(Eyes::Of("ann")).await), (0, 1));
        assert_eq!(seen_by(Eyes::All).await, 1);
        assert_eq!(annotations.next(queue.id, "ann").await.unwrap().unwrap().key, "a");
        // They differ: that is to be settled, and no label changes by what is seen now.
        assert_eq!(label("ben", 1).await, Some(ItemState::Differing));
        assert_eq!(seen_by(Eyes::Of("ben")).await, 2);
        assert_eq!(label("ben", 0).await, Some(ItemState::Differing));
        let differing = annotations.next_differing(queue.id).await.unwrap().unwrap();
        assert_eq!(differing.labels.iter().map(|label| label.level).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(annotations.settle(first.id, "cho", 0, "policy 4").await.unwrap(), Some(ItemState::Done));
        assert_eq!(annotations.settle(first.id, "dan", 1, "no").await.unwrap(), Some(ItemState::Done));
        let done = annotations.item(first.id, Eyes::Of("eve")).await.unwrap().unwrap();
        assert_eq!((done.level, done.labels.len()), (Some(1), 3));
        assert!(annotations.next_differing(queue.id).await.unwrap().is_none());
        // Two who agree need nobody else.
        let second = annotations.next(queue.id, "ben").await.unwrap().unwrap().id;
        assert_eq!(annotations.label(second, "ben", 1, "").await.unwrap(), Some(ItemState::Open));
        assert_eq!(annotations.label(second, "ann", 1, "").await.unwrap(), Some(ItemState::Done));
        assert!(annotations.next(queue.id, "cho").await.unwrap().is_none());
        assert_eq!(counted("ann").await, ("refunds".into(), 0, 0, 2, 0));
        let (_, counts) = annotations.queues().await.unwrap().remove(0);
        assert_eq!((counts.open, counts.differing, counts.done), (0, 0, 2));
        assert_eq!(annotations.labellers(queue.id).await.unwrap(), [("ann".into(), 2), ("ben".into(), 2)]);
        assert_eq!(annotations.label(999, "ann", 1, "").await.unwrap(), None);
        let page = annotations.items(queue.id, Some(ItemState::Done), 0, 1, Eyes::All).await.unwrap();
        let rest =
            annotations.items(queue.id, Some(ItemState::Done), page[0].id, 9, Eyes::All).await.unwrap();
        assert_eq!((page.len(), rest.len()), (1, 1));
    });
}

#[test]
fn a_scale_with_labels_stays_and_projects_see_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let (shop, all) = (store.annotations(Some("shop".into())), store.annotations(None));
        let made = queue(&shop, "q", 1).await;
        assert_eq!(made.project, "shop");
        let ours = shop.import(made.id, vec![(item("a"), vec![])]).await.unwrap();
        assert_eq!(ours, 0);
        let changed = |scale| NewQueue {
            project: "shop".into(),
            name: "q".into(),
            instructions: "new".into(),
            scale,
            wanted: 2,
        };
        let stars = json!({"form": "ordinal", "labels": ["1", "2"]});
        assert!(shop.put_queue(changed(stars.clone())).await.unwrap().is_some());
        assert!(shop.put_queue(changed(binary())).await.unwrap().is_some());
        let id = shop.next(made.id, "ann").await.unwrap().unwrap().id;
        shop.label(id, "ann", 1, "").await.unwrap();
        assert!(shop.put_queue(changed(stars)).await.unwrap().is_none());
        let other = store.annotations(Some("desk".into()));
        assert!(other.queue("q").await.unwrap().is_none() && other.queues().await.unwrap().is_empty());
        assert!(other.item(id, Eyes::All).await.unwrap().is_none());
        assert_eq!(other.settle(id, "eve", 0, "").await.unwrap(), None);
        assert!(!other.remove_queue("q").await.unwrap());
        assert_eq!(all.queue("q").await.unwrap().unwrap().wanted, 2);
        assert!(all.remove_queue("q").await.unwrap());
        assert!(all.item(id, Eyes::All).await.unwrap().is_none());
    });
}

#[test]
fn labels_are_imported_and_stand_beside_what_judges_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let annotations = store.annotations(None);
        let queue = queue(&annotations, "q", 2).await;
        let label = |who: &str, level, settles| AnnotationLabel {
            who: who.into(),
            level,
            comment: String::new(),
            settles,
            created: Timestamp(7),
        };
        let rows = vec![
            (item("a"), vec![label("ann", 1, false), label("ben", 1, false)]),
            (item("b"), vec![label("ann", 1, false), label("ben", 0, false), label("cho", 0, true)]),
            (item("c"), vec![label("ann", 1, false)]),
        ];
        assert_eq!(annotations.import(queue.id, rows.clone()).await.unwrap(), 6);
        assert_eq!(annotations.import(queue.id, rows).await.unwrap(), 6);
        let judgements = store.judgements(None);
        let items = annotations.items(queue.id, None, 0, 10, Eyes::All).await.unwrap();
        assert_eq!(items.iter().map(|item| item.level).collect::<Vec<_>>(), [Some(1), Some(0), None]);
        let opinion = |item: i64, level| JudgeOpinion {
            item,
            verdict: json!({"value": level == Some(1)}),
            level,
            reasoning: "so".into(),
        };
        let said = vec![opinion(items[0].id, Some(1)), opinion(items[1].id, None), opinion(999, Some(1))];
        judgements.keep("old", vec![opinion(items[0].id, Some(0))]).await.unwrap();
        judgements.keep("new", said.clone()).await.unwrap();
        judgements.keep("new", said).await.unwrap();
        let pairs = judgements.pairs(queue.id, "new").await.unwrap();
        let told: Vec<_> = pairs
            .iter()
            .map(|(item, said)| (item.labels.len(), said.as_ref().map(|said| said.level)))
            .collect();
        assert_eq!(told, [(2, Some(Some(1))), (3, Some(None)), (1, None)]);
    });
}

#[test]
fn what_was_found_out_about_judges_is_kept_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let judgements = store.judgements(None);
        let found = |judge: &str, identity: &str| NewCheck {
            project: "shop".into(),
            judge: judge.into(),
            identity: identity.into(),
            queue: "q".into(),
            spec: json!({"model": "m"}),
            report: json!({"labelled": 3}),
        };
        let first = judgements.keep_check(found("right", "one")).await.unwrap();
        judgements.keep_check(found("right", "two")).await.unwrap();
        judgements.keep_check(found("kind", "three")).await.unwrap();
        let newest: Vec<_> =
            judgements.judges().await.unwrap().into_iter().map(|check| check.found.identity).collect();
        assert_eq!(newest, ["three", "two"]);
        assert_eq!(judgements.checks("right", 10).await.unwrap().len(), 2);
        assert_eq!(judgements.check(first).await.unwrap().unwrap().found, found("right", "one"));
        let other = store.judgements(Some("desk".into()));
        assert!(other.check(first).await.unwrap().is_none() && other.judges().await.unwrap().is_empty());
        let day = |day: &str| ScoringDay {
            rule: "right".into(),
            day: day.into(),
            seen: 3,
            scored: 1,
            sum: 0.5,
            squares: 0.25,
            cost: NanoDollars(7),
            ..ScoringDay::default()
        };
        judgements.count(vec![day("2026-11-20"), day("2026-11-20"), day("2026-11-19")]).await.unwrap();
        let days = judgements.days("2026-11-20").await.unwrap();
        assert_eq!((days.len(), days[0].seen, days[0].cost), (1, 6, NanoDollars(14)));
        assert!((days[0].sum - 1.0).abs() < 1e-12);
    });
}

#[test]
fn what_was_made_of_a_trace_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let mut gone = batch(0, vec![span(1, None)]);
        gone.summary.user = Some("ann".into());
        submit(&store, gone).await;
        submit(&store, batch(1, vec![span(1, None)])).await;
        store.flush().await.unwrap();
        let annotations = store.annotations(None);
        let queue = queue(&annotations, "q", 1).await;
        let of = |number| NewItem { origin: Some((trace_id(number), None)), ..item(&number.to_string()) };
        annotations.add(queue.id, vec![of(0), of(1)]).await.unwrap();
        let items = annotations.items(queue.id, None, 0, 10, Eyes::All).await.unwrap();
        assert_eq!(items[0].origin, Some((trace_id(0), None)));
        for item in &items {
            annotations.label(item.id, "ann", 1, "").await.unwrap();
        }
        let seqs = store.removals().find(&Target::User("ann".into()), None).await.unwrap();
        store.removals().remove(&seqs).await.unwrap();
        let left = annotations.items(queue.id, None, 0, 10, Eyes::All).await.unwrap();
        assert_eq!(left.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["1"]);
        assert_eq!(annotations.labellers(queue.id).await.unwrap(), [("ann".into(), 1)]);
    });
}
