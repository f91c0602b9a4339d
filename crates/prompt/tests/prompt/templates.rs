//! Handlebars beyond what the public cases ask, and what is wrong with a template.

use hanok_base::{MediaSource, Message, Object, Part, Role};
use hanok_prompt::{Context, Partials, Prompt, PromptError};
use serde_json::{Value, json};

pub(crate) fn object(value: Value) -> Object {
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) fn render(
    source: &str,
    partials: &[(&str, &str)],
    variables: Value,
) -> Result<Vec<Message>, PromptError> {
    let partials: Partials =
        partials.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let prompt = Prompt::parse("case", source, &partials)?;
    Ok(prompt.render(&object(variables), &Context::default())?.messages)
}

#[test]
fn text_is_as_handlebars_writes_it() {
    let check = |source: &str, partials: &[(&str, &str)], variables: Value, expect: &str| {
        let messages =
            render(source, partials, variables).unwrap_or_else(|error| panic!("{source}: {error}"));
        let text: String = messages.iter().map(Message::plain_text).collect();
        assert_eq!(text, expect, "{source}");
    };
    let none: &[(&str, &str)] = &[];
    // Paths.
    check(
        "{{a.b.[c d]}} {{a.list.1}} {{a/b/[c d]}}",
        none,
        json!({"a": {"b": {"c d": 1}, "list": [1, 2]}}),
        "1 2 1",
    );
    check(
        "{{#with a}}{{b}} {{../c}} {{@root.c}} {{this.b}} {{./b}}{{/with}}",
        none,
        json!({"a": {"b": 1}, "c": 2}),
        "1 2 2 1 1",
    );
    check("{{missing.deeply}}|{{null}}|{{x}}", none, json!({"x": null}), "||");
    // Values: a whole number has no fraction, what is no text is JSON, false is said.
    check(
        "{{a}} {{b}} {{c}} {{d}} {{e}}",
        none,
        json!({"a": 3.0, "b": [1, "x"], "c": {"k": 1}, "d": false, "e": 0}),
        "3 [1,\"x\"] {\"k\":1} false 0",
    );
    // Blocks.
    check("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", none, json!({"b": true}), "B");
    check("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", none, json!({"a": [], "b": 0}), "C");
    check("{{#if n includeZero=true}}A{{else}}B{{/if}}", none, json!({"n": 0}), "A");
    check("{{#unless a}}A{{else}}B{{/unless}}", none, json!({"a": "x"}), "B");
    check("{{^a}}A{{else}}B{{/a}}{{^b}}C{{/b}}", none, json!({"a": [1]}), "BC");
    check(
        "{{#items}}{{.}};{{/items}}{{#who}}{{name}}{{/who}}",
        none,
        json!({"items": [1, 2], "who": {"name": "Ann"}}),
        "1;2;Ann",
    );
    check(
        "{{#each o}}{{@index}}{{@key}}={{this}}{{#if @last}}.{{else}},{{/if}}{{/each}}",
        none,
        json!({"o": {"a": 1, "b": 2}}),
        "0a=1,1b=2.",
    );
    check(
        "{{#each a as |row i|}}{{#each row as |cell|}}{{i}}{{cell}}{{@../index}} {{/each}}{{/each}}",
        none,
        json!({"a": [[7], [8, 9]]}),
        "070 181 191 ",
    );
    check("{{#each a}}x{{else}}none{{/each}}", none, json!({"a": []}), "none");
    check("{{lookup a k}} {{json (lookup a k)}}", none, json!({"a": {"x": [1]}, "k": "x"}), "[1] [1]");
    // Texts that look like tags.
    check("\\{{a}} {{a}} \\\\{{a}}", none, json!({"a": 1}), "{{a}} 1 \\1");
    check("{{! one }}{{!-- two }} --}}{{{a}}}{{&a}}", none, json!({"a": "<"}), "<<");
    check("{{ role }} {{json}}", none, json!({"role": "boss", "json": 1}), "boss 1");
    // Tags alone on their lines leave none behind.
    check("a\n  {{#if x}}\n  b\n  {{else}}\n  c\n  {{/if}}\nd", none, json!({"x": 1}), "a\n  b\nd");
    check(
        "a\n{{! note }}\nb\n{{#each l}}\n- {{this}}\n{{/each}}\nc",
        none,
        json!({"l": [1, 2]}),
        "a\nb\n- 1\n- 2\nc",
    );
    check("a {{#if x}} b {{/if}} c", none, json!({"x": 1}), "a  b  c");
    // Partials.
    check("<\n  {{> p}}\n>", &[("p", "a\nb\n")], json!({}), "<\n  a\n  b\n>");
    check(
        "{{> p item greeting=\"hi\"}}",
        &[("p", "{{greeting}} {{name}}")],
        json!({"item": {"name": "Ann"}}),
        "hi Ann",
    );
    check(
        "{{#> p}}mine{{/p}}|{{#> q}}mine{{/q}}",
        &[("q", "[{{> @partial-block}}]")],
        json!({}),
        "mine|[mine]",
    );
    check("{{#*inline \"x\"}}<{{n}}>{{/inline}}{{> x}}{{> x n=2}}", none, json!({"n": 1}), "<1><2>");
}

