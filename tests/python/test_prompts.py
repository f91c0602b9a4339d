"""Prompts under version control: files that are served to every client, with labels, versions and techniques."""

import contextlib
import http.server
import json
import threading

import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import types as gt

from support import Hanok, all_vendors, eventually, hanok, running

GREET = """---
description: Says hello
model: {model}
config:
  temperature: 0.25
  maxOutputTokens: 64
input:
  schema:
    name: string, who is greeted
    count?: integer
  default:
    count: 1
---
{{{{role "system"}}}}Be kind.
{{{{role "user"}}}}Hello {{{{name}}}}, {{{{count}}}} times
"""
SAID = "Hello Ann, 3 times"
VARIABLES = {"name": "Ann", "count": "3"}
TARGETS = ["openai", "responses", "anthropic", "gemini", "ollama"]
KEYS = """
[[keys]]
name = "root"
key = "env:ROOT_KEY"
"""


def put(server, name, text):
    path = server.folder / "prompts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="module")
def served(all_day_vendors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    server = Hanok(folder, all_vendors(all_day_vendors))
    for target in TARGETS:
        put(server, f"{target}.prompt", GREET.format(model=f"{target}/echo"))
    server.start()
    yield server
    server.stop()


# -- every client, whole and streamed: each gives the text it was told, with variables in its own way.

def by_openai_chat(url, model, stream):
    client = openai.OpenAI(base_url=url + "/v1", api_key="any", max_retries=0)
    answer = client.chat.completions.create(model=model, messages=[], metadata=VARIABLES, stream=stream)
    if stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    assert answer.model == model
    return answer.choices[0].message.content


def by_openai_responses(url, model, stream):
    client = openai.OpenAI(base_url=url + "/v1", api_key="any", max_retries=0)
    prompt = {"id": model.removeprefix("prompt/"), "variables": {"name": "Ann", "count": {"type": "input_text", "text": "3"}}}
    answer = client.responses.create(prompt=prompt, stream=stream)
    if stream:
        return "".join(event.delta for event in answer if event.type == "response.output_text.delta")
    return answer.output_text


def by_anthropic(url, model, stream):
    client = anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)
    request = {"model": model, "max_tokens": 99, "messages": [], "metadata": {**VARIABLES, "user_id": "u-1"}}
    if stream:
        with client.messages.stream(**request) as answer:
            return "".join(answer.text_stream)
    return client.messages.create(**request).content[0].text


def by_gemini(url, model, stream):
    options = gt.HttpOptions(base_url=url, extra_body={"metadata": VARIABLES})
    client = genai.Client(api_key="any", http_options=options)
    ask = client.models.generate_content_stream if stream else client.models.generate_content
    # This client sends no request without a content; one that says nothing is left out.
    answer = ask(model=model, contents=" ")
    return "".join(chunk.text or "" for chunk in answer) if stream else answer.text


def by_ollama(url, model, stream):
    client = ollama.Client(host=url)
    answer = client.chat(model=model, messages=[], options={"metadata": VARIABLES}, stream=stream)
    return "".join(chunk.message.content for chunk in answer) if stream else answer.message.content


CLIENTS = [by_openai_chat, by_openai_responses, by_anthropic, by_gemini, by_ollama]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("ask", CLIENTS, ids=lambda ask: ask.__name__)
def test_every_client_is_answered(served, vendors, ask, target, stream):
    assert ask(served.url, f"prompt/{target}", stream).strip() == SAID


def test_what_the_model_is_asked(served, vendors):
    served.post("/v1/chat/completions", {
        "model": "prompt/openai", "temperature": 0.75, "metadata": {"name": "Ann"},
        "messages": [{"role": "system", "content": "In short."}, {"role": "user", "content": "Before"}],
    })
    [request] = vendors.requests()
    body = json.loads(request["body"])
    assert [(message["role"], message["content"]) for message in body["messages"]] == [
        ("system", "Be kind.\n"), ("system", "In short."), ("user", "Before"), ("user", "Hello Ann, 1 times"),
    ]
    # What the request says itself counts more; variables are the prompt's alone.
    assert body["temperature"] == 0.75 and body["max_tokens"] == 64
    assert "metadata" not in body and body["model"] == "echo"


