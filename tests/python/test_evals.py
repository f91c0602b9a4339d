"""Evals from outside: what is paid for once, what stops where, and what is told."""

import json
import signal
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

from support import BIN, Hanok, environment, eventually, hanok, providers

PRICES = """
[prices."mock/*"]
input = 1000.0
output = 1000.0
"""


def lay_out(folder, upstream, model="echo", rows=12, more="", scorer='[[scorers]]\nkind = "contains"\n'):
    """An eval over a scripted model; the mock's usage makes each call cost the same."""
    (folder / "hanok.toml").write_text(providers(upstream, PRICES))
    evals = folder / "evals"
    evals.mkdir(exist_ok=True)
    lines = [json.dumps({"id": f"r{n}", "q": f"question {n}", "expected": "question"}) for n in range(rows)]
    (evals / "rows.jsonl").write_text("\n".join(lines))
    (evals / "mock.toml").write_text(
        f'dataset = "rows.jsonl"\nconcurrency = 4\n{more}\n'
        f'[task]\nkind = "model"\nmodel = "mock/{model}"\ntemplate = "{{{{q}}}}"\n{scorer}'
    )
    return evals / "mock.toml"


def asked(upstream):
    """The questions that came to the model, in order."""
    bodies = [json.loads(request["body"]) for request in upstream.requests() if request["path"].endswith("/chat/completions")]
    return [body["messages"][-1]["content"] for body in bodies]


def run_json(*args, cwd, code=0):
    done = hanok("eval", "run", *args, "--json", cwd=cwd)
    assert done.code == code, done.err
    return done.json


def test_an_eval_is_scored_priced_and_traced(tmp_path, forgetful):
    lay_out(tmp_path, forgetful)
    ran = run_json("mock", cwd=tmp_path)
    assert (ran["state"], ran["report"]["tries"], ran["report"]["failed"]) == ("done", 12, 0)
    score = ran["report"]["scores"][0]
    assert score["name"] == "contains" and score["valued"] == 12
    assert ran["report"]["cost"] > 0 and ran["report"]["latency"]["p95"] > 0
    shown = hanok("eval", "show", ran["experiment"], "--results", "--json", cwd=tmp_path).json
    first = shown["results"][0]
    assert first["cost_usd"] * 12 == pytest.approx(ran["report"]["cost"] / 1e9)
    trace = hanok("trace", "show", first["trace_id"], "--json", cwd=tmp_path).json
    root = trace["spans"][0]
    assert root["attributes"]["gen_ai.operation.name"] == "invoke_workflow" and root["name"] == "eval mock"
    assert root["attributes"]["hanok.eval.sample"] == first["sample"]["id"]
    assert len(trace["spans"]) == 3
    listed = hanok("eval", "ls", "--json", cwd=tmp_path).json["experiments"]
    assert [one["id"] for one in listed] == [ran["experiment"]]


def test_the_second_run_pays_nothing_and_repeats_are_new(tmp_path, forgetful):
    lay_out(tmp_path, forgetful)
    run_json("mock", cwd=tmp_path)
    again = run_json("mock", cwd=tmp_path)
    assert (again["report"]["cached"], again["report"]["cost"]) == (12, 0)
    assert len(asked(forgetful)) == 12
    more = run_json("mock", "--repeat", "3", cwd=tmp_path)
    assert (more["report"]["tries"], more["report"]["cached"]) == (36, 12)
    assert len(asked(forgetful)) == 36
    few = run_json("mock", "--limit", "5", "--no-cache", cwd=tmp_path)
    assert (few["report"]["tries"], few["report"]["cached"]) == (5, 0)
    assert len(asked(forgetful)) == 41


