//! Vectors of chunks: kept once, found by text and by chunk, gone with the last chunk; and conditions on documents.

use super::{block, open};
use crate::Comparison;
use crate::documents::{Changes, NewChunk, NewSource, PackedText, Stamp};
use crate::metadata::{Is, SourceQuery, SourceTest};
use crate::vectors::{PackedVector, TextHash};
use hanok_base::{SourceId, Timestamp};

fn source(id: u64, path: &str, chunks: usize) -> NewSource {
    NewSource {
        id: SourceId(id),
        path: path.to_owned(),
        title: String::new(),
        hash: [0; 32],
        stamp: Stamp { size: 1, modified: Timestamp(1) },
        text: PackedText::new("abcdefgh").unwrap(),
        chunks: (0..chunks)
            .map(|at| NewChunk { heading: String::new(), start: at, end: at + 1, parent: None })
            .collect(),
        cut_by: 0,
        meta: None,
    }
}

#[test]
fn a_vector_lives_as_long_as_a_chunk_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let docs = store.documents().ensure_collection(&"docs".into(), 1).await.unwrap();
        let upserts = vec![source(1, "a", 2), source(2, "b", 1)];
        store.documents().apply(docs.id, Changes { upserts, ..Changes::default() }).await.unwrap();
        let ids = store.vectors().sample(docs.id, 10).await.unwrap();
        assert_eq!(ids.len(), 3);
        let hash = |number: u8| -> TextHash { [number; 16] };
        let packed = PackedVector::new(&[0.5, -1.0, 0.25]);
        // The first chunk of both documents is of one text.
        let links = vec![(ids[0], hash(1)), (ids[1], hash(2)), (ids[2], hash(1)), (999, hash(1))];
        let vectors = vec![(hash(1), packed.clone()), (hash(2), PackedVector::new(&[0.0, 0.0, 0.0]))];
        store.vectors().keep("m", vectors, links).await.unwrap();
        let found = store.vectors().of_texts("m", vec![hash(1), hash(3)]).await.unwrap();
        assert_eq!(found.len(), 1);
        let unpacked = found[&hash(1)].unpack();
        for (found, expect) in unpacked.iter().zip([0.5, -1.0, 0.25]) {
            assert!((found - expect).abs() < 0.005, "{unpacked:?}");
        }
        assert_eq!(PackedVector::new(&unpacked), packed, "packing again changes nothing");
        assert!(store.vectors().of_texts("other", vec![hash(1)]).await.unwrap().is_empty());
        let of_chunks = store.vectors().of_chunks("m", vec![ids[2], ids[1]]).await.unwrap();
        assert_eq!(of_chunks.iter().map(|(chunk, _)| *chunk).collect::<Vec<_>>(), [ids[2], ids[1]]);
        assert_eq!(store.vectors().coverage(docs.id, "m").await.unwrap(), (3, 3));

        assert_eq!(store.vectors().sweep().await.unwrap(), 0);
        let deletes = vec![SourceId(1)];
        store.documents().apply(docs.id, Changes { deletes, ..Changes::default() }).await.unwrap();
        assert_eq!(store.vectors().sweep().await.unwrap(), 1, "the text of `b` is still there");
        assert_eq!(store.vectors().coverage(docs.id, "m").await.unwrap(), (1, 1));

        store.vectors().set_trial(docs.id, "m", "{}".into()).await.unwrap();
        assert_eq!(store.vectors().trial(docs.id, "m").await.unwrap().as_deref(), Some("{}"));
        store.vectors().keep("n", vec![(hash(1), packed)], vec![(ids[2], hash(1))]).await.unwrap();
        store.vectors().forget_others(docs.id, "n").await.unwrap();
        assert_eq!(store.vectors().sweep().await.unwrap(), 1);
        assert_eq!(store.vectors().trial(docs.id, "m").await.unwrap(), None);
        assert_eq!(store.vectors().coverage(docs.id, "n").await.unwrap(), (1, 1));
    });
}

#[test]
fn documents_are_found_by_what_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ids = |query: SourceQuery, collection: i64| -> Vec<u64> {
        let found = block(store.documents().groups_where(collection, query)).unwrap();
        found.into_iter().map(|id| id.0).collect()
    };
    let docs = block(async {
        let docs = store.documents().ensure_collection(&"docs".into(), 1).await.unwrap();
        let upserts = vec![source(1, "docs/a.md", 1), source(2, "docs/B.pdf", 1), source(3, "other/c.md", 1)];
        store.documents().apply(docs.id, Changes { upserts, ..Changes::default() }).await.unwrap();
        store
            .write(|tx| {
                let set = "UPDATE sources SET metadata = ?2, readers = ?3 WHERE id = ?1";
                let mut set = tx.prepare(set)?;
                set.execute((1, r#"{"team":"Legal","year":2019,"tags":["x","y"],"open":true}"#, "[]"))?;
                set.execute((2, r#"{"team":"tax","year":"2021","date":"2026-01-05"}"#, r#"["ann","ops"]"#))?;
                set.execute((3, r#"{"year":2022.5,"team":null}"#, r#"["bob"]"#))?;
                Ok(())
            })
            .await
            .unwrap();
        docs
    });
    let check = |tests: &[(bool, &str, Is)], expect: &[u64]| {
        let tests = tests
            .iter()
            .map(|(not, field, is)| SourceTest { not: *not, field: (*field).to_owned(), is: is.clone() })
            .collect();
        let query = SourceQuery { tests, readers: None };
        assert_eq!(ids(query.clone(), docs.id), expect, "{query:?}");
    };
    let like = |pattern: &str| Is::Like(vec![pattern.to_owned()]);
    check(&[], &[1, 2, 3]);
    check(&[(false, "team", like("legal"))], &[1]);
    check(&[(true, "team", like("legal"))], &[2, 3]);
    check(&[(false, "team", Is::Like(vec!["legal".into(), "t*".into()]))], &[1, 2]);
    check(&[(false, "path", like("docs/**"))], &[1, 2]);
    check(&[(false, "path", like("*.PDF"))], &[2]);
    check(&[(false, "tags", like("y"))], &[1]);
    check(&[(false, "open", like("true"))], &[1]);
    check(&[(false, "year", Is::Number(Comparison::More, 2020.0))], &[2, 3]);
    check(&[(false, "year", Is::Number(Comparison::AtMost, 2019.0))], &[1]);
    check(&[(false, "date", Is::Text(Comparison::AtLeast, "2026-01-01".into()))], &[2]);
    check(&[(false, "team", Is::There)], &[1, 2]);
    check(&[(false, "team\"] --", like("x"))], &[]);
    check(&[(false, "path", like("docs/*")), (false, "year", Is::Number(Comparison::Less, 2020.0))], &[1]);
    let readers = |names: &[&str]| SourceQuery {
        readers: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..SourceQuery::default()
    };
    assert_eq!(ids(readers(&["ann"]), docs.id), [1, 2]);
    assert_eq!(ids(readers(&["bob", "ops"]), docs.id), [1, 2, 3]);
    assert_eq!(ids(readers(&[]), docs.id), [1]);
    assert_eq!(ids(SourceQuery::default(), docs.id + 1), Vec::<u64>::new());
}
