//! Other programs' evals: read, run, written again.

use hanok_base::{Caller, Sample};
use hanok_eval::import::{self, Choice, Wanted};
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
      - type: ruby
        value: output.length < 5
      - type: icontains
        value: '{{word}}'
    options:
      storeOutputAs: said
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

fn wanted(model: &str, provider: usize) -> Wanted<'_> {
    Wanted { model: Some(model), judge: None, choice: Choice { prompt: 0, provider } }
}

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
        let imported = import::read(&path, Wanted { model, choice, ..Wanted::default() }).unwrap();
        let spec = Spec::parse(Path::new("evals/pirates.toml"), &imported.toml)
            .unwrap_or_else(|error| panic!("{error}\n{}", imported.toml));
        let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
        assert_eq!(yaml(&exported.text), yaml(PROMPTFOO), "{:?}", exported.notes);
        let said = imported.notes.join("\n");
        for part in ["ruby", "`unheard`", "`storeOutputAs`", "2 prompts and 2 providers"] {
            assert!(said.contains(part), "{part} is not told:\n{said}");
        }
    }
}

#[test]
fn what_was_changed_counts_more_than_what_was_read() {
    let (_folder, path) = written("pirates.yaml", PROMPTFOO);
    let imported = import::read(&path, Wanted::default()).unwrap();
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
    let imported = import::read(&path, wanted("openai/gpt-5", 1)).unwrap();
    let mut spec = Spec::parse(Path::new("evals/pirates.toml"), &imported.toml).unwrap();
    spec.dataset.rows.as_mut().unwrap()[0]["input"]["word"] = "Hi".into();
    let again = yaml(&import::write(&spec, Path::new("out.yaml")).unwrap().text);
    let before = yaml(PROMPTFOO);
    for member in ["prompts", "providers", "evaluateOptions", "unheard", "assertionTemplates", "scenarios"] {
        assert_eq!(again[member], before[member], "{member}");
    }
    let tests = again["tests"].as_array().unwrap();
    assert_eq!((tests.len(), &tests[0]["vars"]["word"]), (3, &Value::from("Hi")));
    assert_eq!(
        (&tests[1], &tests[2]),
        (&before["tests"][1], &before["tests"][2]),
        "others stay as they are written"
    );
    assert_eq!(tests[0]["assert"].as_array().unwrap().len(), 2, "what everybody has stays with everybody");
}

#[tokio::test]
async fn what_has_no_counterpart_never_passes() {
    let (folder, path) = written("pirates.yaml", PROMPTFOO);
    let imported = import::read(&path, Wanted::default()).unwrap();
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
            assert!(scores.get("ruby").unwrap().failed.as_deref().unwrap().contains("not supported"));
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
        let imported = import::read(&path, Wanted::default()).unwrap();
        assert!(imported.toml.contains(part), "{}", imported.toml);
        assert!(imported.toml.contains("kind = \"unsupported\""), "{}", imported.toml);
        let spec = Spec::parse(Path::new("x.toml"), &imported.toml).unwrap();
        let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
        assert_eq!(yaml(&exported.text), yaml(text));
    };
    check(
        "prompts: ['[{% for a in b %}{\"role\": \"user\"}{% endfor %}]']\nproviders: [echo]\ntests: [{vars: {a: 1}}]\n",
        "its template makes",
    );
    check("prompts: ['langfuse://mine']\nproviders: [echo]\ntests: [{vars: {a: 1}}]\n", "kept elsewhere");
    check("prompts: [hi]\nproviders: ['python:p.py']\ntests: [{vars: {a: 1}}]\n", "`python:p.py`");
    check("prompts: ['file://p.js']\nproviders: [echo]\ntests: [{vars: {a: 1}}]\n", "`p.js`");
    let (_folder, path) = written("y.yaml", "just: this\n");
    let error = import::read(&path, Wanted::default()).unwrap_err().to_string();
    assert!(error.contains("no configuration of promptfoo"), "{error}");
}

/// Prompts in files, tests in tables and patterns, scenarios, code, sets, weights and thresholds.
const FEATURES: &str = r#"
description: Everything at once
prompts:
  - file://prompts/*.txt
  - id: file://chat.yaml
    label: chat
providers:
  - id: echo
    label: echo
