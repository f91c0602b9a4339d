//! Files that mean harm do none.

use crate::{WORKSHOP, child, file, read};
use hanok_parse::{Format, Limits, Parsed, Unfit, Workshop};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::io::Write as _;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Files of each format, for breaking.
const FILES: [&str; 12] = [
    "pandoc.docx",
    "python-pptx.pptx",
    "xlsxwriter.xlsx",
    "libreoffice.ods",
    "xlwt.xls",
    "page.html",
    "cp949.csv",
    "records.jsonl",
    "columns.pdf",
    "korean-cid.pdf",
    "owner-only.pdf",
    "encrypted.docx",
];

fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).expect("a part");
        zip.write_all(content).expect("its content");
    }
    zip.finish().expect("a package").into_inner()
}

fn document(body: &str) -> Vec<u8> {
    let xml = format!("<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>");
    package(&[("word/document.xml", xml.as_bytes())])
}

fn sheet(xml: &str) -> Vec<u8> {
    let book = "<workbook xmlns:r='r'><sheets><sheet name='S' r:id='a'/></sheets></workbook>";
    let relations =
        "<Relationships><Relationship Id='a' Type='x/worksheet' Target='sheet.xml'/></Relationships>";
    package(&[
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/sheet.xml", xml.as_bytes()),
    ])
}

/// A PDF of these objects, the first of which is the catalog; its table is left to be found.
fn pdf(objects: &[&str]) -> Vec<u8> {
    let mut file = String::from("%PDF-1.4\n");
    for (at, object) in objects.iter().enumerate() {
        let _ = write!(file, "{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    file.push_str("trailer\n<< /Root 1 0 R >>\n%%EOF\n");
    file.into_bytes()
}

fn stream(dict: &str, content: &str) -> String {
    format!("<< {dict} /Length {} >>\nstream\n{content}\nendstream", content.len())
}

fn parse(bytes: &[u8], format: Format) -> Result<Parsed, Unfit> {
    WORKSHOP.parse_bytes(bytes, format)
}

fn text(bytes: &[u8], format: Format) -> String {
    parse(bytes, format).map_or_else(|error| format!("error: {error}"), |parsed| parsed.text)
}

/// Whether an outcome is one that a parser comes to by itself.
fn is_orderly(outcome: &Result<Parsed, Unfit>) -> bool {
    !matches!(outcome, Err(Unfit::Crashed(_) | Unfit::NoParser(_) | Unfit::TooLong(_) | Unfit::Memory(_)))
}

#[test]
fn files_that_break_off_are_taken_or_named() {
    for name in FILES {
        let bytes = read(name);
        let format = Format::of(name, &bytes).expect("the format is known");
        for tenths in 0..10 {
            let outcome = parse(&bytes[..bytes.len() * tenths / 10], format);
            // The parser of old workbooks panics on some of them; the child answers for it.
            let is_panic = format == Format::Xls && matches!(outcome, Err(Unfit::Crashed(_)));
            assert!(is_orderly(&outcome) || is_panic, "{name} cut at {tenths}/10: {outcome:?}");
        }
        assert!(parse(b"", format).is_err(), "{name}");
    }
}

#[test]
fn what_is_nested_deep_is_taken_or_named() {
    const DEEP: usize = 100_000;
    let deep = |open: &str, close: &str| format!("{}x{}", open.repeat(DEEP), close.repeat(DEEP));
    let too_deep = "error: it is no valid DOCX: its elements are nested too deep";
    assert_eq!(text(&document(&deep("<w:p>", "</w:p>")), Format::Docx), too_deep);
    assert_eq!(text(&document(&deep("<w:tbl><w:tr><w:tc>", "")), Format::Docx), too_deep);
    let slide = sheet(&deep("<row>", ""));
    assert!(text(&slide, Format::Xlsx).contains("nested too deep"));
    assert!(text(deep("<div><b>", "</div>").as_bytes(), Format::Html).contains('x'));
    assert!(text(deep("[", "]").as_bytes(), Format::Json).contains("recursion limit"));
    let array =
        pdf(&["<< /Type /Catalog /Pages 2 0 R >>", &format!("<< /Type /Pages /Kids {} >>", deep("[", "]"))]);
    assert!(is_orderly(&parse(&array, Format::Pdf)));
    let content = stream("", &format!("BT {} Tj ET", deep("[", "]")));
    let page = pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>",
        &content,
    ]);
    assert!(is_orderly(&parse(&page, Format::Pdf)));
}

