use super::*;
use crate::sentence::width;
use hanok_base::SourceId;

fn usual(text: &str, layout: Layout) -> Cut {
    cut(text, layout, &Chunking::default(), None)
}

fn headings_and_texts(text: &str, layout: Layout) -> Vec<(String, &str)> {
    let pieces = usual(text, layout).pieces;
    pieces.into_iter().map(|piece| (piece.heading, &text[piece.start..piece.end])).collect()
}

fn all(by: Chunker, size: usize) -> [Chunking; 3] {
    let plain = Chunking { by, size, ..Chunking::default() };
    let shown = Chunking { parents: Parents::Shown, ..plain.clone() };
    let apart = Chunking { overlap: Some(0), ..plain.clone() };
    [plain, shown, apart]
}

#[test]
fn sections_become_chunks() {
    let text = "---\ntitle: Guide\n---\nIntro.\n\n# One\n\nFirst.\n\n## Deep\nSecond.\n\n# Two\n# Three\nThird.\n## Last";
    let expect = [
        ("", "Intro."),
        ("One", "First."),
        ("One > Deep", "Second."),
        ("Two", "# Two"),
        ("Three", "Third."),
        ("Three > Last", "## Last"),
    ];
    let got = headings_and_texts(text, Layout::Markdown);
    let got: Vec<(&str, &str)> = got.iter().map(|(heading, text)| (heading.as_str(), *text)).collect();
    assert_eq!(got, expect);
    assert_eq!(usual(text, Layout::Markdown).title.as_deref(), Some("Guide"));
    assert_eq!(usual("# A\n\nx", Layout::Markdown).title.as_deref(), Some("A"));
    assert_eq!(usual("x", Layout::Plain).title, None);
    assert_eq!(usual(" \n\n", Layout::Plain).pieces, []);
}

#[test]
fn a_long_section_is_cut_with_overlap() {
    for sentence in [
        "This is a sentence of some length that says nothing. ",
        "이 문장은 아무것도 말하지 않는 문장입니다. ",
    ] {
        let text = sentence.repeat(200);
        for by in [Chunker::Structure, Chunker::Sentence, Chunker::Tokens, Chunker::Recursive] {
            let pieces = cut(&text, Layout::Plain, &Chunking { by, ..Chunking::default() }, None).pieces;
            assert!(pieces.len() > 3);
            for pair in pieces.windows(2) {
                assert!(pair[0].start < pair[1].start && pair[0].end < pair[1].end, "{pair:?}");
                let said_twice = &text[pair[1].start..pair[0].end];
                match by {
                    Chunker::Structure => assert_eq!(said_twice, sentence.trim()),
                    _ => assert!((1..=300).contains(&width(said_twice)), "{by:?}: {said_twice:?}"),
                }
            }
            assert_eq!(pieces[0].start, 0);
            assert_eq!(pieces.last().unwrap().end, text.trim_end().len());
        }
    }
}

/// Takes seconds where the cost grows with the square of a line's length.
#[test]
fn a_very_long_line_is_cut_in_one_pass() {
    let text = "word forklift ".repeat(50_000);
    for by in Chunker::ALL {
        let chunking = Chunking { by, ..Chunking::default() };
        for layout in [Layout::Plain, Layout::Code] {
            assert!(cut(&text, layout, &chunking, None).pieces.len() > 500, "{by:?} {layout:?}");
        }
    }
}

