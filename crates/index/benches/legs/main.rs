//! Measures the legs of a search by themselves, one JSON line per measure on standard output.
//!
//! `words FOLDER [COPIES]` indexes a folder in BEIR's format so many times over and asks its queries;
//! `vectors TEXTS QUERIES` takes files of 32-bit floats, 384 a vector; `synthetic COUNT` makes its own vectors:
//! around centres that lie around fewer centres, as texts around topics of fields. TUNING is up to three numbers:
//! vectors up to which all are looked at, the width of a walk, threads.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program that prints what it measured")]

mod measure;
mod vectors;
mod words;

fn main() {
    // `cargo bench` gives this flag to every bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["words", folder] => words::run(folder.as_ref(), 20),
        ["words", folder, copies] => words::run(folder.as_ref(), copies.parse().unwrap_or(20)),
        ["vectors", texts, queries, tuning @ ..] => {
            vectors::of_files(texts.as_ref(), queries.as_ref(), vectors::tuning(tuning));
        }
        ["synthetic", count, tuning @ ..] => {
            vectors::synthetic(count.parse().unwrap_or(100_000), vectors::tuning(tuning));
        }
        _ => println!("words FOLDER [COPIES] | vectors TEXTS QUERIES [TUNING] | synthetic COUNT [TUNING]"),
    }
}
