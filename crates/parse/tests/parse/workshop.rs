//! Children live, die and are replaced.

use crate::{WORKSHOP, child, file, read};
use hanok_parse::{Format, Limits, Unfit, Workshop};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A program that does what a script says.
fn script(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("it is written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it may be run");
    path
}

#[test]
fn a_child_that_fails_costs_its_document_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { time: Duration::from_millis(1500), children: 1, ..Limits::default() };
    let check = |name: &str, lines: &str, expect: &str| {
        let workshop = Workshop::new(script(folder.path(), name, lines), limits);
        for _ in 0..2 {
            let error = workshop.parse_bytes(b"{}", Format::Json).expect_err("it fails");
            assert_eq!(error.to_string(), expect, "{name}");
        }
    };
    check("leaves", "exit 3", "the parser failed on it: exit status: 3");
    check("aborts", "kill -ABRT $$", "the parser failed on it: signal: 6 (SIGABRT)");
    check(
        "nests",
        "echo 'thread main has overflowed its stack' >&2; kill -ABRT $$",
        "the parser failed on it: it is nested too deep",
    );
    check(
        "grows",
        "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$",
        "parsing it needs more memory than 512 MiB",
    );
    check("works", "kill -XCPU $$", "parsing it took longer than 20 s of processor time");
    check("sleeps", "exec sleep 100", "parsing it took longer than 1500 ms");
    check("deafens", "exec cat > /dev/null", "parsing it took longer than 1500 ms");
}

#[test]
fn a_child_that_talks_nonsense_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
    let nonsense = [
        ("floods", "exec cat /dev/zero"),
        ("claims", "printf '\\377\\377\\377\\377\\377\\377\\377\\377'; exec cat > /dev/null"),
        ("lies", "printf '\\002\\000\\000\\000\\000\\000\\000\\000{}'; exec cat > /dev/null"),
    ];
    for (name, lines) in nonsense {
        let workshop = Workshop::new(script(folder.path(), name, lines), limits);
        let began = Instant::now();
        let error = workshop.parse_bytes(b"{}", Format::Json).expect_err("it fails");
        assert!(matches!(error, Unfit::Crashed(_)), "{name}: {error}");
        assert!(began.elapsed() < limits.time, "{name}");
    }
}

#[test]
fn a_program_that_is_not_there_is_no_fault_of_the_document() {
    let workshop = Workshop::new("/nowhere/hanok".into(), Limits::default());
    let error = workshop.parse_bytes(b"{}", Format::Json).expect_err("it fails");
    assert!(matches!(&error, Unfit::NoParser(_)) && !error.is_lasting(), "{error}");
}

#[test]
fn children_end_with_their_workshop() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    // Notes who it is, and goes on as the child that it is.
    let lines = format!("echo $$ >> {}; exec {}", pids.display(), child().display());
    let workshop = Workshop::new(script(folder.path(), "noted", &lines), Limits::default());
    let parsed = workshop.parse_bytes(b"[1]", Format::Json).expect("it is JSON");
    assert_eq!(parsed.text, "- 1\n");
    drop(workshop);
    let pids = std::fs::read_to_string(pids).expect("one was noted");
    for pid in pids.lines() {
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} is still there");
    }
}

#[test]
fn many_threads_share_few_children() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    let lines = format!("echo $$ >> {}; exec {}", pids.display(), child().display());
    let limits = Limits { children: 2, time: Duration::from_secs(120), ..Limits::default() };
    let workshop = Workshop::new(script(folder.path(), "noted", &lines), limits);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let workshop = &workshop;
            scope.spawn(move || {
                for job in 0..20 {
                    let json = format!("[\"{thread} {job}\"]");
                    let parsed = workshop.parse_bytes(json.as_bytes(), Format::Json).expect("it is JSON");
                    assert_eq!(parsed.text, format!("- {thread} {job}\n"));
                }
            });
        }
    });
    let pids = std::fs::read_to_string(pids).expect("some were noted");
    assert!(pids.lines().count() <= 2, "{pids}");
}

#[test]
fn a_child_keeps_to_its_memory_and_the_next_document_has_another() {
    let limits = Limits { memory_bytes: 48 << 20, time: Duration::from_secs(120), ..Limits::default() };
    let workshop = Workshop::new(child(), limits);
    let page = "<b>x</b>".repeat(1 << 20);
    let error = workshop.parse_bytes(page.as_bytes(), Format::Html).expect_err("it needs more");
    assert_eq!(error.to_string(), "parsing it needs more memory than 48 MiB");
    let parsed = workshop.parse(&file("page.html"), Format::Html).expect("it is a page");
    assert!(parsed.text.starts_with("# 마루 보고서"));
}

#[test]
fn a_child_keeps_to_its_processor_time() {
    let limits =
        Limits { processor: Duration::from_secs(0), time: Duration::from_secs(300), ..Limits::default() };
    let workshop = Workshop::new(child(), limits);
    let page = "<div><p>x<p>y</div>".repeat(2 << 20);
    let error = workshop.parse_bytes(page.as_bytes(), Format::Html).expect_err("it needs more");
    assert_eq!(error.to_string(), "parsing it took longer than 0 s of processor time");
}

#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |path: &Path, expect: &str| {
        for format in [Format::Pdf, Format::Plain] {
            let error = WORKSHOP.parse(path, format).expect_err("it is no file");
            assert!(error.to_string().contains(expect) && !error.is_lasting(), "{error}");
        }
    };
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    check(&pipe, "it is not a regular file");
    check(folder.path(), "it is not a regular file");
    check(Path::new("/dev/zero"), "it is not a regular file");
    check(&folder.path().join("missing"), "No such file");
    let circle = folder.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).expect("a link");
    check(&circle, "symbolic links");
    // A link to a file is that file: whether links are followed is for those to say who look for files.
    let link = folder.path().join("link.html");
    std::os::unix::fs::symlink(file("page.html"), &link).expect("a link");
    assert!(WORKSHOP.parse(&link, Format::Html).is_ok());
}

#[test]
fn what_is_too_large_is_not_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.txt");
    let long = std::fs::File::create(&path).expect("a file");
    long.set_len(100 << 20).expect("it has holes");
    for format in [Format::Plain, Format::Html, Format::Pdf] {
        let error = WORKSHOP.parse(&path, format).expect_err("it is too large");
        assert_eq!(error.to_string(), "the file is larger than 64 MiB");
    }
    let limits = Limits { text_bytes: 100, ..Limits::default() };
    let workshop = Workshop::new(child(), limits);
    let error = workshop.parse_bytes(&read("page.html"), Format::Html).expect_err("its text is too large");
    assert_eq!(error.to_string(), "its text is larger than 100 bytes");
}