def begun(folder, *args):
    return subprocess.Popen(
        [BIN, "eval", "run", "mock", *args], cwd=folder, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


def done_so_far(folder):
    path = folder / ".hanok" / "hanok.db"
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        try:
            return db.execute("SELECT coalesce(max(done), 0) FROM experiments").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_a_run_that_is_killed_goes_on_and_pays_for_nothing_twice(tmp_path, forgetful):
    lay_out(tmp_path, forgetful, model="slow", rows=24)
    process = begun(tmp_path)
    eventually(lambda: done_so_far(tmp_path) >= 8, 30, "eight results")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = done_so_far(tmp_path)
    assert 8 <= done < 24
    ran = run_json("mock", "--resume", cwd=tmp_path)
    assert (ran["report"]["tries"], ran["experiment"]) == (24, 1)
    questions = asked(forgetful)
    assert len(set(questions)) == 24
    # What was on its way when the process died is all that may come again.
    assert len(questions) <= 24 + 4, f"{len(questions)} calls for 24 rows, of which {done} were done"
    assert hanok("eval", "run", "mock", "--resume", cwd=tmp_path).code == 1


def test_an_interrupted_run_says_so_and_can_be_taken_up(tmp_path, forgetful):
    lay_out(tmp_path, forgetful, model="slow", rows=40)
    process = begun(tmp_path)
    eventually(lambda: done_so_far(tmp_path) >= 4, 30, "four results")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert b"interrupted" in said and b"goes on from there" in said
    (listed,) = hanok("eval", "ls", "--json", cwd=tmp_path).json["experiments"]
    assert listed["state"] == "stopped" and 4 <= listed["done"] < 40
    ran = run_json("mock", cwd=tmp_path)
    assert (ran["experiment"], ran["state"]) == (listed["id"], "done")
    assert len(asked(forgetful)) == 40, "what was under way ended and was kept"


def test_a_budget_is_not_passed(tmp_path, forgetful):
    # Little for what is asked, so that the most a call can cost is near to what it does.
    lay_out(tmp_path, forgetful, rows=30, scorer='max_tokens = 3\n[[scorers]]\nkind = "contains"\n')
    (tmp_path / "hanok.toml").write_text(providers(forgetful, '[prices."mock/*"]\ninput = 1.0\noutput = 1000.0\n'))
    each = run_json("mock", "--limit", "1", "--fresh", cwd=tmp_path)["report"]["cost"]
    budget = each * 10.5 / 1e9
    done = hanok("eval", "run", "mock", "--no-cache", "--budget", f"{budget:.9f}", "--json", cwd=tmp_path)
    assert done.code == 1, done.err
    ran = done.json
    tries = ran["report"]["tries"]
    assert ran["state"] == "stopped" and "budget" in ran["stopped"], ran["stopped"]
    # The last call may cost more than one does, and does not leave where that would not fit.
    assert 6 <= tries <= 8 and f"{30 - tries} of 30 tries are missing" in ran["stopped"]
    assert ran["report"]["cost"] == each * tries and ran["report"]["failed"] == 0
    assert "gate" not in ran
    # A call that could pass it does not leave, however little others cost.
    forgetful.forget()
    (tmp_path / "evals/mock.toml").write_text((tmp_path / "evals/mock.toml").read_text().replace("max_tokens = 3\n", ""))
    done = hanok("eval", "run", "mock", "--budget", "4", "--json", cwd=tmp_path)
    assert done.code == 1 and "no room left for a call that may cost $" in done.json["stopped"], done.err
    assert asked(forgetful) == [] and done.json["report"]["failed"] == 0


def test_a_call_without_a_price_stops_a_run_with_a_budget(tmp_path, forgetful):
    lay_out(tmp_path, forgetful, rows=30)
    (tmp_path / "hanok.toml").write_text(providers(forgetful))
    done = hanok("eval", "run", "mock", "--budget", "1", cwd=tmp_path)
    assert done.code == 1 and "no known price" in done.err
    assert len(asked(forgetful)) == 1


def test_what_is_free_has_a_price(tmp_path, forgetful):
    lay_out(tmp_path, forgetful, rows=30)
    free = '[prices."mock/*"]\ninput = 0.0\noutput = 0.0\n'
    (tmp_path / "hanok.toml").write_text(providers(forgetful, free))
    ran = run_json("mock", "--budget", "1", cwd=tmp_path)
    assert (ran["state"], ran["report"]["tries"], ran["report"]["cost"]) == ("done", 30, 0)


def test_the_gate_decides_the_exit_status_and_reports_are_well_formed(tmp_path, forgetful):
    passes = '[[gate.checks]]\nscore = "contains"\nat_least = 0.5\n[[gate.checks]]\nfailures = 0\n'
    fails = '[[gate.checks]]\nscore = "contains"\nat_least = 0.999\n'
    scorer = '[[scorers]]\nkind = "contains"\nvalue = "question"\n'
    lay_out(tmp_path, forgetful, scorer=scorer + passes)
    reports = ["junit=out.xml", "markdown=out.md", "json=out.json"]
    given = [part for report in reports for part in ("--report", report)]
    assert hanok("eval", "run", "mock", *given, cwd=tmp_path).code == 0
    lay_out(tmp_path, forgetful, scorer=scorer + fails)
    done = hanok("eval", "run", "mock", *given, cwd=tmp_path)
    assert done.code == 100, done.err
    root = ElementTree.parse(tmp_path / "out.xml").getroot()
    gate, samples = root.findall("testsuite")
    assert len(samples.findall("testcase")) == 12 and not samples.findall("testcase/failure")
    assert len(gate.findall("testcase/failure")) == 1
    text = (tmp_path / "out.md").read_text()
    assert "| contains | 1.0000 |" in text and "❔ undecided" in text
    assert json.loads((tmp_path / "out.json").read_text())["gate"]["passed"] is False


def test_a_running_server_takes_the_results(tmp_path, forgetful):
    lay_out(tmp_path, forgetful)
    server = Hanok(tmp_path, (tmp_path / "hanok.toml").read_text()).start()
    try:
        ran = run_json("mock", cwd=tmp_path)
        assert (ran["state"], ran["report"]["tries"]) == ("done", 12)
        assert ran["report"]["cost"] > 0
        shown = hanok("eval", "show", ran["experiment"], "--results", "--json", cwd=tmp_path).json
        assert server.trace(shown["results"][0]["trace_id"])
        refused = server.post("/api/evals", {"Datasets": {}})
        assert refused.status == 403
    finally:
        server.stop()


def test_commands_get_the_input_only_and_are_killed_in_time(tmp_path):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"input": {"q": "안녕"}, "expected": "secret", "metadata": {"m": 1}}))
    (tmp_path / "say.py").write_text("import json, sys\nprint(json.dumps(json.load(sys.stdin), ensure_ascii=False))\n")
    eval_file = tmp_path / "c.toml"
    eval_file.write_text('dataset = "rows.jsonl"\n[task]\nkind = "command"\ncommand = ["python3", "say.py"]\n')
    ran = run_json("c.toml", cwd=tmp_path)
    shown = hanok("eval", "show", ran["experiment"], "--results", "--json", cwd=tmp_path).json
    assert shown["results"][0]["output"]["value"] == {"input": {"q": "안녕"}, "repeat": 0}
    eval_file.write_text(
        'dataset = "rows.jsonl"\n[task]\nkind = "command"\ncommand = ["sh", "-c", "sleep 60 & sleep 60"]\ntimeout = 0.2\n'
    )
    began = time.monotonic()
    ran = run_json("c.toml", cwd=tmp_path)
    assert ran["report"]["failed"] == 1 and time.monotonic() - began < 20
    # A script that was changed is another task, and what it says is not what the first one said.
    (tmp_path / "say.py").write_text("print('other')\n")
    eval_file.write_text('dataset = "rows.jsonl"\n[task]\nkind = "command"\ncommand = ["python3", "say.py"]\n')
    assert run_json("c.toml", cwd=tmp_path)["report"]["cached"] == 0
    assert run_json("c.toml", cwd=tmp_path)["report"]["cached"] == 1