#[test]
fn what_unpacks_to_much_is_not_unpacked() {
    let limits = Limits { unpacked_bytes: 4 << 20, ..Limits::default() };
    let workshop = Workshop::new(child(), limits);
    let error =
        |bytes: &[u8], format| workshop.parse_bytes(bytes, format).expect_err("it is too large").to_string();
    let bomb = " ".repeat(8 << 20);
    assert_eq!(error(&document(&bomb), Format::Docx), "what is packed in it is larger than 4 MiB");
    // Many parts that are small by themselves.
    let part = " ".repeat(3 << 20);
    let parts = package(&[
        ("word/document.xml", b"<document/>"),
        ("word/styles.xml", part.as_bytes()),
        ("word/numbering.xml", part.as_bytes()),
    ]);
    assert_eq!(error(&parts, Format::Docx), "what is packed in it is larger than 4 MiB");
    // A package in a package is a part that nobody asks for.
    let nested = package(&[
        ("word/document.xml", b"<document><p><r><t>outer</t></r></p></document>"),
        ("word/media/inner.docx", &document(&bomb)),
    ]);
    assert_eq!(workshop.parse_bytes(&nested, Format::Docx).expect("it is a document").text, "outer\n");
    // A string that is used over and over.
    let strings = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(30_000));
    let cells = "<c t='s'><v>0</v></c>".repeat(5_000);
    let book = package(&[
        ("xl/workbook.xml", b"<workbook xmlns:r='r'><sheets><sheet name='S' r:id='a'/></sheets></workbook>"),
        (
            "xl/_rels/workbook.xml.rels",
            b"<Relationships><Relationship Id='a' Type='x/worksheet' Target='sheet.xml'/></Relationships>",
        ),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/sheet.xml", format!("<worksheet><row>{cells}</row></worksheet>").as_bytes()),
    ]);
    assert_eq!(error(&book, Format::Xlsx), "its text is larger than 32 MiB");
}

#[test]
fn entities_of_a_document_stand_for_nothing() {
    let mut laughs = String::from("<!DOCTYPE d [<!ENTITY l0 'ha'>");
    for at in 1..30 {
        let _ = write!(laughs, "<!ENTITY l{at} '{}'>", format!("&l{};", at - 1).repeat(10));
    }
    laughs.push_str("<!ENTITY f SYSTEM 'file:///etc/passwd'>]><document><p><r><t>a&l29;&f;b &amp; c</t></r></p></document>");
    assert_eq!(text(&package(&[("word/document.xml", laughs.as_bytes())]), Format::Docx), "ab & c\n");
}

#[test]
fn sheets_are_as_large_as_what_is_in_them() {
    let far = "<worksheet><dimension ref='A1:XFD1048576'/><sheetData><row r='1048576'><c r='XFD1048576'><v>7</v></c></row>\
               <row r='1'><c r='A1'><v>1</v></c><c r='B1'><v>2</v></c></row></sheetData></worksheet>";
    assert_eq!(text(&sheet(far), Format::Xlsx), "## S\n\n| 1 | 2 |\n| --- | --- |\n\n7\n");
    let ods = "<document-content><spreadsheet><table name='S'><table-row number-rows-repeated='1048576'>\
               <table-cell number-columns-repeated='16384'><p>x</p></table-cell></table-row></table></spreadsheet></document-content>";
    let outcome = parse(
        &package(&[
            ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
            ("content.xml", ods.as_bytes()),
        ]),
        Format::Ods,
    );
    assert!(outcome.is_ok_and(|parsed| parsed.text.len() < 100_000));
}

