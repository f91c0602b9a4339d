//! Files of every format come out right.

use crate::{WORKSHOP, file, read};
use hanok_parse::{Format, Layout, Parsed, Unfit};
use std::fmt::Write as _;

fn parse(name: &str) -> Result<Parsed, Unfit> {
    let bytes = read(name);
    let format = Format::of(name, &bytes).expect("the format is known");
    WORKSHOP.parse(&file(name), format)
}

/// All that came out, pages marked where they begin.
fn seen(name: &str) -> String {
    let parsed = parse(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut seen = String::new();
    let _ = writeln!(seen, "title: {}", parsed.title.as_deref().unwrap_or("-"));
    for (key, value) in &parsed.metadata {
        let _ = writeln!(seen, "{key}: {value}");
    }
    for note in &parsed.notes {
        let _ = writeln!(seen, "note: {note}");
    }
    assert_eq!(parsed.layout, Layout::Markdown, "{name}");
    let mut last = 0;
    seen.push_str("---\n");
    for (number, page) in parsed.pages.iter().enumerate() {
        seen.push_str(&parsed.text[last..*page]);
        let _ = writeln!(seen, "<<page {}>>", number + 1);
        last = *page;
    }
    seen.push_str(&parsed.text[last..]);
    seen
}

#[test]
fn files_of_other_programs_come_out_right() {
    let names = [
        "pandoc.docx",
        "libreoffice.docx",
        "python-docx.docx",
        "pandoc.pptx",
        "libreoffice.pptx",
        "python-pptx.pptx",
        "xlsxwriter.xlsx",
        "libreoffice.xlsx",
        "openpyxl.xlsx",
        "libreoffice.ods",
        "libreoffice.xls",
        "xlwt.xls",
        "xlwt-formats.xls",
        "pandoc.html",
        "page.html",
        "cp949.csv",
        "records.jsonl",
        "chromium.pdf",
        "libreoffice.pdf",
        "libreoffice-tagged.pdf",
        "weasyprint.pdf",
        "slides.pdf",
        "columns.pdf",
        "hyphens.pdf",
        "korean-cid.pdf",
        "owner-only.pdf",
        "nested.pdf",
        "nested-tagged.pdf",
    ];
    for name in names {
        insta::assert_snapshot!(name, seen(name));
    }
}

#[test]
fn encodings_do_not_change_what_is_said() {
    let page = parse("page.html").expect("it is a page");
    let euc = parse("page-euc-kr.html").expect("it is a page");
    assert_eq!(page.text, euc.text);
    let text = |name: &str| parse(name).map(|parsed| (parsed.layout, parsed.text));
    let korean = "한옥의 마루는 방과 방을 잇는다.\r\n여름에는 바람이 통한다.\r\n";
    assert_eq!(text("euc-kr.txt"), Ok((Layout::Plain, korean.to_owned())));
    assert_eq!(text("utf-16.txt"), Ok((Layout::Plain, "마루 floor\n".to_owned())));
}

#[test]
fn files_without_a_text_say_why() {
    let check = |name: &str, expect: &str| {
        let error = parse(name).expect_err("there is no text");
        assert_eq!(error.to_string(), expect, "{name}");
    };
    check("scan.pdf", "it is a scan without text (2 pages); run it through OCR first");
    check("encrypted.pdf", "it is encrypted; save it without a password");
    check("encrypted.docx", "it is encrypted; save it without a password");
}
