//! Prints the measures of the search on folders in BEIR's format: `evaluate DIR …`.
#![expect(clippy::print_stdout, reason = "its purpose")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    for dir in std::env::args_os().skip(1) {
        let report = runtime.block_on(hanok_retrieval::evaluate(dir.as_ref()))?;
        println!("{} {}", dir.display(), serde_json::to_string(&report)?);
    }
    Ok(())
}
