//! Other programs' evals: read, run, written again.

use hanok_base::{Caller, Sample};
use hanok_eval::import::{self, Choice};
use hanok_eval::score::KeptScores;
use hanok_eval::{Bench, Cancel, Experiments, Keeper, Options, Runner, Spec};
use hanok_store::Store;
use hanok_store::evals::ResultFilter;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Forms that configurations have: short and long providers, defaults, templates of assertions, lists of variables,
/// members that nothing here knows.
const PROMPTFOO: &str = r#"
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: 'Pirates'
prompts:
  - 'Say {{word}} to {{who}}'
  - '[{"role": "system", "content": "Be short"}, {"role": "user", "content": "{{word}}"}]'
providers:
  - echo
  - id: openai:chat:gpt-5-mini
    label: small
    config:
      temperature: 0.2
      max_tokens: 100
      apiHost: example.test
defaultTest:
  vars:
    who: Anna
  assert:
    - type: not-contains
      value: yes
tests:
  - description: plain
    vars:
      word: Yarr
    assert:
      - type: equals
        value: Say Yarr to Anna
      - type: icontains
        value: yarr
        metric: pirate
  - vars:
      word: [Ahoy, Ho]
      who: Bob
    assert:
      - $ref: '#/assertionTemplates/bob'
      - type: latency
        threshold: 60000
  - vars:
      word: no
      nothing: null
    assert:
      - type: javascript
        value: output.length < 5
      - type: icontains
        value: '{{word}}'
    options:
      transform: output.trim()
assertionTemplates:
  bob:
    type: contains-any
    value: [Bob, Robert]
evaluateOptions:
  repeat: 2
  delay: 5
outputPath: out.csv
scenarios: []
unheard:
  of: [1, 2.5, null, {x: true}]
"#;

fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn yaml(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap()
}

#[test]
fn a_configuration_comes_back_as_it_was() {
    let (_folder, path) = written("pirates.yaml", PROMPTFOO);
    for (model, choice) in [
        (None, Choice::default()),
        (None, Choice { prompt: 1, provider: 1 }),
        (Some("openai/gpt-5"), Choice { prompt: 0, provider: 1 }),
    ] {
        let imported = import::read(&path, model, choice).unwrap();
        let spec = Spec::parse(Path::new("evals/pirates.toml"), &imported.toml)
            .unwrap_or_else(|error| panic!("{error}\n{}", imported.toml));
        let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
        assert_eq!(yaml(&exported.text), yaml(PROMPTFOO), "{:?}", exported.notes);
        let said = imported.notes.join("\n");
        for part in ["javascript", "`unheard`", "`options`", "2 prompts and 2 providers"] {
            assert!(said.contains(part), "{part} is not told:\n{said}");
        }
    }
}

#[test]
fn what_was_changed_counts_more_than_what_was_read() {
    let (_folder, path) = written("pirates.yaml", PROMPTFOO);
    let imported = import::read(&path, None, Choice::default()).unwrap();
    let mut spec = Spec::parse(Path::new("evals/pirates.toml"), &imported.toml).unwrap();
    spec.description = "Corsairs".to_owned();
    let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
    let mut expect = yaml(PROMPTFOO);
    expect["description"] = "Corsairs".into();
    assert_eq!(yaml(&exported.text), expect);
    assert!(exported.notes.join("").contains("changed since it was read: description"));
}

#[test]
fn rows_that_are_changed_lose_nothing_else() {
    let (_folder, path) = written("pirates.yaml", PROMPTFOO);
    let imported = import::read(&path, Some("openai/gpt-5"), Choice { prompt: 0, provider: 1 }).unwrap();
    let mut spec = Spec::parse(Path::new("evals/pirates.toml"), &imported.toml).unwrap();
    spec.dataset.rows.as_mut().unwrap()[0]["input"]["word"] = "Hi".into();
    let again = yaml(&import::write(&spec, Path::new("out.yaml")).unwrap().text);
    let before = yaml(PROMPTFOO);
    for member in ["prompts", "providers", "evaluateOptions", "unheard", "assertionTemplates", "scenarios"] {
        assert_eq!(again[member], before[member], "{member}");
    }
    let tests = again["tests"].as_array().unwrap();
    assert_eq!((tests.len(), &tests[0]["vars"]["word"]), (4, &Value::from("Hi")));
    assert_eq!(tests[3]["options"], before["tests"][2]["options"]);
    assert_eq!(tests[3]["assert"][0], before["tests"][2]["assert"][0], "what has no counterpart stays");
}