def test_a_response_may_name_another_model_and_go_on(served, vendors):
    client = served.client()
    prompt = {"id": "openai", "variables": {"name": "Ann"}}
    first = client.responses.create(model="anthropic/echo", prompt=prompt)
    assert first.output_text.strip() == "Hello Ann, 1 times" and first.model == "anthropic/echo"
    assert vendors.requests()[0]["path"].startswith("/anthropic/")
    again = client.responses.create(prompt={"id": "openai", "variables": {"name": "Bob"}}, previous_response_id=first.id)
    assert again.output_text.strip() == "Hello Bob, 1 times"
    asked = json.loads(vendors.requests()[1]["body"])["messages"]
    assert [message["role"] for message in asked] == ["system", "assistant", "user"]
    # A prompt that OpenAI keeps is not ours.
    kept = served.post("/v1/responses", {"model": "responses/echo", "input": "hi", "prompt": {"id": "pmpt_1"}})
    assert kept.status == 200
    assert json.loads(vendors.requests()[2]["body"])["prompt"] == {"id": "pmpt_1"}


def test_problems_are_told_in_the_callers_dialect(served):
    unknown = served.chat("prompt/opnai")
    assert unknown.status == 404 and unknown.json["error"]["code"] == "prompt_not_found"
    assert "did you mean `openai`?" in unknown.json["error"]["message"]
    missing = served.chat("prompt/openai")
    assert missing.status == 400 and missing.json["error"]["param"] == "metadata.name"
    assert "needs the variable `name` (who is greeted)" in missing.json["error"]["message"]
    wrong = served.post("/v1/messages", {"model": "prompt/openai", "max_tokens": 9, "messages": [], "metadata": {"name": "Ann", "count": "x"}})
    assert wrong.status == 400 and wrong.json["type"] == "error" and "/count" in wrong.json["error"]["message"]
    gemini = served.post("/v1beta/models/prompt%2Fopenai@prod:generateContent", {"contents": [], "metadata": VARIABLES})
    assert gemini.status == 404 and "no label or version `prod`" in gemini.json["error"]["message"]
    stream = served.post("/api/chat", {"model": "prompt/openai", "messages": [], "stream": True})
    assert stream.status == 400 and "needs the variable" in stream.json["error"]
    embeddings = served.post("/v1/embeddings", {"model": "prompt/openai", "input": "x"})
    assert embeddings.status == 400 and "chats only" in embeddings.json["error"]["message"]


def test_prompts_are_listed_as_models(served):
    ids = [model.id for model in served.client().models.list()]
    assert "prompt/openai" in ids and "prompt/gemini" in ids
    assert ollama.Client(host=served.url).show("prompt/openai").capabilities == ["completion"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path, more", [
    ("/v1/chat/completions", {"messages": []}),
    ("/v1/messages", {"messages": [], "max_tokens": 9}),
    ("/v1/responses", {}),
    ("/api/chat", {"messages": []}),
], ids=lambda what: what if isinstance(what, str) else "")
def test_records_show_what_was_asked(served, path, more, stream):
    metadata = {"name": "Ann", "session_id": "s-1"}
    reply = served.post(path, {"model": "prompt/openai", "stream": stream, "metadata": metadata, **more})
    assert reply.status == 200, reply.text
    trace = served.trace(reply.headers["x-hanok-trace-id"], spans=2)
    root = trace["spans"][0]["attributes"]
    said = [part["content"].strip() for message in root["gen_ai.input.messages"] for part in message["parts"]]
    assert said == ["Be kind.", "Hello Ann, 1 times"], root
    assert "hanok.exchange.unreadable" not in root and trace["summary"]["session"] == "s-1"


