//! The child that the tests' workshops run.

fn main() -> std::process::ExitCode {
    hanok_parse::child(std::io::stdin().lock(), std::io::stdout().lock())
}