tests:
  - file://rows.csv
  - file://more/*.yaml
  - description: code
    vars:
      who: {name: Anna, tags: [a, b]}
      word: '{{greeting}} you'
      greeting: Hi
    assert: &checks
      - type: javascript
        value: output.includes(context.vars.word)
      - type: javascript
        value: |
          const words = output.split(' ');
          return { pass: words.length > 1, score: words.length / 10, reason: 'counted' };
        metric: words
      - type: python
        value: len(output) / 100
        threshold: 0.05
      - type: python
        value: file://check.py:long_enough
        config: {least: 3}
      - type: not-contains
        value: Bob
        transform: output.toUpperCase()
  - description: weights
    vars: {who: {name: Bob}, word: Hello}
    threshold: 0.6
    assert:
      - {type: contains, value: Hello, weight: 3}
      - {type: contains, value: nothing of this, weight: 1}
      - {type: contains, value: nor this, weight: 0}
      - type: assert-set
        metric: either
        threshold: 0.5
        assert:
          - {type: contains, value: Bob}
          - {type: contains, value: Carl}
  - vars: {who: file://pictures/cat.png, word: lost}
  - description: transformed
    vars: {who: {name: Anna}, word: Hello}
    options: {transform: "JSON.stringify({text: output})"}
    assert:
      - type: is-json
        value: file://schema.json
scenarios:
  - config:
      - vars: {word: One}
      - vars: {word: Two}
    tests:
      - vars: {who: {name: S}}
        assert: *checks
defaultTest: file://default.yaml
env: {MODE: test}
"#;

fn features() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = written("config.yaml", FEATURES);
    let files = [
        (
            "prompts/a.txt",
            "{{word}}{% if who.name %}, {{ who.name }}{% endif %}!\n---\nShort {{word | upper}}\n",
        ),
        ("chat.yaml", "- role: system\n  content: Be short\n- role: user\n  content: '{{word}}'\n"),
        (
            "rows.csv",
            "word,__expected,__expected2,__description\nYes,contains: Yes,\"fn: output.length > 2\",first\n\"No, no\",\"icontains-any: no, nope\",,\n",
        ),
        ("more/one.yaml", "- vars: {word: [A, B]}\n  assert: [{type: regex, value: '^[AB]'}]\n"),
        (
            "check.py",
            "def long_enough(output, context):\n    print('noise')\n    return {'pass': len(output) >= context['config']['least'], 'score': 1, 'reason': 'long'}\n",
        ),
        ("schema.json", "{\"type\": \"object\", \"required\": [\"text\"]}"),
        ("default.yaml", "assert:\n  - {type: latency, threshold: 60000}\n"),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    (folder, path)
}

#[test]
fn every_pair_of_a_file_can_be_chosen() {
    let (_folder, path) = features();
    let choices = import::choices(&path).unwrap();
    assert_eq!(choices.len(), 3, "two prompts of one file, and a conversation");
    for choice in choices {
        let imported = import::read(&path, Wanted { choice, ..Wanted::default() }).unwrap();
        let spec = Spec::parse(Path::new("elsewhere/evals/config.toml"), &imported.toml).unwrap();
        assert_eq!(spec.task.kind(), "echo", "{:?}", imported.notes);
        let exported = import::write(&spec, Path::new("out.yaml")).unwrap();
        assert_eq!(yaml(&exported.text), yaml(FEATURES), "{:?}", exported.notes);
        let said = imported.notes.join("\n");
        for part in
            ["`env`", "test 5: a variable is in another file: `pictures/cat.png` is no text", "are code"]
        {
            assert!(said.contains(part), "{part} is not told:\n{said}");
        }
        let kept = &spec.source.as_ref().unwrap().notes;
        assert!(kept.iter().any(|note| note.contains("cat.png")), "{kept:?}");
        assert!(!kept.iter().any(|note| note.contains("are code")), "what runs is not named: {kept:?}");
    }
}

#[tokio::test]
async fn what_runs_there_runs_here() {
    let (folder, path) = features();
    let imported = import::read(&path, Wanted::default()).unwrap();
    let spec = Spec::parse(&folder.path().join("evals/config.toml"), &imported.toml).unwrap();
    let store = Store::open(&folder.path().join("data"), hanok_store::store::Options::default()).unwrap();
    let runner = Runner { keeper: Keeper::here(store), recorder: None, caller: Arc::new(Caller::default()) };
    let experiments = Experiments { runner, traces: None };
    let prepared = experiments.prepare(spec, &Options::default(), &Bench::default()).await.unwrap();
    let ran = experiments.run(prepared, &(), &Cancel::default()).await.unwrap();
    let keeper = &experiments.runner.keeper;
    let rows = keeper.results(ran.experiment, ResultFilter::All, None, 100).await.unwrap().rows;
    assert_eq!(rows.len(), 10);
    let mut seen = 0;
    for row in rows {
        let sample: Sample = serde_json::from_str(&row.sample).unwrap();
        let about = sample.metadata.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        if sample.input["word"] == "lost" {
            assert!(row.output.is_none(), "a row without its file is not tried");
            assert!(
                format!("{:?}", row.error).contains("is not supported: `pictures/cat.png` is no text"),
                "{:?}",
                row.error
            );
            continue;
        }
        let scores = KeptScores::read(&row.scores).unwrap();
        let value = |name: &str| {
            serde_json::to_value(&scores.get(name).unwrap_or_else(|| panic!("{name}: {}", row.scores)).value)
                .unwrap()
        };
        assert_eq!(value("latency"), true, "everybody's: {}", row.scores);
        assert_eq!(value("pass"), true, "{about}: {}", row.scores);
        seen += 1;
        match about.as_str() {
            "code" => {
                assert_eq!(sample.input["word"], "Hi you", "variables hold variables");
                for name in ["javascript", "words", "python", "python-2", "not-contains"] {
                    assert_eq!(value(name), true, "{name}: {}", row.scores);
                }
                assert_eq!(scores.get("words").unwrap().why, "counted");
            }
            "weights" => {
                assert_eq!(
                    (value("contains"), value("contains-2"), value("either")),
                    (true.into(), false.into(), true.into())
                );
            }
            "first" => assert_eq!(value("javascript"), true),
            "transformed" => assert_eq!(value("is-json"), true),
            _ => {}
        }
    }
    assert_eq!(seen, 9);
}

#[test]
fn a_changed_row_changes_its_own_test_and_no_other() {
    let (folder, path) = features();
    let imported = import::read(&path, Wanted::default()).unwrap();
    let mut spec = Spec::parse(Path::new("evals/config.toml"), &imported.toml).unwrap();
    let rows = spec.dataset.rows.as_mut().unwrap();
    let at = rows.iter().position(|row| row["metadata"]["description"] == "weights").unwrap();
    rows[at]["input"]["word"] = "Changed".into();
    rows[at]["metadata"]["scorers"][0]["value"] = "Changed".into();
    let again = yaml(&import::write(&spec, Path::new("out.yaml")).unwrap().text);
    let before = yaml(FEATURES);
    for (at, test) in before["tests"].as_array().unwrap().iter().enumerate().filter(|(at, _)| *at != 3) {
        assert_eq!(&again["tests"][at], test, "{at}");
    }
    for member in ["prompts", "providers", "scenarios", "defaultTest", "env"] {
        assert_eq!(again[member], before[member], "{member}");
    }
    let test = &again["tests"][3];
    assert_eq!((&test["vars"]["word"], &test["threshold"]), (&Value::from("Changed"), &Value::from(0.6)));
    assert_eq!(test["assert"][0], serde_json::json!({"type": "contains", "value": "Changed", "weight": 3}));
    assert_eq!(test["assert"][3], before["tests"][3]["assert"][3]);
    // What everybody has stands in a file, and once in the row: not twice.
    std::fs::write(folder.path().join("again.yaml"), again.to_string()).unwrap();
    let third = import::read(&folder.path().join("again.yaml"), Wanted::default()).unwrap();
    let third = Spec::parse(Path::new("evals/config.toml"), &third.toml).unwrap();
    let scorers = |spec: &Spec| {
        spec.dataset.rows.as_ref().unwrap()[at]["metadata"]["scorers"].as_array().unwrap().len()
    };
    assert_eq!(scorers(&third), scorers(&spec));
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
    let again = import::read(&path, Wanted::default()).unwrap();
    let again = Spec::parse(Path::new("evals/mine.toml"), &again.toml).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&spec).unwrap());
}