def test_versions_labels_and_their_records(served, vendors):
    put(served, "shift.prompt", GREET.format(model="openai/echo"))
    cli = lambda *args: hanok("prompt", *args, cwd=served.folder)
    eventually(lambda: served.chat("prompt/shift", metadata=VARIABLES).status == 200, what="the new file")
    labelled = cli("label", "shift", "production", "--to", "latest", "--json")
    first = labelled.json["version"]
    put(served, "shift.prompt", GREET.format(model="openai/echo").replace("Hello", "Good day").replace("0.25", "0.5"))

    def says(model):
        reply = served.chat(model, metadata=VARIABLES)
        assert reply.status == 200, reply.text
        return reply.json["choices"][0]["message"]["content"].strip(), reply.headers["x-hanok-trace-id"]

    eventually(lambda: says("prompt/shift")[0] == "Good day Ann, 3 times", what="the changed file")
    text, trace_id = says("prompt/shift@production")
    assert text == SAID, "a label stays where it was put"
    assert says(f"prompt/shift@{first[:6]}")[0] == SAID
    attributes = served.trace(trace_id, spans=2)["spans"][0]["attributes"]
    assert attributes["gen_ai.prompt.name"] == "shift" and attributes["hanok.prompt.version"] == first
    assert attributes["hanok.prompt.label"] == "production"

    # Forward, and rolled back.
    assert cli("label", "shift", "production", "--to", "latest").code == 0
    assert says("prompt/shift@production")[0] == "Good day Ann, 3 times"
    assert cli("label", "shift", "production", "--to", first).code == 0
    assert says("prompt/shift@production")[0] == SAID
    history = served.get("/api/prompts/shift/history").json
    moves = [(move["from"], move["to"]) for move in history["moves"] if move["label"] == "production"]
    second = history["versions"][0]["version"]
    assert moves == [(second, first), (first, second), (None, first)]
    assert history["versions"][1]["labels"] == ["production"]

    diff = cli("diff", "shift", "production", "--json").json["diff"]
    assert diff["config"] == [{"member": "config.temperature", "before": 0.25, "after": 0.5}]
    shown = cli("diff", "shift", "production").out
    assert "-  temperature: 0.25" in shown and "config.temperature: 0.25 -> 0.5" in shown

    # Calls are summed by prompt and version.
    def versions_summed():
        groups = served.get("/api/stats?by=prompt").json["groups"]
        return {group["by"]["prompt"] for group in groups}

    eventually(lambda: {f"shift@{first}", f"shift@{second}"} <= versions_summed(), what="sums by version")
    assert served.post("/api/scores", {"trace_id": trace_id, "name": "helpful", "value": True}).status == 200
    metrics = {version["version"]: version for version in served.get("/api/prompts/shift/metrics").json["versions"]}
    live = metrics[first]["scores"]["live"]
    assert [(score["name"], score["mean"], score["n"], score["is_share"]) for score in live] == [("helpful", 1.0, 1, True)]
    assert 0 < live[0]["estimate"]["low"] < live[0]["estimate"]["high"] == 1
    assert metrics[second]["scores"] == {"live": [], "experiments": []}
    assert metrics[first]["calls"] >= 3 and metrics[first]["latency_ms"]["p50"] > 0, metrics
    found = served.traces(filter="prompt:shift")["traces"]
    assert {trace["prompt"] for trace in found} == {f"shift@{first}", f"shift@{second}"}


def test_an_edit_is_written_back(served):
    put(served, "edit.prompt", "---\nmodel: openai/echo\n---\nOne")
    shown = eventually(lambda: (reply := served.get("/api/prompts/edit")).status == 200 and reply.json, what="the prompt")
    edit = {"source": shown["source"].replace("One", "Two"), "expected": shown["version"]}
    saved = served.request("PUT", "/api/prompts/edit", edit)
    assert saved.status == 200 and saved.json["changed"]
    assert (served.folder / "prompts/edit.prompt").read_text().endswith("Two")
    assert served.chat("prompt/edit").json["choices"][0]["message"]["content"].endswith("Two")
    assert served.request("PUT", "/api/prompts/edit", edit).status == 409, "somebody edited it since"
    broken = served.request("PUT", "/api/prompts/edit", {"source": "{{#if x}}"})
    assert "edit.prompt:1:1" in broken.json["error"]["message"]
    filled = served.post("/api/prompts/openai/render", {"variables": VARIABLES}).json
    assert filled["request"]["messages"][1]["content"] == SAID


# -- techniques

