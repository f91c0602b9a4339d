"""Judges from the command line: each shown for what it is, people's labels, and live traces scored by rule."""

import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import Hanok, eventually, hanok, http_request

BLOCK = re.compile(r"<<<(answer(?: [AB])?) ([0-9a-f]{16})>>>\n(.*?)\n<<<end of \1 \2>>>", re.S)


def verdict(model, shown):
    """What each of the scripted judges says."""
    blocks = {name: text for name, _, text in BLOCK.findall(shown)}
    if "answer A" in blocks:
        if model == "first":
            return "A"
        a, b = ("right" in blocks[f"answer {name}"] for name in "AB")
        return "tie" if a == b else "A" if a else "B"
    answer = blocks["answer"]
    if model == "yes":
        return "pass"
    if model == "guess":
        return "pass" if sum(answer.encode()) % 2 else "fail"
    return "pass" if "right" in answer else "fail"


class Models(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        shown = asked["messages"][-1]["content"]
        if asked["model"] == "writer":
            said = "right indeed"
        else:
            assert asked["temperature"] == 0 and asked["response_format"]["type"] == "json_schema"
            said = json.dumps({"reasoning": "as the rubric says", "verdict": verdict(asked["model"], shown)})
        usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
        head = {"id": "c", "created": 1, "model": asked["model"]}
        if asked.get("stream"):
            delta = {"index": 0, "delta": {"role": "assistant", "content": said}, "finish_reason": None}
            end = {"index": 0, "delta": {}, "finish_reason": "stop"}
            chunks = [{"choices": [delta]}, {"choices": [end]}, {"choices": [], "usage": usage}]
            chunks = [json.dumps({**head, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
            kind, body = "text/event-stream", "".join(f"data: {chunk}\n\n" for chunk in [*chunks, "[DONE]"])
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            kind, body = "application/json", json.dumps(whole)
        body = body.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Upstream(ThreadingHTTPServer):
    # By default five wait; those beyond try again after seconds, which is the network's doing and not the program's.
    request_queue_size = 256


@pytest.fixture(scope="module")
def models():
    server = Upstream(("127.0.0.1", 0), Models)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


JUDGES = ("good", "yes", "first", "guess")


@pytest.fixture
def folder(tmp_path, models):
    port = models.server_address[1]
    (tmp_path / "hanok.toml").write_text(
        f'[providers.mock]\ndialect = "openai-chat"\nbase_url = "http://127.0.0.1:{port}/v1"\nkey = "env:MOCK_KEY"\n'
        '[prices."mock/*"]\ninput = 1.0\noutput = 1.0\n'
    )
    evals = tmp_path / "evals"
    evals.mkdir()
    tables = "".join(
        f'\n[[scorers]]\nkind = "judge"\nname = "{name}"\nmodel = "mock/{name}"\nrubric = "Says right where it is right."\n'
        for name in JUDGES
    )
    (evals / "answers.toml").write_text(
        'dataset = { rows = [{ id = "1", input = "q" }] }\ntask = { kind = "echo" }\n' + tables
    )
    rows = ["id,question,answer,other,label:ann,label:ben,comment:ann"]
    for number in range(40):
        is_right = number % 4 != 0
        answer = f"right {number * 7}" if is_right else f"wrong {number * 7}"
        label = "pass" if is_right else "fail"
        rows.append(f"{number},is it so?,{answer},wrong as well,{label},{'pass' if number == 4 else label},as it is")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def check(folder, judge, *more):
    labels = ("--labels", "labels.csv", "--queue", "answers", "--json")
    done = hanok("judge", "check", "answers", judge, "--rounds", "300", *labels, *more, cwd=folder)
    assert done.code == 0, done.err
    return done.json


def test_each_judge_is_shown_for_what_it_is(folder, models):
    good = check(folder, "good", "--probe")
    found = good["calibration"]
    assert (found["labelled"], found["undecided"], good["asked"]) == (40, 1, 40)
    assert found["standing"] == {"state": "better_than_chance"} and found["tendency"] == {"state": "even"}
    assert found["confusion"] == [[9, 0], [0, 30]]
    measures = {measure["name"]: measure for measure in found["measures"]}
    assert measures["kappa"]["judge"]["value"] == 1 and 0.8 < measures["kappa"]["ceiling"] < 1
    assert abs(measures["agreement"]["baseline"] - 30 / 39) < 1e-9
    assert measures["agreement"]["judge"]["method"] == "wilson"
    assert {probe["kind"]: probe["state"] for probe in good["probes"]} == {
        "order": "fine", "rerun": "fine", "length": "fine", "own": "skipped", "injection": "fine",
    }
    assert good["cost"] > 0
    # What it said is known.
    before = len(models.asked)
    assert check(folder, "good")["asked"] == 0
    assert len(models.asked) == before

    yes = check(folder, "yes")["calibration"]
    assert yes["tendency"] == {"state": "constant", "label": "pass"}
    assert yes["standing"]["state"] == "no_better_than_chance" and "chance" in yes["standing"]["why"]
    assert yes["lenient_count"] == 9 and yes["lenient"][0]["comment"] == "as it is"

    first = check(folder, "first", "--probe")
    order = next(probe for probe in first["probes"] if probe["kind"] == "order")
    assert (order["hits"], order["n"], order["state"]) == (40, 40, "fails")

    guess = check(folder, "guess")["calibration"]
    assert guess["standing"]["state"] == "no_better_than_chance" and guess["tendency"] == {"state": "chance"}

    listed = hanok("judge", "ls", cwd=folder)
    assert [line.split()[0] for line in listed.out.splitlines()] == sorted(JUDGES)
    shown = hanok("judge", "show", "yes", cwd=folder)
    assert "says `pass` of everything: it tells nothing" in shown.out
    probed = hanok("judge", "probe", "answers", "first", "--queue", "answers", "--only", "order", cwd=folder)
    assert "40 of 40 flip" in probed.out and "fails" in probed.out


def test_rates_of_an_experiment_are_corrected_or_refused(folder):
    rows = [{"id": str(n), "input": f"right {n * 11}" if n % 5 < 3 else f"wrong {n * 11}"} for n in range(100)]
    (folder / "evals" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "evals" / "answers.toml"
    head = 'dataset = { rows = [{ id = "1", input = "q" }] }'
    file.write_text(file.read_text().replace(head, 'dataset = "rows.jsonl"'))
    ran = hanok("eval", "run", "answers", "--json", cwd=folder)
    assert ran.code == 0, ran.err
    number = str(ran.json["experiment"])

    good = check(folder, "good", "--experiment", number)["corrected"][0]["corrected"]
    assert good["refused"] is None and good["coverage"]["verdicts"] == 100
    for line in ("as_judged", "rogan_gladen", "prediction_powered"):
        assert good[line]["low"] < 0.6 < good[line]["high"], good[line]
    yes = check(folder, "yes", "--experiment", number)["corrected"][0]["corrected"]
    assert "better than chance" in yes["refused"] and yes["as_judged"]["value"] == 1
    assert yes["rogan_gladen"] is None and yes["prediction_powered"] is None
    shown = hanok("judge", "show", "yes", cwd=folder).out
    assert "not corrected: the judge is not shown to be better than chance" in shown
    # A gate reads the corrected rate, and decides nothing by a judge that tells nothing, or that nobody checked.
    gate = "".join(f'[[gate.checks]]\nscore = "{name}"\nat_least = 0.45\ncorrected = true\n' for name in ("good", "yes", "guess"))
    file.write_text(file.read_text() + "\n" + gate)
    ran = hanok("eval", "run", "answers", "--json", cwd=folder)
    assert ran.code == 100, ran.err
    outcomes = {check["check"].split()[0]: check for check in ran.json["gate"]["checks"]}
    assert outcomes["good"]["outcome"] == "passed" and outcomes["good"]["because"].startswith("corrected, ")
    assert outcomes["yes"]["outcome"] == "undecided" and "better than chance" in outcomes["yes"]["because"]
    assert outcomes["guess"]["outcome"] == "undecided" and "not held against" in outcomes["guess"]["because"]
    refused = hanok("judge", "check", "answers", "good", "--queue", "answers", "--experiment", "99", cwd=folder)
    assert refused.code == 1 and "there is no experiment 99" in refused.err


def test_labels_are_blind(folder):
    def labels(*args, code=0):
        done = hanok("judge", "labels", *args, cwd=folder)
        assert done.code == code, done.err
        return done

    (folder / "open.jsonl").write_text(json.dumps({"id": "a", "question": "q", "answer": "답"}) + "\n")
    labels("import", "mine", "open.jsonl", "--wanted", "2")
    item = labels("next", "mine", "--who", "ann", "--json").json["item"]
    assert item["content"]["answer"] == "답" and item["labels"] == []
    assert "no label of this queue" in labels("set", str(item["id"]), "maybe", "--who", "ann", code=1).err
    assert "open" in labels("set", str(item["id"]), "pass", "--who", "ann").out
    assert labels("next", "mine", "--who", "ben", "--json").json["item"]["labels"] == []
    assert labels("next", "mine", "--who", "ann", "--json").json["item"] is None
    assert "differing" in labels("set", str(item["id"]), "fail", "--who", "ben").out
    differing = labels("next", "mine", "--who", "cho", "--differing", "--json").json["item"]
    assert [label["who"] for label in differing["labels"]] == ["ann", "ben"]
    assert "done" in labels("set", str(item["id"]), "fail", "--who", "cho", "--settle").out
    row = json.loads(labels("export", "mine").out)
    assert (row["labels"]["ann"]["label"], row["settled"], row["settled_by"]) == ("pass", "fail", "cho")
    (folder / "again.jsonl").write_text(labels("export", "mine").out)
    labels("import", "copy", "again.jsonl")
    assert json.loads(labels("export", "copy").out) == row
    labels("rm", "copy")
    assert "there is no queue" in labels("export", "copy", code=1).err


def test_labelled_items_become_a_dataset(folder):
    (folder / "said.jsonl").write_text("\n".join(json.dumps(row) for row in [
        {"id": "a", "question": "one?", "answer": "two", "reference": "1", "label": "fail", "who": "ann", "cluster": "c"},
        {"id": "b", "question": {"x": 1}, "answer": "right", "label": "pass", "who": "ann"},
        {"id": "c", "question": "open?", "answer": "nobody said"},
    ]))
    imported = hanok("judge", "labels", "import", "said", "said.jsonl", cwd=folder)
    assert imported.code == 0, imported.err
    add = lambda *args: hanok("dataset", "add", "labelled", *args, "--json", cwd=folder)
    made = add("--queue", "said")
    assert made.code == 0 and made.json["rows"] == 2, made.err
    first, second = hanok("dataset", "show", "labelled", "--json", cwd=folder).json["rows"]
    assert (first["id"], first["input"], first["expected"], first["cluster"]) == ("a", {"input": "one?"}, "1", "c")
    assert first["metadata"]["output"] == "two" and first["metadata"]["label"] == 0
    assert [(label["who"], label["level"]) for label in first["metadata"]["labels"]] == [("ann", 0)]
    assert (second["input"], second["metadata"]["label"]) == ({"x": 1}, 1) and "expected" not in second
    assert add("--queue", "said").json["hash"] == made.json["hash"], "the same rows are the same version"
    missing = add("--queue", "none")
    assert missing.code == 1 and "there is no annotation queue `none`" in missing.err
    checked = hanok("db", "check", "--json", cwd=folder)
    assert checked.code == 0, checked.out


def test_live_traces_are_scored_by_rule(folder):
    config = (folder / "hanok.toml").read_text()
    rule = '[[scoring]]\neval = "evals/answers.toml"\nscorer = "good"\nfilter = "model:*writer"\nfeedback = "helpful"\nqueue = "doubts"\n'
    (folder / "hanok.toml").write_text(config + rule.replace("good", "bad"))
    assert "there is no scorer `bad`" in hanok("config", "check", cwd=folder).err
    (folder / "hanok.toml").write_text(config + rule)
    with contextlib.ExitStack() as stack:
        server = Hanok(folder).start()
        stack.callback(server.stop)
        body = {"model": "mock/writer", "messages": [{"role": "user", "content": "is it so?"}]}
        answered = http_request(server.url, "POST", "/v1/chat/completions", body)
        assert answered.status == 200, answered.text
        trace = answered.headers["x-hanok-trace-id"]

        def scores():
            found = http_request(server.url, "GET", f"/api/traces/{trace}").json
            return {score["name"]: score["value"] for score in found.get("scores", [])}

        eventually(lambda: "good" in scores(), 60, "the judge's score")
        assert scores() == {"good": True}
        said = {"trace_id": trace, "name": "helpful", "value": False}
        assert http_request(server.url, "POST", "/api/scores", said).status < 300

        def queued():
            listed = hanok("judge", "labels", "ls", "--json", cwd=folder).json["queues"]
            return [queue["items"]["open"] for queue in listed if queue["queue"]["name"] == "doubts"]

        eventually(lambda: queued() == [1], 60, "the doubt")
        # Beside a server, what is written goes through it.
        item = hanok("judge", "labels", "next", "doubts", "--who", "ann", "--json", cwd=folder).json["item"]
        assert item["reason"] == "disagreement" and item["content"]["answer"] == "right indeed"
        assert "scores" not in item["content"]
        said = hanok("judge", "labels", "set", item["id"], "pass", "--who", "ann", cwd=folder)
        assert said.code == 0 and "done" in said.out, said.err
        checked = check(folder, "yes")
        assert (checked["asked"], checked["calibration"]["tendency"]["state"]) == (40, "constant")
        assert checked["cost"] > 0
        for _ in range(3):
            assert http_request(server.url, "POST", "/v1/chat/completions", body).status == 200
        days = lambda: {day["counted"]["rule"]: day for day in hanok("judge", "report", "--json", cwd=folder).json["days"]
                        if day["counted"]["scored"]}
        eventually(lambda: days()["good"]["counted"]["scored"] == 4, 60, "the other scores")
        # The judge that scores was not checked yet: its rate is as it says, and that is said.
        day = days()["good"]
        assert day["corrected"] is None and "was not held against people's labels" in day["refused"]
        # Rules are taken with the configuration: another one scores what comes next.
        (folder / "hanok.toml").write_text(config + rule.replace('"good"', '"yes"') + 'name = "second"\n')
        def second():
            body = {"model": "mock/writer", "messages": [{"role": "user", "content": "and now?"}]}
            assert http_request(server.url, "POST", "/v1/chat/completions", body).status == 200
            return days().get("second", {"counted": {"scored": 0}})["counted"]["scored"] > 1
        eventually(second, 60, "a score by the new rule")
        check(folder, "good")
    of = days()
    first = of["good"]
    assert first["counted"]["seen"] >= 1 and first["mean"]["value"] == 1 and first["counted"]["cost"] > 0
    assert first["counted"]["queued"] == 1
    # The first judge is right, and corrected; the second says yes to all, and is refused.
    assert first["refused"] is None and 0.5 < first["corrected"]["low"] < first["corrected"]["value"] <= 1
    assert of["second"]["corrected"] is None and of["second"]["refused"]
    told = hanok("judge", "report", cwd=folder).out
    assert "with the judge's errors taken out" in told and "not corrected:" in told