#[test]
fn samples_of_openai_are_read_and_written() {
    let samples = "{\"input\":[{\"role\":\"user\",\"content\":\"2+2?\"}],\"ideal\":\"4\",\"id\":\"a\",\"more\":{\"kept\":[1]}}\n\
                   {\"input\":\"3+3?\",\"ideal\":[\"6\",\"six\"],\"id\":\"b\"}\n";
    let (_folder, path) = written("sums.jsonl", samples);
    let imported = import::read(&path, wanted("openai/gpt-5-mini", 0)).unwrap();
    let spec = Spec::parse(Path::new("evals/sums.toml"), &imported.toml).unwrap();
    assert_eq!(spec.task.kind(), "model");
    let exported = import::write(&spec, Path::new("out.jsonl")).unwrap();
    let lines = |text: &str| {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&exported.text), lines(samples));
    let registry = "sums:\n  id: sums.dev.v0\nsums.dev.v0:\n  class: evals.elsuite.basic.includes:Includes\n  args:\n    samples_jsonl: sums.jsonl\n";
    let (_folder, path) = written("sums.yaml", registry);
    let imported = import::read(&path, wanted("openai/gpt-5-mini", 0)).unwrap();
    let spec = Spec::parse(Path::new("evals/sums.toml"), &imported.toml).unwrap();
    assert_eq!(spec.scorers[0]["name"], "includes");
    assert_eq!(spec.dataset.file, Some("sums.jsonl".into()));
}
