//! The index over a folder: what is found, what survives, what is made anew.

use hanok_index::{Analysis, Found, SearchIndex, Terms, analyze};
use std::collections::HashMap;

/// A text of words drawn from few, so that many texts share many terms.
fn text(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut words = Vec::new();
    for _ in 0..20 + seed % 30 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let rank = (state % 1000) * (state >> 32 & 0xff) / 4000;
        words.push(format!("w{rank}"));
    }
    words.join(" ")
}

/// BM25 by its formula, over every text. Lengths up to 40 are kept exactly, so texts of 20 to 49 words are near.
#[expect(clippy::cast_precision_loss, reason = "a few hundred texts")]
fn scan(texts: &HashMap<u64, String>, query: &str) -> Vec<(u64, f64)> {
    let counts: HashMap<u64, HashMap<String, f64>> = texts
        .iter()
        .map(|(key, text)| {
            let mut counts = HashMap::new();
            for token in analyze(text) {
                *counts.entry(token.text).or_default() += 1.0;
            }
            (*key, counts)
        })
        .collect();
    let all = texts.len() as f64;
    let length = |key: &u64| counts[key].values().sum::<f64>();
    let average = counts.keys().map(length).sum::<f64>() / all;
    let mut scores: Vec<(u64, f64)> = counts
        .iter()
        .map(|(key, counts_here)| {
            let score = analyze(query)
                .into_iter()
                .map(|token| {
                    let with =
                        counts.values().filter(|counts| counts.contains_key(&token.text)).count() as f64;
                    let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
                    let count = counts_here.get(&token.text).copied().unwrap_or_default();
                    idf * count * 2.5 / (count + 1.5 * (0.25 + 0.75 * length(key) / average))
                })
                .sum();
            (*key, score)
        })
        .filter(|(_, score)| *score > 0.0)
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores
}

fn filled(dir: &std::path::Path, texts: &HashMap<u64, String>, segments: u64) -> SearchIndex {
    let index = SearchIndex::open(dir);
    let mut writer = index.writer().unwrap();
    for part in 0..segments {
        for (key, text) in texts.iter().filter(|(key, _)| *key % segments == part) {
            writer.add(*key, key / 10, &[text]).unwrap();
        }
        writer.commit(&format!("part {part}")).unwrap();
    }
    index
}

#[test]
fn pruning_changes_no_score() {
    let dir = tempfile::tempdir().unwrap();
    let texts: HashMap<u64, String> = (0..500).map(|key| (key, text(key))).collect();
    let index = filled(dir.path(), &texts, 3);
    assert_eq!(index.len(), 500);
    for query in ["w0 w1 w2", "w9", "w3 w40 w7 w22 w1", "w60 w61 w62 w63 nowhere", "w5 w5 w6", "nowhere"] {
        let expect = scan(&texts, query);
        for limit in [1, 10, 1000] {
            let found = index.search(&Terms::of(query), limit).unwrap();
            assert_eq!(found.len(), expect.len().min(limit), "{query} {limit}");
            let exact = index.search(&Terms::of(query), 1000).unwrap();
            for (got, all) in found.iter().zip(&exact) {
                assert!((got.score - all.score).abs() < 1e-9, "{query}: pruned {got:?}, whole {all:?}");
            }
            for got in &found {
                let by_formula = expect.iter().find(|(key, _)| *key == got.key).unwrap().1;
                // Lengths above 40 are kept to 1 in 16.
                assert!((got.score - by_formula).abs() / by_formula < 0.04, "{query}: {got:?} {by_formula}");
            }
        }
    }
}