#[test]
fn every_word_is_in_a_chunk_whatever_the_text() {
    let long_line = "x".repeat(6_000);
    let no_spaces = "가나다라마바사".repeat(500);
    let code = format!("a\n\n```\n{}```\nb", "let x = 1;\n".repeat(500));
    let table = "| a | b |\n".repeat(500);
    let list = "- an item of the list\n".repeat(200);
    let prose = "One thing is said. Another follows it! 그리고 셋째가 있다. ".repeat(90);
    let program = "/// Says it.\nfn one() {\n    say(1);\n}\n\nstruct Two;\n\n".repeat(90);
    let class = format!("class Big:\n{}", "    def one(self):\n        return 1\n\n".repeat(140));
    let odd = "\u{a0}\r\n\t\u{3000}a\r\rb\u{2028}c ``` ` \"\"\" \n/* \n x".repeat(50);
    for text in [&long_line, &no_spaces, &code, &table, &list, &prose, &program, &class, &odd] {
        for chunking in Chunker::ALL.into_iter().flat_map(|by| [300, 40].map(|size| all(by, size))).flatten()
        {
            for layout in [Layout::Markdown, Layout::Plain, Layout::Code] {
                let pieces = cut(text, layout, &chunking, None).pieces;
                let mut reached = 0;
                for piece in &pieces {
                    assert!(piece.start < piece.end && text.get(piece.start..piece.end).is_some());
                    let wide = width(&text[piece.start..piece.end]);
                    assert!(wide <= chunking.size * 14, "{chunking:?} {layout:?}: {wide}");
                    let gap = text.get(reached..piece.start).unwrap_or_default();
                    assert!(gap.trim().is_empty(), "{chunking:?} {layout:?}: {gap:?}");
                    reached = reached.max(piece.end);
                    if let Some(parent) = &piece.parent {
                        assert!(parent.start <= piece.start && piece.end <= parent.end);
                    }
                }
                assert!(text[reached..].trim().is_empty(), "{chunking:?} {layout:?}: {:?}", &text[reached..]);
            }
        }
    }
}

#[test]
fn chunks_without_structure_still_know_their_headings() {
    let text = "---\ntitle: Guide\n---\n# One\n\nFirst things.\n\n## Deep\n\nSecond things.\n";
    for by in [Chunker::Recursive, Chunker::Sentence, Chunker::Tokens, Chunker::Semantic] {
        let cut = cut(text, Layout::Markdown, &Chunking { by, size: 16, ..Chunking::default() }, None);
        assert_eq!(cut.title.as_deref(), Some("Guide"), "{by:?}");
        assert!(!cut.pieces.iter().any(|piece| text[piece.start..piece.end].contains("title")), "{by:?}");
        assert!(cut.pieces[0].heading.starts_with("One"), "{by:?}: {:?}", cut.pieces);
    }
}

#[test]
fn code_is_cut_between_items() {
    let rust = "//! A module.\n\nuse std::fmt;\n\n/// Adds.\n#[inline]\nfn add(a: i32) -> i32 {\n    a + 1\n}\n\nimpl Show for A {\n    fn show(&self) {\n        print();\n    }\n\n    /// Hides.\n    fn hide(&self) {\n        stop();\n    }\n}\n";
    let small = Chunking { size: 16, whole: Some(16), ..Chunking::default() };
    let got: Vec<(String, &str)> = cut(rust, Layout::Code, &small, None)
        .pieces
        .into_iter()
        .map(|piece| (piece.heading, rust.get(piece.start..piece.end).unwrap()))
        .collect();
    let expect = [
        ("use std::fmt", "//! A module.\n\nuse std::fmt;"),
        ("fn add(a: i32) -> i32", "/// Adds.\n#[inline]\nfn add(a: i32) -> i32 {\n    a + 1\n}"),
        (
            "impl Show for A > fn show(&self)",
            "impl Show for A {\n    fn show(&self) {\n        print();\n    }",
        ),
        ("impl Show for A > fn hide(&self)", "/// Hides.\n    fn hide(&self) {\n        stop();\n    }\n}"),
    ];
    let got: Vec<(&str, &str)> = got.iter().map(|(heading, text)| (heading.as_str(), *text)).collect();
    assert_eq!(got, expect);
    let check = |code: &str, expect: &[&str]| {
        let got: Vec<String> =
            cut(code, Layout::Code, &small, None).pieces.into_iter().map(|piece| piece.heading).collect();
        assert_eq!(got, expect, "{code}");
    };
    check(
        "import os\n\n@cached\ndef load(path):\n    \"\"\"Loads\nit at the left.\n\"\"\"\n    return open(path).read()\n\nclass Box:\n    def put(self, what):\n        self.inside = what\n        return self\n\n    def take(self):\n        return self.inside or None\n",
        &["import os", "def load(path)", "class Box > def put(self, what)", "class Box > def take(self)"],
    );
    check(
        "#include <stdio.h>\n\nstatic int twice(int a)\n{\n    return a * 2 + 0 + 0 + 0;\n}\n\n#if X\nint main(void)\n{\n    puts(\"a long enough line here\");\n}\n#endif\n",
        &["#include <stdio.h>", "static int twice(int a)", "int main(void)"],
    );
    check(
        "func (s *Server) Run(ctx context.Context) error {\n\treturn s.run(ctx, true, nil)\n}\n\nconst template = `\nleft\nleft again, and a good deal longer\n`\n",
        &["func (s *Server) Run(ctx context.Context) error", "const template = `"],
    );
}