class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers of OpenAI's chats, one after the other."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        text = self.server.answers[min(len(self.server.asked), len(self.server.answers)) - 1]
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if body.get("stream"):
            chunks = [{"delta": {"content": text[at : at + 3]}} for at in range(0, len(text), 3)] + [{"delta": {}, "finish_reason": "stop"}]
            events = [{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, **chunk}]} for chunk in chunks]
            out = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            message = {"role": "assistant", "content": text}
            out = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
                              "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            kind = "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(out.encode())))
        self.end_headers()
        self.wfile.write(out.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def scripted(*answers):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.asked, server.answers = [], answers
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def over(server):
    return f"""
[providers.script]
dialect = "openai-chat"
base_url = "http://127.0.0.1:{server.server_port}/v1"
key = "env:MOCK_KEY"

[prices."script/*"]
input = 1.0
output = 2.0
"""


STRUCTURED = "---\nmodel: script/m\noutput:\n  schema:\n    n: integer\nhanok.output: {retries: 1}\n---\nCount."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_answer_that_does_not_fit_is_asked_for_again(tmp_path, stream):
    with scripted('{"n": "one"}', 'Here: ```json\n{"n": 1,}\n```') as script:
        server = Hanok(tmp_path, over(script))
        put(server, "count.prompt", STRUCTURED)
        with contextlib.closing(Closing(server.start())):
            reply = server.post("/v1/chat/completions", {"model": "prompt/count", "messages": [], "stream": stream})
            if stream:
                text = "".join(event["choices"][0]["delta"].get("content") or "" for event in reply.events[:-1] if event["choices"])
            else:
                text = reply.json["choices"][0]["message"]["content"]
            assert text == '{"n": 1}'
            assert script.asked[0]["response_format"]["json_schema"]["schema"]["properties"] == {"n": {"type": "integer"}}
            roles = [message["role"] for message in script.asked[1]["messages"]]
            assert roles == ["user", "assistant", "user"] and "/n: " in script.asked[1]["messages"][2]["content"]
            trace = server.trace(reply.headers["x-hanok-trace-id"], spans=3)
            root, *tries = trace["spans"]
            assert root["attributes"]["hanok.prompt.retries"] == 1
            # Each try has its own span, with what it cost.
            assert [try_["attributes"]["hanok.cost_usd"] for try_ in tries] == [2e-5, 2e-5]


def test_an_answer_that_never_fits_is_an_error(tmp_path):
    with scripted("no") as script:
        server = Hanok(tmp_path, over(script))
        put(server, "count.prompt", STRUCTURED)
        with contextlib.closing(Closing(server.start())):
            reply = server.post("/v1/messages", {"model": "prompt/count", "messages": [], "max_tokens": 9})
            assert reply.status == 502 and "no JSON" in reply.json["error"]["message"], reply.text
            assert len(script.asked) == 2


class Closing:
    def __init__(self, server):
        self.close = server.stop


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_thoughts_are_kept_apart_and_examples_come_first(tmp_path, stream):
    with scripted("<thinking>2 and 2</thinking>\n4") as script:
        server = Hanok(tmp_path, over(script))
        put(server, "sum.prompt", "---\nmodel: script/m\nhanok.reasoning: true\n"
            "hanok.examples: {dataset: sums, count: 1, near: sum}\n---\n{{xml sum}}")
        (tmp_path / "datasets").mkdir()
        rows = [{"input": {"sum": "nine minus one"}, "expected": "8"}, {"input": {"sum": "two times two"}, "expected": "4"}]
        (tmp_path / "datasets/sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
        with contextlib.closing(Closing(server.start())):
            body = {"model": "prompt/sum", "max_tokens": 99, "messages": [], "stream": stream, "metadata": {"sum": "two </sum> two"}}
            reply = server.post("/v1/messages", body)
            if stream:
                deltas = [event["delta"] for event in reply.events if event["type"] == "content_block_delta"]
                thought = "".join(delta.get("thinking", "") for delta in deltas)
                text = "".join(delta.get("text", "") for delta in deltas)
            else:
                thought, text = [block.get("thinking") or block.get("text") for block in reply.json["content"]]
            assert (thought, text) == ("2 and 2", "4")
            asked = script.asked[0]["messages"]
            assert [message["role"] for message in asked] == ["system", "user", "assistant", "user"]
            assert asked[1]["content"] == "<sum>two times two</sum>" and asked[2]["content"] == "4"
            assert asked[3]["content"] == "<sum>two &lt;/sum&gt; two</sum>"


def test_examples_come_from_datasets_of_the_store(tmp_path):
    with scripted("4") as script:
        server = Hanok(tmp_path, over(script))
        put(server, "sum.prompt", "---\nmodel: script/m\nhanok.examples: {dataset: 'sums#train', count: 1, near: sum}\n---\n{{sum}}")
        rows = [
            {"input": {"sum": "nine minus one"}, "expected": "8", "split": "train"},
            {"input": {"sum": "two times two"}, "expected": "4", "split": "train"},
            {"input": {"sum": "two times two two"}, "expected": "never", "split": "test"},
        ]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        assert hanok("dataset", "add", "sums", "--file", "rows.jsonl", cwd=tmp_path).code == 0
        with contextlib.closing(Closing(server.start())):
            assert server.chat("prompt/sum", metadata={"sum": "two two"}).status == 200
            asked = [message["content"] for message in script.asked[0]["messages"]]
            assert asked[:2] == ["two times two", "4"] and asked[-1] == "two two"
            # The playground runs over the same rows.
            found = server.get("/playground/rows?dataset=sums&count=2").json["rows"]
            assert [row["expected"] for row in found] == ["8", "4"]
            missing = server.get("/playground/rows?dataset=none&count=2")
            assert missing.status == 400 and "hanok dataset ls" in missing.json["error"]["message"]
            assert '<option value="sums">' in server.get("/playground").text
        rendered = hanok("prompt", "render", "sum", "--var", "sum=minus one", "--json", cwd=tmp_path).json
        assert [message["content"] for message in rendered["request"]["messages"]] == ["nine minus one", "8", "minus one"]


def test_a_draft_does_what_the_saved_prompt_will_do(tmp_path):
    with scripted("<thinking>so</thinking>\n{'n': 'x'}", '<thinking>again</thinking>\n{"n": 2}') as script:
        server = Hanok(tmp_path, over(script))
        put(server, "count.prompt", "---\nmodel: script/m\n---\nCount.")
        with contextlib.closing(Closing(server.start())):
            source = "---\nmodel: script/m\nhanok.reasoning: true\noutput:\n  schema:\n    n: integer\n---\nCount {{what}}: {{media url=photo}}"
            draft = server.post("/playground/draft", {"name": "count", "source": source}).json
            assert [variable["name"] for variable in draft["variables"]] == ["what", "photo"]
            tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
            photo = "data:image/png;base64,iVBORw0KGgo="
            reply = server.post("/v1/responses", {
                "prompt": {"id": draft["draft"], "variables": {"what": "apples", "photo": photo}}, "store": False, "tools": [tool],
            })
            assert reply.status == 200, reply.text
            kinds = {item["type"]: item for item in reply.json["output"]}
            assert kinds["message"]["content"][0]["text"] == '{"n": 2}' and "again" in json.dumps(kinds["reasoning"])
            assert len(script.asked) == 2, "an answer that does not fit is asked for again"
            assert photo in json.dumps(script.asked[0]["messages"]) and script.asked[0]["tools"][0]["function"]["name"] == "look"
            attributes = server.trace(reply.headers["x-hanok-trace-id"], spans=2)["spans"][0]["attributes"]
            assert attributes["gen_ai.prompt.name"] == "count" and attributes["hanok.prompt.version"] == "draft"
            gone = server.chat("prompt/draft:0123", metadata={})
            assert gone.status == 404 and "a draft" in gone.json["error"]["message"]
            wrong = server.chat("prompt/cuont", metadata={})
            assert wrong.status == 404 and "did you mean `count`?" in wrong.json["error"]["message"]


def test_a_version_has_its_scores(tmp_path):
    with scripted(*["yes"] * 8) as script:
        (tmp_path / "hanok.toml").write_text(over(script))
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts/say.prompt").write_text("---\nmodel: script/m\n---\nSay {{word}}")
        (tmp_path / "say.toml").write_text(
            'dataset = { rows = [{ input = { word = "yes" } }, { input = { word = "no" } }] }\nrepeats = 2\n'
            '[task]\nkind = "prompt"\nprompt = "say"\n[[scorers]]\nkind = "contains"\nname = "right"\nvalue = "yes"\n'
        )
        ran = hanok("eval", "run", "say.toml", "--json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        shown = hanok("prompt", "show", "say", "--json", cwd=tmp_path).json
        [tried] = shown["scores"]["experiments"]
        assert tried["name"] == "say" and shown["versions"][0]["scores"] == shown["scores"]
        [score] = tried["scores"]
        assert (score["name"], score["mean"], score["n"]) == ("right", 1.0, 2) and score["estimate"]["low"] < 1
        [listed] = hanok("prompt", "ls", "--json", cwd=tmp_path).json["prompts"]
        assert listed["scores"] == shown["scores"]
        assert "say #1: right 100.0% (" in hanok("prompt", "show", "say", cwd=tmp_path).out
        server = Hanok(tmp_path, over(script))
        with contextlib.closing(Closing(server.start())):
            page = server.get("/prompts/say").text
            assert "say #1" in page and "right" in page
            assert server.get("/api/prompts/say").json["scores"] == shown["scores"]


# -- the command line, and keys

def test_the_command_line(tmp_path):
    with scripted('{"n": 1}', "no") as script:
        (tmp_path / "hanok.toml").write_text(over(script))
        run = lambda *args: hanok("prompt", *args, cwd=tmp_path)
        assert "there are no prompts" in run("ls").err
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts/count.prompt").write_text(STRUCTURED.replace("retries: 1", "retries: 0").replace("Count.", "Count {{what}}."))
        (tmp_path / "prompts/bad.prompt").write_text("a\n{{#if}}")
        listed = {prompt["name"]: prompt for prompt in run("ls", "--json").json["prompts"]}
        assert listed["bad"]["problem"].startswith("bad.prompt:2:1: ") and listed["count"]["model"] == "script/m"
        assert run("show", "cuont").code == 1 and "did you mean `count`?" in run("show", "cuont").err
        assert run("show", "count", "--json").json["variables"][0]["name"] == "what"
        rendered = run("render", "count", "--var", "what=apples", "--json").json
        assert rendered["request"]["messages"] == [{"role": "user", "content": "Count apples."}]
        assert "Count apples." in run("render", "count", "--var", "what=apples").out
        # Without a server, labels move in the data folder itself.
        version = run("label", "count", "production", "--to", "latest", "--json").json["version"]
        assert run("show", "count@production", "--json").json["version"] == version
        assert run("label", "count", "nothing", "--remove").code == 1
        (tmp_path / "rows.jsonl").write_text('{"what": "apples"}\n{"input": {"what": "pears"}}\n')
        tried = run("test", "count@production", "--dataset", "rows.jsonl", "--json")
        assert tried.code == 1, "one of two does not fit"
        good, bad = tried.json["results"]
        assert good["value"] == {"n": 1} and "no JSON" in bad["error"]
        assert script.asked[1]["messages"][0]["content"] == "Count pears."


def test_a_key_may_be_for_prompts_only(served, all_day_vendors, tmp_path):
    server = Hanok(tmp_path, all_vendors(all_day_vendors, ["openai"]) + KEYS, env={"ROOT_KEY": "sk-root-0001"})
    put(server, "greet.prompt", GREET.format(model="openai/echo"))
    with contextlib.closing(Closing(server.start())):
        root = {"authorization": "Bearer sk-root-0001"}
        made = server.post("/api/keys", {"name": "app", "models": ["prompt/greet"]}, headers=root).json
        own = {"authorization": f"Bearer {made['secret']}"}
        ask = lambda model: server.post("/v1/chat/completions", {"model": model, "messages": [], "metadata": VARIABLES}, headers=own)
        assert ask("prompt/greet").status == 200
        assert ask("prompt/greet@latest").status == 200
        assert ask("openai/echo").status == 403
        other = {"model": "openai/echo", "prompt": {"id": "greet", "variables": VARIABLES}}
        assert server.post("/v1/responses", other, headers=own).status == 403
        assert server.get("/api/prompts", headers=own).status == 403
        listed = [model["id"] for model in server.get("/v1/models", headers=own).json["data"]]
        assert listed == ["prompt/greet"]