def test_datasets_are_kept_split_checked_and_written(tmp_path):
    rows = [{"q": f"what is the number {n} called in the language of the house?", "expected": str(n)} for n in range(200)]
    rows.append({"q": "What is the number 7 called in the language of the  house?", "expected": "seven"})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = hanok("dataset", "add", "numbers", "--file", "rows.jsonl", "--json", cwd=tmp_path).json
    assert made["rows"] == 201
    same = hanok("dataset", "add", "numbers", "--file", "rows.jsonl", "--json", cwd=tmp_path).json
    assert same["hash"] == made["hash"]
    splits = hanok("dataset", "split", "numbers", "--seed", "1", "--json", cwd=tmp_path).json["splits"]
    assert sum(splits.values()) == 201 and 20 <= splits["test"] <= 65
    out = hanok("dataset", "export", "numbers", "--split", "test", "--format", "csv", cwd=tmp_path).out
    assert len(out.splitlines()) == splits["test"] + 1 and out.startswith("id,expected,")
    checked = hanok("dataset", "check", "rows.jsonl", "--json", cwd=tmp_path)
    assert checked.code == 0 and checked.json["same"] >= 1 and checked.json["contradictions"] >= 1
    (listed,) = hanok("dataset", "ls", "--json", cwd=tmp_path).json["datasets"]
    assert (listed["name"], listed["versions"]) == ("numbers", 2)
    (tmp_path / "e.toml").write_text(
        'dataset = { name = "numbers", split = "test" }\n[task]\nkind = "echo"\n[[scorers]]\nkind = "contains"\n'
    )
    ran = run_json("e.toml", cwd=tmp_path)
    assert ran["report"]["tries"] == splits["test"]
    assert hanok("dataset", "rm", "numbers", cwd=tmp_path).code == 0
    assert hanok("dataset", "show", "numbers", cwd=tmp_path).code == 1