#[test]
fn tables_and_functions_that_are_not_too_long_stay_whole() {
    let rows = "| a cell of some length | another cell |\n".repeat(60);
    let table =
        format!("# T\n\n{}\n{rows}\n{}", "Words before it. ".repeat(100), "Words after it. ".repeat(100));
    let pieces = usual(&table, Layout::Markdown).pieces;
    assert!(pieces.iter().any(|piece| table[piece.start..piece.end].contains(rows.trim())), "{pieces:?}");
    let body = "    let x = compute(a, b);\n".repeat(100);
    let code = format!("fn before() {{\n{body}}}\n\nfn long() {{\n{body}}}\n");
    assert_eq!(usual(&code, Layout::Code).pieces.len(), 2);
}

#[test]
fn a_semantic_cut_is_made_where_the_subject_changes() {
    let ships = "The ship left the harbour at dawn. The harbour pilot boarded the ship before dawn. \
        The pilot guided the ship past the harbour wall. Every ship needs a harbour pilot. ";
    let bread = "Flour makes the bread dough. The dough needs warm water and flour. \
        Bread dough rises in warm water. Bake the dough until the bread is brown. ";
    let text = format!("{ships}{bread}");
    let chunking = Chunking { by: Chunker::Semantic, size: 200, ..Chunking::default() };
    let got: Vec<&str> = preview(&text, Layout::Plain, &chunking, None)
        .pieces
        .into_iter()
        .map(|piece| &text[piece.start..piece.end])
        .collect();
    assert_eq!(got, [ships.trim(), bread.trim()]);
    // The same by vectors; an embedder that fails is as none.
    let embed = |texts: &[&str]| -> Option<Vec<Vec<f32>>> {
        Some(
            texts
                .iter()
                .map(|text| {
                    if text.contains("hip") || text.contains("ilot") {
                        vec![1.0, 0.0]
                    } else {
                        vec![0.0, 1.0]
                    }
                })
                .collect(),
        )
    };
    assert_eq!(preview(&text, Layout::Plain, &chunking, Some(&embed)).pieces.len(), 2);
    assert_eq!(preview(&text, Layout::Plain, &chunking, Some(&|_| None)).pieces.len(), 2);
}