#[test]
fn messages_roles_and_media() {
    let messages = render(
        "{{role \"system\"}}Be kind.{{role \"user\"}}Look: {{media url=photo}}{{media url=\"data:image/png;base64,AAAA\"}} ok?{{role \"model\"}}{",
        &[],
        json!({"photo": {"url": "http://a/b.jpg", "contentType": "image/jpeg"}}),
    )
    .unwrap();
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant]);
    let [Part::Text(look), Part::Media(photo), Part::Media(inline), Part::Text(ok)] =
        messages[1].parts.as_slice()
    else {
        panic!("{:?}", messages[1].parts);
    };
    assert_eq!((look.as_str(), ok.as_str()), ("Look: ", " ok?"));
    assert_eq!(
        (photo.mime.as_deref(), &photo.source),
        (Some("image/jpeg"), &MediaSource::Url("http://a/b.jpg".into()))
    );
    assert_eq!(
        (inline.mime.as_deref(), &inline.source),
        (Some("image/png"), &MediaSource::Base64("AAAA".into()))
    );
}

#[test]
fn the_conversation_goes_where_the_template_says() {
    let said = |role: Role, text: &str| Message::text(role, text);
    let history = vec![
        said(Role::System, "Answer in French."),
        said(Role::User, "Hello"),
        said(Role::Assistant, "Bonjour"),
        said(Role::User, ""),
    ];
    let check = |source: &str, expect: &[&str]| {
        let prompt = Prompt::parse("case", source, &Partials::new()).unwrap();
        let context = Context { history: history.clone(), ..Context::default() };
        let messages = prompt.render(&Object::new(), &context).unwrap().messages;
        let told: Vec<String> = messages
            .iter()
            .map(|message| format!("{}: {}", message.role.as_str(), message.plain_text().trim()))
            .collect();
        assert_eq!(told, expect, "{source}");
    };
    // The request's own instructions stand behind the prompt's; what says nothing is left out.
    let talk = ["user: Hello", "assistant: Bonjour"];
    check(
        "{{role \"system\"}}Be kind.",
        &["system: Be kind.", "system: Answer in French.", talk[0], talk[1]],
    );
    check("Now sum up.", &["system: Answer in French.", talk[0], talk[1], "user: Now sum up."]);
    check(
        "{{role \"system\"}}Be kind.{{history}}{{role \"user\"}}Sum up.{{role \"model\"}}Well,",
        &[
            "system: Be kind.",
            "system: Answer in French.",
            talk[0],
            talk[1],
            "user: Sum up.",
            "assistant: Well,",
        ],
    );
}

