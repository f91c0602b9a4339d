//! Versions: a prompt with the partials it uses, and nothing else.

use hanok_prompt::{Partials, Prompt};

#[test]
fn a_version_is_the_text_with_the_partials_it_uses() {
    let partials = |tone: &str, other: &str| {
        Partials::from([
            ("tone".to_owned(), tone.to_owned()),
            ("deep".to_owned(), "{{x}}".to_owned()),
            ("other".to_owned(), other.to_owned()),
        ])
    };
    let version = |source: &str, partials: &Partials| {
        let prompt = Prompt::parse("case", source, partials).unwrap();
        (prompt.version().clone(), prompt.partials().keys().cloned().collect::<Vec<_>>())
    };
    let source = "{{> tone}} {{name}}";
    let (first, used) = version(source, &partials("kind {{> deep}}", "a"));
    assert_eq!(used, ["deep", "tone"]);
    assert_eq!(first.short().len(), 10);
    assert_eq!(
        version(source, &partials("kind {{> deep}}", "b")).0,
        first,
        "what it does not use does not count"
    );
    assert_ne!(version(source, &partials("stern {{> deep}}", "a")).0, first);
    assert_ne!(version("{{> tone}} {{name}}!", &partials("kind {{> deep}}", "a")).0, first);
}