#[test]
fn texts_that_mean_harm_are_cut_as_others() {
    const DEEP: usize = 20_000;
    let texts =
        ["> ", "[", "(", "{\n", "- ", "  - x\n", "```\n", "<div>", "# ", "**", "| ", "\u{300}", "fn f() {"]
            .map(|part| format!("The keel.\n\n{}\n\nThe mast.", part.repeat(DEEP)));
    for text in &texts {
        for by in Chunker::ALL {
            for layout in [Layout::Markdown, Layout::Plain, Layout::Code] {
                let began = std::time::Instant::now();
                let pieces = preview(text, layout, &Chunking { by, ..Chunking::default() }, None).pieces;
                let head: String = text.chars().skip(11).take(12).collect();
                assert!(began.elapsed().as_secs() < 10, "{head:?} {by:?} {layout:?}: {:?}", began.elapsed());
                let says =
                    |word: &str| pieces.iter().any(|piece| text[piece.start..piece.end].contains(word));
                assert!(says("keel") && says("mast"), "{head:?} {by:?} {layout:?}");
            }
        }
    }
}

#[derive(Debug, PartialEq)]
struct Found(u64, Range<usize>, Option<Range<usize>>);

impl Kin for Found {
    fn source(&self) -> SourceId {
        SourceId(self.0)
    }
    fn span(&self) -> Range<usize> {
        self.1.clone()
    }
    fn parent(&self) -> Option<Range<usize>> {
        self.2.clone()
    }
    fn grow(&mut self) {
        self.1 = self.2.clone().unwrap();
    }
}

#[test]
fn siblings_become_their_parent() {
    let check = |parents: Parents, expect: &[(u64, Range<usize>)]| {
        let found = vec![
            Found(1, 0..10, Some(0..40)),
            Found(2, 0..10, Some(0..40)),
            Found(1, 20..30, Some(0..40)),
            Found(1, 50..60, Some(50..90)),
            Found(3, 5..9, None),
        ];
        let got: Vec<(u64, Range<usize>)> =
            gather(found, parents).into_iter().map(|found| (found.0, found.1)).collect();
        assert_eq!(got, expect, "{parents:?}");
    };
    check(Parents::None, &[(1, 0..10), (2, 0..10), (1, 20..30), (1, 50..60), (3, 5..9)]);
    check(Parents::Shown, &[(1, 0..40), (2, 0..40), (1, 50..90), (3, 5..9)]);
    check(Parents::Merged, &[(1, 0..40), (2, 0..10), (1, 50..60), (3, 5..9)]);
}

#[test]
fn settings_that_cannot_be_used_say_why() {
    let check = |settings: &str, expect: Result<(), &str>| {
        let chunking: Chunking = serde_json::from_str(settings).unwrap();
        let got = chunking.check();
        assert_eq!(got.as_ref().copied().map_err(String::as_str), expect, "{settings}");
    };
    check("{}", Ok(()));
    check(r#"{"by": "semantic", "size": 100, "overlap": 50}"#, Ok(()));
    check(r#"{"size": 3}"#, Err("size: 3 is not between 16 and 8000 tokens"));
    check(r#"{"size": 100, "overlap": 51}"#, Err("overlap: 51 is not between 0 and 50 tokens"));
    check(r#"{"parent_size": 900}"#, Err("parent_size: needs parents = \"shown\" or \"merged\""));
    check(r#"{"parents": "merged", "parent_size": 900}"#, Ok(()));
    assert!(serde_json::from_str::<Chunking>(r#"{"sise": 3}"#).is_err());
    let other = Chunking { size: 301, ..Chunking::default() };
    assert_ne!(other.mark(), Chunking::default().mark());
}

#[test]
fn a_long_line_costs_its_length() {
    let begun = std::time::Instant::now();
    for (line, layout) in [
        ("\"\"\"", Layout::Code),
        ("/*", Layout::Code),
        ("`", Layout::Code),
        ("[a](", Layout::Markdown),
        ("# [", Layout::Markdown),
    ] {
        let text = format!("# {}", line.repeat(1_000_000 / line.len()));
        let pieces = usual(&text, layout).pieces;
        assert!(pieces.last().is_some_and(|last| last.end == text.trim_end().len()), "{line}");
        assert!(pieces.iter().all(|piece| piece.heading.len() <= 600), "{line}");
    }
    // Where a line was read again for each of its marks, this took hours.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