#[test]
fn a_group_is_replaced_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(dir.path());
    assert!(index.is_empty());
    assert_eq!(index.search(&Terms::of("alpha"), 10).unwrap(), []);
    let mut writer = index.writer().unwrap();
    assert!(index.writer().is_err(), "one writer at a time");
    writer.add(1, 7, &["alpha", "beta"]).unwrap();
    writer.add(2, 8, &["alpha"]).unwrap();
    assert!(index.is_empty(), "nothing is found before a commit");
    writer.commit("1").unwrap();
    writer.delete_group(7);
    writer.add(3, 7, &["gamma"]).unwrap();
    writer.commit("2").unwrap();
    let keys = |query: &str| -> Vec<(u64, u64)> {
        let found: Vec<Found> = index.search(&Terms::of(query), 10).unwrap();
        found.into_iter().map(|found| (found.key, found.group)).collect()
    };
    assert_eq!(keys("alpha"), [(2, 8)]);
    assert_eq!(keys("beta"), []);
    assert_eq!(keys("gamma"), [(3, 7)]);
    writer.finish().unwrap();
    assert_eq!(index.mark().as_deref(), Some("2"));

    let again = SearchIndex::open(dir.path());
    assert_eq!(again.mark().as_deref(), Some("2"));
    assert_eq!(again.len(), 2);
    let mut writer = again.writer().unwrap();
    writer.clear().unwrap();
    writer.commit("3").unwrap();
    assert!(again.is_empty());
}

#[test]
fn what_was_not_committed_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(dir.path());
    let mut writer = index.writer().unwrap();
    writer.add(1, 1, &["alpha"]).unwrap();
    writer.commit("1").unwrap();
    writer.add(2, 2, &["alpha"]).unwrap();
    drop(writer);
    drop(index);
    let index = SearchIndex::open(dir.path());
    assert_eq!((index.mark().as_deref(), index.len()), (Some("1"), 1));
}

#[test]
fn a_broken_index_is_empty_and_made_anew() {
    let break_it = |how: &dyn Fn(&std::path::Path)| {
        let dir = tempfile::tempdir().unwrap();
        let texts: HashMap<u64, String> = (0..50).map(|key| (key, text(key))).collect();
        drop(filled(dir.path(), &texts, 1));
        how(dir.path());
        let index = SearchIndex::open(dir.path());
        assert_eq!((index.mark(), index.len()), (None, 0));
        let mut writer = index.writer().unwrap();
        writer.add(1, 1, &["alpha"]).unwrap();
        writer.commit("new").unwrap();
        assert_eq!(index.search(&Terms::of("alpha"), 10).unwrap().len(), 1);
    };
    let files = |dir: &std::path::Path, ending: &str| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
    };
    break_it(&|dir| std::fs::write(dir.join("meta.json"), "{").unwrap());
    break_it(&|dir| std::fs::write(dir.join("meta.json"), "").unwrap());
    break_it(&|dir| std::fs::remove_file(dir.join("meta.json")).unwrap());
    break_it(&|dir| {
        let terms = files(dir, "term");
        assert!(!terms.is_empty());
        for path in &terms {
            std::fs::remove_file(path).unwrap();
        }
    });
    break_it(&|dir| {
        let terms = files(dir, "idx");
        assert!(!terms.is_empty());
        for path in &terms {
            std::fs::write(path, "short").unwrap();
        }
    });
}

#[test]
fn a_single_syllable_finds_the_runs_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(dir.path());
    let mut writer = index.writer().unwrap();
    writer.add(1, 1, &["책을 읽다"]).unwrap();
    writer.add(2, 2, &["책상 책을"]).unwrap();
    writer.commit("1").unwrap();
    let terms = |question: &str| -> Vec<String> {
        index.terms_of(question).unwrap().iter().map(|(term, _)| term.to_owned()).collect()
    };
    assert_eq!(terms("책"), ["책", "책을", "책상"]);
    assert_eq!(terms("책 desk"), ["책", "desk", "책을", "책상"]);
    assert_eq!(terms("책 읽기"), ["책", "읽기"]);
    assert_eq!(index.search(&index.terms_of("책").unwrap(), 10).unwrap().len(), 2);
    assert_eq!(index.doc_freq("책을").unwrap(), 2);
    assert!(index.idf("책상").unwrap() > index.idf("책을").unwrap());
    assert!(index.idf("없음").unwrap() > index.idf("책상").unwrap());
}