def test_disliked_answers_become_a_dataset(tmp_path, forgetful):
    server = Hanok(tmp_path, providers(forgetful)).start()
    try:
        ids = []
        for text in ("one", "two", "three"):
            ids.append(server.chat("fast", text).headers["x-hanok-trace-id"])
        for trace_id in ids:
            server.trace(trace_id)
        for trace_id, value in zip(ids, ("true", "false", "false")):
            scored = hanok("trace", "score", trace_id, "helpful", value, cwd=tmp_path)
            assert scored.code == 0, scored.err
        made = hanok("dataset", "add", "disliked", "--traces", "score.helpful:<1 since:7d", "--json", cwd=tmp_path)
        assert made.code == 0 and made.json["rows"] == 2, made.err
        shown = hanok("dataset", "show", "disliked", "--json", cwd=tmp_path).json
        origins = {row["origin"].split("/")[0] for row in shown["rows"]}
        assert origins == set(ids[1:])
        row = shown["rows"][0]
        assert row["input"]["messages"][-1]["role"] == "user" and row["metadata"]["scores"] == {"helpful": False}
    finally:
        server.stop()


@pytest.mark.parametrize("beside", ["a server", "no server"])
def test_what_was_made_of_a_trace_goes_with_it(tmp_path, forgetful, beside):
    """Rows, answers, words of scores and the eval's own calls go with the trace; numbers stay, and all of it is told."""
    server = Hanok(tmp_path, providers(forgetful, PRICES)).start()
    for number, user in enumerate(("alice", "bob", "bob")):
        body = {"model": "fast", "messages": [{"role": "user", "content": f"{user} lives at gravel road {number}"}]}
        said = server.post("/v1/chat/completions", body, headers={"x-hanok-user": user})
        server.trace(said.headers["x-hanok-trace-id"])
    (tmp_path / "e.toml").write_text(
        'dataset = { name = "roads" }\n[task]\nkind = "model"\nmodel = "mock/echo"\ntemplate = "{{messages}}"\n'
        '[[scorers]]\nkind = "contains"\nvalue = "gravel"\n'
    )
    if beside == "no server":
        assert server.stop() == 0
    cli = lambda *args, code=0: cli_in(tmp_path, args, code)
    made = cli("dataset", "add", "roads", "--traces", "since:7d", "--json").json
    assert (made["rows"], made["lost"]) == (3, 0)
    ran = cli("eval", "run", "e.toml", "--json").json
    before = cli("eval", "show", ran["experiment"], "--results", "--json").json
    dry = cli("trace", "rm", "--user", "alice", "--dry-run", "--json").json
    gone = cli("trace", "rm", "--user", "alice", "--yes", "--json").json
    assert gone["traces"] == dry["traces"] == 2, "her trace, and the call of the eval that repeats her words"
    # The version says what it lost, by its name of before.
    shown = cli("dataset", "show", "roads", "--json").json
    assert (shown["version"]["hash"], shown["version"]["rows"], shown["version"]["lost"]) == (made["hash"], 2, 1)
    assert "1 more went with their traces" in cli("dataset", "ls").out
    # The experiment has its numbers, and nothing that she said.
    after = cli("eval", "show", ran["experiment"], "--results", "--json").json
    assert "alice" not in json.dumps(after) and "bob" in json.dumps(after)
    numbers = lambda shown: [(row["cost_usd"], row["latency_ns"], {name: score["value"] for name, score in row["scores"].items()})
                             for row in shown["results"]]
    assert numbers(after) == numbers(before)
    assert after["result"] == before["result"]
    assert "removed with its trace" in cli("eval", "show", ran["experiment"], "--results").out
    again = cli("eval", "run", "e.toml")
    assert "1 rows of this version went with the traces" in again.err
    assert cli("db", "check", "--json").json["problems"] == []
    cli("trace", "rm", "--filter", "user:bob", "--yes")
    assert "all rows of the dataset `roads` went with the traces" in cli("eval", "run", "e.toml", code=1).err
    if beside == "a server":
        # What was deleted on demand is overwritten, and the log is emptied once it is quiet.
        assert server.stop() == 0
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".hanok").glob("hanok.db*"))
    assert b"alice lives" not in kept and b"bob lives" not in kept


