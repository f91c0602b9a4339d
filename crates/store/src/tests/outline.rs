//! Traces read in part.

use super::{batch, block, open, span, submit, trace_id};
use crate::{Bodies, SpanRow};
use hanok_base::SpanId;

#[test]
fn lines_are_the_spans_without_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        // The first is packed, the second is not.
        submit(&store, batch(0, vec![span(1, None), span(2, Some(1))])).await;
        let many: Vec<SpanRow> = (1..=100).map(|n| span(n, (n > 1).then_some(1))).collect();
        submit(&store, batch(1, many)).await;
        store.flush().await.unwrap();
        for (number, count) in [(0, 2), (1, 100)] {
            let whole = store.traces().get(trace_id(number), Bodies::All).await.unwrap().unwrap();
            let outline = store.traces().outline(trace_id(number)).await.unwrap().unwrap();
            assert_eq!(outline.row, whole.row);
            assert_eq!(outline.lines.len(), count);
            for (line, span) in outline.lines.iter().zip(&whole.spans) {
                assert_eq!((line.span_id, line.parent_id), (span.span_id, span.parent_id));
                assert_eq!((&line.name, &line.operation), (&span.name, &span.operation));
                assert_eq!((line.start, line.duration_ns), (span.start, span.duration_ns));
                assert!(line.has_bodies && !line.failed);
            }
            let second = SpanId::from_bytes([2; 8]);
            let one = store.traces().span(trace_id(number), second).await.unwrap().unwrap();
            assert_eq!((&one.bodies, &one.attributes), (&whole.spans[1].bodies, &whole.spans[1].attributes));
            let unknown = SpanId::from_bytes([0xee; 8]);
            assert!(store.traces().span(trace_id(number), unknown).await.unwrap().is_none());
            // Also places of no span, and of another trace.
            let places = vec![outline.lines[1].place, 77, outline.lines[0].place, i64::MAX, 1 << 30];
            let some = store.traces().spans_at(trace_id(number), places.clone()).await.unwrap();
            assert_eq!(
                some.iter().map(|span| span.span_id).collect::<Vec<_>>(),
                [second, SpanId::from_bytes([1; 8])]
            );
            assert!(some[0].bodies.is_empty() && some[0].has_bodies);
            let other = store.traces().of(Some("other".into()));
            assert!(other.outline(trace_id(number)).await.unwrap().is_none());
            assert!(other.span(trace_id(number), second).await.unwrap().is_none());
            assert!(other.spans_at(trace_id(number), places).await.unwrap().is_empty());
        }
        assert!(store.traces().outline(trace_id(9)).await.unwrap().is_none());
    });
}
