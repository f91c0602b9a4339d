//! How fast documents of each format are parsed, and what a child costs: `cargo bench -p hanok-parse`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints, and ends where it cannot go on"
)]

use hanok_parse::{Format, Limits, Workshop, parse};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const WORDS: &str =
    "The hall was repaired in spring and every room opens onto it. 한옥의 마루는 방과 방을 잇는다. ";

fn package(parts: &[(&str, String)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).expect("a part");
        zip.write_all(content.as_bytes()).expect("its content");
    }
    zip.finish().expect("a package").into_inner()
}

/// Documents of a few megabytes, made here so that none need be kept.
fn documents() -> Vec<(&'static str, Format, Vec<u8>)> {
    let times = |count: usize, part: &dyn Fn(usize) -> String| {
        (0..count).fold(String::new(), |mut all, at| {
            let _ = write!(all, "{}", part(at));
            all
        })
    };
    let html = times(20_000, &|at| {
        format!("<h2>Part {at}</h2><p class=x>{WORDS}<b>{WORDS}</b></p><ul><li>one<li>two</ul>")
    });
    let body = times(20_000, &|_| {
        format!("<w:p><w:pPr><w:pStyle w:val='A'/></w:pPr><w:r><w:t>{WORDS}</w:t></w:r></w:p>")
    });
    let rows = times(50_000, &|at| {
        format!(
            "<row r='{0}'><c r='A{0}'><v>{at}.5</v></c><c r='B{0}' t='s'><v>0</v></c><c r='C{0}'><v>{at}</v></c></row>",
            at + 1
        )
    });
    let book = "<workbook xmlns:r='r'><sheets><sheet name='S' r:id='a'/></sheets></workbook>".to_owned();
    let relations =
        "<Relationships><Relationship Id='a' Type='x/worksheet' Target='sheet.xml'/></Relationships>"
            .to_owned();
    vec![
        ("HTML", Format::Html, html.into_bytes()),
        ("CSV", Format::Csv, times(60_000, &|at| format!("{at},{WORDS},\"a, b\"\n")).into_bytes()),
        (
            "JSONL",
            Format::JsonLines,
            times(20_000, &|at| format!("{{\"id\":{at},\"title\":\"Part {at}\",\"text\":\"{WORDS}\"}}\n"))
                .into_bytes(),
        ),
        (
            "DOCX",
            Format::Docx,
            package(&[(
                "word/document.xml",
                format!("<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>"),
            )]),
        ),
        (
            "XLSX",
            Format::Xlsx,
            package(&[
                ("xl/workbook.xml", book),
                ("xl/_rels/workbook.xml.rels", relations),
                ("xl/sharedStrings.xml", format!("<sst><si><t>{WORDS}</t></si></sst>")),
                ("xl/sheet.xml", format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")),
            ]),
        ),
    ]
}

fn files() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

/// The processor time that this process has taken: what is parsed here does not wait for anything.
fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// The shortest time of several.
fn best(times: usize, mut work: impl FnMut()) -> Duration {
    let times = (0..times).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().unwrap_or_default()
}

fn main() {
    let limits = Limits { time: Duration::from_mins(2), ..Limits::default() };
    println!("{:<24} {:>10} {:>10} {:>10} {:>10}", "document", "bytes", "text", "ms", "text MB/s");
    let mut all = documents();
    for name in [
        "chromium.pdf",
        "libreoffice.pdf",
        "columns.pdf",
        "pandoc.docx",
        "libreoffice.pptx",
        "libreoffice.xlsx",
        "libreoffice.xls",
        "libreoffice.ods",
    ] {
        let bytes = std::fs::read(files().join(name)).expect("the file is there");
        let format = Format::of(name, &bytes).expect("the format is known");
        all.push((name, format, bytes));
    }
    // PDFs given on the command line stand for large ones, which are not kept here.
    for path in std::env::args().skip(1).filter(|path| path.to_lowercase().ends_with(".pdf")) {
        all.push((String::leak(path.clone()), Format::Pdf, std::fs::read(path).expect("the file is there")));
    }
    for (name, format, bytes) in &all {
        let mut text = 0;
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let before = processor();
            text = parse(*format, bytes, &limits).map_or(0, |parsed| parsed.text.len());
            took = took.min(processor().saturating_sub(before));
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let speed = text as f64 / 1e6 / took.as_secs_f64();
        println!(
            "{name:<24} {:>10} {text:>10} {:>10.2} {speed:>10.1}",
            bytes.len(),
            took.as_secs_f64() * 1e3
        );
    }
    let child = PathBuf::from(env!("CARGO_BIN_EXE_parse-child"));
    let page = std::fs::read(files().join("page.html")).expect("the file is there");
    let fresh = best(10, || {
        let workshop = Workshop::new(child.clone(), limits);
        workshop.parse_bytes(&page, Format::Html).expect("it is a page");
    });
    let workshop = Workshop::new(child, limits);
    workshop.parse_bytes(&page, Format::Html).expect("it is a page");
    let kept = best(200, || drop(workshop.parse_bytes(&page, Format::Html).expect("it is a page")));
    let here = best(200, || drop(parse(Format::Html, &page, &limits).expect("it is a page")));
    println!(
        "a small page: {fresh:.1?} in a new child, {kept:.1?} in one that is there, {here:.1?} without one"
    );
}