#[test]
fn circles_in_a_pdf_end() {
    let catalog = "<< /Type /Catalog /Pages 2 0 R >>";
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> /Font << /A 6 0 R >> >> >>";
    let pages = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>";
    let font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";
    let show = |what: &str| stream("", what);
    let form = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> /Font << /A 6 0 R >> >>",
        "BT /A 9 Tf (again) Tj ET /F Do /F Do",
    );
    // A form that shows itself, twice.
    let outcome = parse(
        &pdf(&[catalog, pages, page, &show("BT /A 12 Tf 20 100 Td (Hello) Tj ET /F Do"), &form, font]),
        Format::Pdf,
    );
    assert!(outcome.as_ref().is_ok_and(|parsed| parsed.text.contains("Hello")), "{outcome:?}");
    // Pages among their own children, and a page that is its own parent.
    let outcome = parse(
        &pdf(&[
            catalog,
            "<< /Type /Pages /Kids [2 0 R 2 0 R 3 0 R] /Parent 2 0 R /Count 9999999 >>",
            page,
            &show("BT /A 12 Tf 20 100 Td (Hello) Tj ET"),
            &form,
            font,
        ]),
        Format::Pdf,
    );
    assert_eq!(outcome.map(|parsed| parsed.text), Ok("Hello\n".to_owned()));
    // Objects and lengths that refer to themselves.
    for object in ["2 0 R", "<< /Length 2 0 R >>\nstream\nx\nendstream", "[2 0 R]", "<< /Kids 2 0 R >>"] {
        assert!(
            parse(&pdf(&[catalog, object]), Format::Pdf).is_err_and(|error| is_orderly(&Err(error))),
            "{object}"
        );
    }
    // States saved without end, and text without a font.
    let content = format!("{} BT (no font) Tj /A 12 Tf 20 100 Td (Hello) Tj ET", "q ".repeat(200_000));
    assert_eq!(text(&pdf(&[catalog, pages, page, &show(&content), &form, font]), Format::Pdf), "Hello\n");
}

#[test]
fn a_wrong_name_is_seen_through() {
    let check = |name: &str, bytes: &[u8], expect: &str| {
        let format = Format::of(name, bytes).expect("it is taken for something");
        let outcome = text(bytes, format);
        assert!(outcome.starts_with(expect), "{name}: {outcome}");
    };
    check("slides.pdf", &read("python-pptx.pptx"), "## 마루란");
    check("report.xlsx", &read("pandoc.docx"), "# ");
    check("report.docx", &read("columns.pdf"), "# On floors");
    check("page.docx", &read("page.html"), "# 마루 보고서");
    check("picture.pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "error: it is no valid PDF: ");
    check("words.docx", "그냥 글이다.".as_bytes(), "error: it is no valid DOCX: ");
    check("old.docx", &read("xlwt.xls"), "error: it is no valid DOCX: it is a file of Office up to 2003");
    check("binary.csv", &[0, 159, 146, 150], "error: it is no valid text: ");
    check(
        "picture.zip.docx",
        &package(&[("a.png", b"x")]),
        "error: it is no valid DOCX: it has no document in it",
    );
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let broken = b"<html><p>one \xFF\xFE\xC3 two \xED\xA0\x80 \xF8\x88</p>";
    assert!(text(broken, Format::Html).contains("one"));
    let part = b"<document><p><r><t>one \xFF\xC3 two</t></r></p></document>";
    assert!(text(&package(&[("word/document.xml", part)]), Format::Docx).starts_with("one"));
    // Long lines without an end.
    let line = "x".repeat(8 << 20);
    for format in [Format::Html, Format::Csv, Format::Tsv] {
        assert!(text(line.as_bytes(), format).starts_with('x'), "{format:?}");
    }
    for open in ["<", "<!--", "<a b='", "&", "<![CDATA[", "</", "<script>"] {
        let outcome = parse(open.repeat(200_000).as_bytes(), Format::Html);
        assert!(is_orderly(&outcome), "{open}: {outcome:?}");
    }
    assert!(is_orderly(&parse("\"".repeat(400_000).as_bytes(), Format::Csv)));
    assert!(is_orderly(&parse("\"a\n".repeat(100_000).as_bytes(), Format::Csv)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to a file, its parser ends, and the next file is parsed.
    #[test]
    fn broken_files_harm_nobody(
        at in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
        cut in prop::option::of((any::<prop::sample::Index>(), 1_usize..400)),
    ) {
        let name = FILES[at];
        let mut bytes = read(name);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some((place, length)) = cut {
            let from = place.index(bytes.len());
            bytes.drain(from..(from + length).min(bytes.len()));
        }
        let format = Format::of(name, &read(name)).expect("the format is known");
        let outcome = parse(&bytes, format);
        prop_assert!(!matches!(outcome, Err(Unfit::NoParser(_) | Unfit::TooLong(_))), "{name}: {outcome:?}");
        let after = WORKSHOP.parse(&file("cp949.csv"), Format::Csv);
        prop_assert!(after.is_ok(), "{after:?}");
    }
}