#[test]
fn faults_have_a_place_and_a_way_out() {
    let check = |source: &str, place: &str, said: &str| {
        let error = match Prompt::parse(
            "greet",
            source,
            &Partials::from([("p".to_owned(), "x\n {{#if}}".to_owned())]),
        ) {
            Err(error) => error.to_string(),
            Ok(prompt) => prompt.render(&Object::new(), &Context::default()).unwrap_err().to_string(),
        };
        assert!(error.starts_with(place), "{source:?}: {error}");
        assert!(error.contains(said), "{source:?}: {error}");
    };
    check("a\nb {{#if x}} c", "greet.prompt:2:3: ", "end it with `{{/if}}`");
    check("{{#if x}}{{/unless}}", "greet.prompt:1:10: ", "`{{/if}}` should close");
    check("{{/if}}", "greet.prompt:1:1: ", "closes nothing");
    check("é {{name", "greet.prompt:1:3: ", "end it with `}}`");
    check("{{formatt name}}", "greet.prompt:1:1: ", "there is no helper `formatt`");
    check("{{jsn name}}", "greet.prompt:1:1: ", "did you mean `json`?");
    check("{{if x}}", "greet.prompt:1:1: ", "is a block");
    check("{{#json x}}{{/json}}", "greet.prompt:1:1: ", "is no block");
    check("{{role \"tool\"}}", "greet.prompt:1:1: ", "come with the history");
    check("{{role \"admin\"}}", "greet.prompt:1:1: ", "roles are system, user and model");
    check("{{role who}}", "greet.prompt:1:1: ", "there is no role ``");
    check("{{media contentType=\"a/b\"}}", "greet.prompt:1:1: ", "needs a url");
    check("{{media url=photo}}", "greet.prompt:1:1: ", "`photo` must be");
    check("{{> other}}", "greet.prompt:1:1: ", "a file named `_other.prompt`");
    check("{{> p}}", "_p.prompt:2:2: ", "`if`");
    check("{{> (lookup a b)}}", "greet.prompt:1:1: ", "name it");
    check("{{{{raw}}}}", "greet.prompt:1:1: ", "\\{{");
    check("{{a..b}}", "greet.prompt:1:", "point");
    check("{{else}}", "greet.prompt:1:1: ", "outside of a block");
    check("{{#if a}}{{else}}{{else}}{{/if}}", "greet.prompt:1:18: ", "second `{{else}}`");
    check("{{a \"b}}", "greet.prompt:1:5: ", "end it with \"");
    // Front matter.
    check("---\nmodel: fast\n", "greet.prompt:1:1: ", "a line of `---`");
    check("---\nmodel: fast\n  bad: [1\n---\nx", "greet.prompt:", "no YAML");
    check("---\nmodel: [1]\n---\nx", "greet.prompt:2:1: ", "`model` is a text");
    check(
        "---\nmodel: a\nconfig:\n  temperature: hot\n---\nx",
        "greet.prompt:4:3: ",
        "\"hot\" is no value of `temperature`",
    );
    check("---\noutput:\n  schema:\n    a: strng\n---\nx", "greet.prompt:4:5: ", "did you mean `string`?");
    check("---\noutput:\n  format: xml\n---\nx", "greet.prompt:3:3: ", "text or json");
    check("---\nhanok.exmples: a\n---\nx", "greet.prompt:2:1: ", "did you mean `examples`?");
    check(
        "---\nhanok.examples:\n  dataset: a\n  cuont: 3\n---\nx",
        "greet.prompt:4:3: ",
        "did you mean `count`?",
    );
    check("---\ntools: search\n---\nx", "greet.prompt:2:1: ", "under toolDefs");
}

#[test]
fn what_may_be_a_slip_is_noted() {
    let prompt = Prompt::parse("case", "---\nmodle: fast\ncustom: 1\n---\nx", &Partials::new()).unwrap();
    assert_eq!(prompt.notes(), ["`modle` in the front matter is not known; did you mean `model`?"]);
}