def cli_in(folder, args, code):
    done = hanok(*args, cwd=folder)
    assert done.code == code, f"{args}: {done.out}{done.err}"
    return done


def test_a_configuration_of_promptfoo_is_run(tmp_path):
    (tmp_path / "rows.csv").write_text("name,__expected\nAnna,icontains-any: anna,\n")
    (tmp_path / "p.yaml").write_text(
        "prompts: ['Hello {{name}}', 'Bye {% if name %}{{name | upper}}{% endif %}']\nproviders: [echo]\n"
        "tests:\n- file://rows.csv\n"
        "- vars: {name: 민수}\n  assert: [{type: contains, value: 민수}, {type: ruby, value: 'true'}]\n"
        "- vars: {name: Bob}\n  assert: [{type: python, value: \"context['vars']['name'].upper() in output.upper()\"}]\n"
    )
    done = hanok("eval", "import", "p.yaml", "-o", "p.toml", "--all", cwd=tmp_path)
    assert done.code == 0 and "ruby" in done.err and "python3" in done.err
    for name in ["p-p1-m1.toml", "p-p2-m1.toml"]:
        ran = hanok("eval", "run", name, "--json", cwd=tmp_path)
        assert "kept, not run: 1 of 4 assertions" in ran.err, ran.err
        scores = {score["name"]: score for score in json.loads(ran.out)["report"]["scores"]}
        assert scores["contains"]["mean"] == 1 and scores["icontains-any"]["mean"] == 1 and scores["python"]["mean"] == 1
        assert scores["ruby"]["failed"] == 1 and scores["pass"]["valued"] == 2
    assert hanok("eval", "export", "p-p2-m1.toml", "-o", "back.yaml", cwd=tmp_path).code == 0
    assert "ruby" in (tmp_path / "back.yaml").read_text()