#[tokio::test]
async fn what_has_no_counterpart_never_passes() {
    let (folder, path) = written("pirates.yaml", PROMPTFOO);
    let imported = import::read(&path, None, Choice::default()).unwrap();
    let spec = Spec::parse(&folder.path().join("pirates.toml"), &imported.toml).unwrap();
    assert_eq!(spec.repeats, 2);
    let store = Store::open(&folder.path().join("data"), hanok_store::store::Options::default()).unwrap();
    let runner = Runner { keeper: Keeper::here(store), recorder: None, caller: Arc::new(Caller::default()) };
    let experiments = Experiments { runner, traces: None };
    let prepared = experiments.prepare(spec, &Options::default(), &Bench::default()).await.unwrap();
    let ran = experiments.run(prepared, &(), &Cancel::default()).await.unwrap();
    assert_eq!((ran.report.rows, ran.report.tries), (4, 8), "a list of variables is several rows");
    let keeper = &experiments.runner.keeper;
    let rows = keeper.results(ran.experiment, ResultFilter::All, None, 100).await.unwrap().rows;
    for row in rows {
        let sample: Sample = serde_json::from_str(&row.sample).unwrap();
        let scores = KeptScores::read(&row.scores).unwrap();
        let value = |name: &str| serde_json::to_value(&scores.get(name).unwrap().value).unwrap();
        let word = sample.input["word"].as_str().unwrap();
        if word == "no" {
            assert_eq!(value("icontains"), true, "the value is filled in");
            assert!(scores.get("javascript").unwrap().failed.as_deref().unwrap().contains("not supported"));
            assert!(scores.get("pass").unwrap().failed.is_some(), "{}", row.scores);
        } else {
            assert_eq!(value("pass"), true, "{}", row.scores);
        }
        if word == "Yarr" {
            assert_eq!((value("equals"), value("pirate")), (true.into(), true.into()));
        }
    }
    let pass = ran.report.scores.iter().find(|score| score.name == "pass").unwrap();
    assert_eq!((pass.valued, pass.failed), (6, 2));
}

#[test]
fn what_cannot_run_says_so() {
    let check = |text: &str, part: &str| {
        let (_folder, path) = written("x.yaml", text);
        let imported = import::read(&path, None, Choice::default()).unwrap();
        assert!(imported.toml.contains(part), "{}", imported.toml);
        assert!(imported.toml.contains("kind = \"unsupported\""), "{}", imported.toml);
        let spec = Spec::parse(Path::new("x.toml"), &imported.toml).unwrap();
        let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
        assert_eq!(yaml(&exported.text), yaml(text));
    };
    check(
        "prompts: ['{% if a %}x{% endif %}']\nproviders: [echo]\ntests: [{vars: {a: 1}}]\n",
        "conditions or loops",
    );
    check("prompts: ['{{a | upper}}']\nproviders: [echo]\ntests: [{vars: {a: 1}}]\n", "filters");
    check("prompts: [hi]\nproviders: ['python:p.py']\ntests: [{vars: {a: 1}}]\n", "`python:p.py`");
    check("prompts: ['file://p.js']\nproviders: [echo]\ntests: [{vars: {a: 1}}]\n", "`p.js`");
    let (_folder, path) = written("y.yaml", "just: this\n");
    let error = import::read(&path, None, Choice::default()).unwrap_err().to_string();
    assert!(error.contains("no configuration of promptfoo"), "{error}");
}

#[test]
fn an_eval_of_ours_comes_back_whole() {
    let text = r#"
name = "mine"
description = "d"
repeats = 3
budget = 1.5
[dataset]
rows = [{ input = { q = "x" }, expected = "y", cluster = "c" }]
[task]
kind = "model"
model = "anthropic/claude"
template = "{{q}}"
system = "short"
temperature = 0.5
[[scorers]]
kind = "contains"
ignore = ["case", "space"]
[[scorers]]
kind = "judge"
name = "polite"
model = "openai/gpt-5-mini"
rubric = "polite?"
[[gate.checks]]
score = "polite"
at_least = 0.9
"#;
    let spec = Spec::parse(Path::new("evals/mine.toml"), text).unwrap();
    let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
    let document = yaml(&exported.text);
    assert_eq!(document["providers"][0]["id"], "anthropic:messages:claude");
    assert_eq!(document["defaultTest"]["assert"][0]["type"], "llm-rubric");
    assert!(exported.notes.iter().any(|note| note.contains("`contains`")), "{:?}", exported.notes);
    let (_folder, path) = written("mine.yaml", &exported.text);
    let again = import::read(&path, None, Choice::default()).unwrap();
    let again = Spec::parse(Path::new("evals/mine.toml"), &again.toml).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&spec).unwrap());
}

#[test]
fn samples_of_openai_are_read_and_written() {
    let samples = "{\"input\":[{\"role\":\"user\",\"content\":\"2+2?\"}],\"ideal\":\"4\",\"id\":\"a\",\"more\":{\"kept\":[1]}}\n\
                   {\"input\":\"3+3?\",\"ideal\":[\"6\",\"six\"],\"id\":\"b\"}\n";
    let (_folder, path) = written("sums.jsonl", samples);
    let imported = import::read(&path, Some("openai/gpt-5-mini"), Choice::default()).unwrap();
    let spec = Spec::parse(Path::new("evals/sums.toml"), &imported.toml).unwrap();
    assert_eq!(spec.task.kind(), "model");
    let exported = import::write(&spec, Path::new("out.jsonl")).unwrap();
    let lines = |text: &str| {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&exported.text), lines(samples));
    let registry = "sums:\n  id: sums.dev.v0\nsums.dev.v0:\n  class: evals.elsuite.basic.includes:Includes\n  args:\n    samples_jsonl: sums.jsonl\n";
    let (_folder, path) = written("sums.yaml", registry);
    let imported = import::read(&path, Some("openai/gpt-5-mini"), Choice::default()).unwrap();
    let spec = Spec::parse(Path::new("evals/sums.toml"), &imported.toml).unwrap();
    assert_eq!(spec.scorers[0]["name"], "includes");
    assert_eq!(spec.dataset.file, Some("sums.jsonl".into()));
}