#[test]
fn a_filter_is_applied_before_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let texts: HashMap<u64, String> = (0..500).map(|key| (key, text(key))).collect();
    let index = filled(dir.path(), &texts, 3);
    let writer = index.writer().unwrap();
    writer.delete_group(7);
    let mut writer = writer;
    writer.commit("less").unwrap();
    for query in ["w0 w1 w2", "w3 w40 w7 w22 w1", "w60 w61 w62 w63 nowhere"] {
        let terms = Terms::of(query);
        let all = index.search(&terms, 1000).unwrap();
        for share in [1, 3, 49] {
            let admit = |group: u64| group.is_multiple_of(share);
            let expect: Vec<&Found> = all.iter().filter(|found| admit(found.group)).collect();
            for limit in [1, 10, 1000] {
                let found = index.search_where(&terms, limit, Some(&admit)).unwrap();
                assert_eq!(found.len(), expect.len().min(limit));
                for (got, expect) in found.iter().zip(&expect) {
                    assert!(admit(got.group) && got.group != 7);
                    assert!((got.score - expect.score).abs() < 1e-9, "{query}: {got:?} for {expect:?}");
                }
            }
        }
        assert_eq!(index.search_where(&terms, 5, Some(&|_| false)).unwrap(), []);
    }
}

#[test]
fn what_the_terms_add_is_the_score() {
    let dir = tempfile::tempdir().unwrap();
    let texts: HashMap<u64, String> = (0..200).map(|key| (key, text(key))).collect();
    let index = filled(dir.path(), &texts, 2);
    let terms = Terms::of("w0 w3 w3 w50 w60 nowhere");
    for found in index.search(&terms, 200).unwrap() {
        let parts = index.explain(found.key, found.group, &terms).unwrap();
        let sum: f64 = parts.iter().map(|(_, part)| part).sum();
        assert!((sum - found.score).abs() < 1e-9, "{found:?}: {parts:?}");
        assert!(parts.is_sorted_by(|a, b| a.1 >= b.1) && parts.iter().all(|(term, _)| term != "nowhere"));
    }
    assert_eq!(index.explain(1, 99, &terms).unwrap(), []);
    assert_eq!(index.explain(1, 0, &Terms::of("nowhere")).unwrap(), []);
}

#[test]
fn how_well_words_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(dir.path());
    let known = |words: &str| index.known(&Terms::of(words)).unwrap();
    assert_eq!((known("alpha").terms, known("alpha").known, known("").terms), (1, 0, 0));
    let mut writer = index.writer().unwrap();
    for (key, text) in (0..).zip(["alpha beta", "alpha gamma", "alpha 책상"]) {
        writer.add(key, key, &[text]).unwrap();
    }
    writer.commit("1").unwrap();
    let (common, rare, half, none) =
        (known("alpha"), known("beta 책상"), known("beta delta"), known("delta"));
    assert_eq!((common.share, rare.share, none.share, none.rarest), (1.0, 1.0, 0.0, 0.0));
    assert!(half.share > 0.2 && half.share < 0.5 && half.known == 1 && half.terms == 2);
    assert!(rare.rarest > common.rarest);
}

#[test]
fn how_many_texts_hold_a_word_is_asked_by_its_stem_either_way() {
    let texts = [
        "He studies cats",
        "to study",
        "studied, and happy",
        "happiness",
        "stud farm",
        "한국어 검색",
        "с книгой",
        "Книги",
    ];
    for keep_endings in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let index = SearchIndex::open_analyzed(dir.path(), Analysis { keep_endings });
        let mut writer = index.writer().unwrap();
        for (key, text) in (0..).zip(texts) {
            writer.add(key, key, &[text]).unwrap();
        }
        writer.commit("1").unwrap();
        let check = |word: &str, expect: u64| {
            let term = hanok_index::analyze(word).remove(0).text;
            assert_eq!(
                index.doc_freq(&term).unwrap(),
                expect,
                "{word} as {term}, endings kept: {keep_endings}"
            );
        };
        check("studying", 3);
        check("cat", 1);
        check("happy", 2);
        check("studs", 1);
        check("검색", 1);
        check("dogs", 0);
        check("книга", 2);
        assert!(index.idf("dog").unwrap() > index.idf("studi").unwrap());
    }
}

const WHOLE: Analysis = Analysis { keep_endings: true };
const STEMS: Analysis = Analysis { keep_endings: false };

/// How many texts are found with a word of the same stem, and with the word itself.
fn found(index: &SearchIndex) -> (usize, usize) {
    let count = |words: &str| index.search(&index.terms_of(words).unwrap(), 9).unwrap().len();
    (count("runs"), count("running"))
}

fn fill(index: &SearchIndex, complete: bool) {
    let mut writer = index.writer().unwrap();
    writer.delete_group(1);
    writer.add(1, 1, &["running shoes"]).unwrap();
    if complete { writer.complete("whole").unwrap() } else { writer.commit("part").unwrap() }
}

#[test]
fn words_keep_their_endings_in_an_index_of_such_terms() {
    let dir = tempfile::tempdir().unwrap();
    let index = SearchIndex::open_analyzed(dir.path(), WHOLE);
    fill(&index, false);
    assert_eq!(found(&index), (0, 1));
    assert!(index.groups_with("shoes").unwrap().is_some());
    assert_eq!(SearchIndex::open_analyzed(dir.path(), WHOLE).mark().as_deref(), Some("part"));
}

#[test]
fn an_index_serves_till_one_of_other_terms_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = SearchIndex::open(dir.path());
    fill(&index, false);
    index.analyze_as(STEMS);
    assert!(!index.is_to_be_replaced());
    // There and back again: each of the two folders is the one to be replaced once.
    for (from, to) in [(STEMS, WHOLE), (WHOLE, STEMS)] {
        let (before, after) = if from == STEMS { ((1, 1), (0, 1)) } else { ((0, 1), (1, 1)) };
        let asked = index.mark_of_asked();
        index.analyze_as(to);
        let check = |index: &SearchIndex, mark: Option<&str>| {
            assert!(index.is_to_be_replaced());
            assert_eq!((found(index), index.analysis(), index.len()), (before, from, 1));
            assert_eq!((index.mark().as_deref(), &index.mark_of_asked()), (mark, &asked));
        };
        check(&index, None);
        check(&SearchIndex::open_analyzed(dir.path(), to), None);
        fill(&index, false);
        check(&index, Some("part"));
        // A restart goes on where the next one was.
        index = SearchIndex::open_analyzed(dir.path(), to);
        check(&index, Some("part"));
        fill(&index, true);
        for index in [&index, &SearchIndex::open_analyzed(dir.path(), to)] {
            assert!(!index.is_to_be_replaced());
            assert_eq!((found(index), index.analysis()), (after, to));
            assert_eq!(index.mark().as_deref(), Some("whole"));
        }
        let kept = [dir.path().join("meta.json"), dir.path().join("aside/meta.json")];
        assert_eq!(kept.iter().filter(|file| file.exists()).count(), 1, "the former is gone");
    }
}

#[test]
fn what_is_no_longer_wanted_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(dir.path());
    fill(&index, false);
    index.analyze_as(WHOLE);
    fill(&index, false);
    let aside = dir.path().join("aside/meta.json");
    assert!(aside.exists());
    index.analyze_as(STEMS);
    assert_eq!((found(&index), index.mark().as_deref()), ((1, 1), Some("part")));
    drop(index.writer().unwrap());
    assert!(!aside.exists());
    // Where what served is gone, what was made till then serves.
    index.analyze_as(WHOLE);
    fill(&index, false);
    drop(index);
    std::fs::remove_file(dir.path().join("meta.json")).unwrap();
    let index = SearchIndex::open_analyzed(dir.path(), WHOLE);
    assert_eq!(
        (found(&index), index.mark().as_deref(), index.is_to_be_replaced()),
        ((0, 1), Some("part"), false)
    );
}

#[test]
fn a_long_question_costs_its_length() {
    use std::fmt::Write as _;
    let (dir, begun) = (tempfile::tempdir().unwrap(), std::time::Instant::now());
    let mut question = String::new();
    for word in 0..300_000 {
        write!(question, "w{word} ").unwrap();
    }
    let index = filled(dir.path(), &HashMap::from([(1, "w7 and w9 again".to_owned())]), 1);
    let terms = index.terms_of(&format!("{question} w7")).unwrap();
    assert_eq!(terms.iter().count(), 300_000);
    assert!(terms.iter().all(|(term, weight)| (weight > 1.0) == (term == "w7")));
    assert_eq!(index.search(&terms, 3).unwrap().len(), 1);
    assert_eq!(Terms::of(&question).iter().count(), 300_000);
    // With each word looked for among all before it, this took a quarter of an hour.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
