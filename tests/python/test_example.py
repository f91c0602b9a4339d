"""The example playlist-search, run as its README says: what it says of itself, what a second run costs, its pages."""

import os
import re
import signal
import subprocess

import pytest
from support import BIN, Hanok, environment, eventually, free_port, hanok, http_request

EXAMPLE = BIN.with_name("playlist-search")
SMALL = ("--size", "small", "--no-serve")


def command(folder, *args):
    return [EXAMPLE, "run", "--hanok", BIN, "--folder", folder, *args]


def run(folder, *args):
    done = subprocess.run(
        command(folder, *SMALL, *args), env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def experiments(said):
    """The numbers of the experiments, by eval."""
    return {name: int(number) for number, name in re.findall(r"^experiment +(\d+)  (\S+)", said, re.M)}


def rate(said, name, score):
    """The mean of a score of an eval."""
    return float(re.search(rf"^experiment +\d+  {name} .*?  {score} (\d\.\d+)", said, re.M)[1])


def last_line(said):
    tries, known, dollars, asked = re.search(
        r"this run: (\d+) tries, (\d+) known before, \$(\d+\.\d+) .*asked (\d+) times", said
    ).groups()
    return int(tries), int(known), float(dollars), int(asked)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    return folder, run(folder)


def test_it_says_what_it_is_and_what_came_of_it(ran):
    folder, said = ran
    assert "a SCRIPTED provider stands in" in said and "not from a language model" in said
    assert list(experiments(said)) == [
        "curator-first", "curator", "labeler-queries", "labeler-pairs", "keyword", "first", "semantic", "daily",
    ]
    for score in ("ndcg", "found", "served"):
        assert rate(said, "semantic", score) > rate(said, "keyword", score)
    assert rate(said, "curator-first", "in-both-languages") == 0 and rate(said, "curator", "in-both-languages") > 0.9
    # The judge errs, and that is shown.
    agreement = re.search(r"agreement +(\d\.\d+)", said)
    assert 0.6 < float(agreement[1]) < 1 and "with the judge's errors taken out" in said
    # Also a judge behind an alias has its price.
    checked = hanok("judge", "show", "served", "--json", cwd=folder).json
    assert checked["cost"] > 0
    assert "gate passed" in said and "FAILED" not in said
    tries, _, dollars, asked = last_line(said)
    assert tries > 400 and asked > 400 and dollars > 0
    report = (folder / "data/report.md").read_text()
    assert "SCRIPTED" in report and "served, as judged" in report
    label = hanok("prompt", "ls", "--json", cwd=folder).json
    assert "production" in str(label)


def test_a_second_run_pays_nothing_and_its_pages_open(ran):
    folder, first = ran
    second = run(folder)
    _, known, dollars, asked = last_line(second)
    assert (dollars, asked) == (0, 0) and known > 300
    assert rate(second, "semantic", "served") == rate(first, "semantic", "served")
    numbers = experiments(second)
    server = Hanok(folder).start()
    try:
        for path in (f"/experiments/{numbers['semantic']}", "/datasets/queries", "/prompts/curator", "/experiments"):
            page = server.get(path)
            assert page.status == 200, f"{path}: {page.text[:500]}"
        compared = re.search(r"http://127.0.0.1:4141(/experiments/compare\S+)", second)[1]
        page = server.get(compared)
        assert page.status == 200 and "served" in page.text and "ndcg" in page.text
        # Beside the server the evals go through it, and what is known is known there: the models are away by now.
        for name in ("curator", "semantic", "daily"):
            beside = hanok("eval", "run", name, "--json", cwd=folder)
            assert beside.code == 0, beside.err
            report = beside.json["report"]
            assert (report["failed"], report["cost"]) == (0, 0) and report["tries"] > 0
            assert name != "curator" or report["cached"] == report["tries"]
            means = [score["mean"] for score in report["scores"] if score["name"] in ("served", "faithful")]
            assert means == [pytest.approx(rate(second, name, "faithful" if name == "curator" else "served"), abs=6e-4)]
        # The log is in the records, with its clicks.
        found = server.traces(filter="tag:search-log score.clicked:>0", limit=1)["traces"]
        assert len(found) == 1
    finally:
        server.stop()


def test_a_run_that_is_killed_goes_on(tmp_path):
    process = subprocess.Popen(
        command(tmp_path, *SMALL), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith("experiment") and "labeler-pairs" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    said = run(tmp_path)
    tries, known, _, asked = last_line(said)
    assert known > 300 and 0 < asked < tries, said


def test_it_serves_what_came_of_it_until_it_is_interrupted(ran):
    folder, _ = ran
    bind = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        command(folder, "--size", "small", "--bind", bind), env=environment(), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    try:
        said = "".join(iter(process.stdout.readline, "Ctrl-C ends it; its log is data/server.log.\n"))
        compared = re.search(rf"http://{bind}(/experiments/compare\S+)", said)[1]
        assert http_request(f"http://{bind}", "GET", compared).status == 200
        # As a terminal does: to all of them.
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
        eventually(lambda: hanok("prompt", "label", "curator", "staging", "--to", "latest", cwd=folder).code == 0, 20)
    finally:
        process.stdout.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_other_models_are_asked_without_a_change_of_prompts_and_evals(tmp_path):
    """A model of another provider: here the same rules, behind a server that the example does not start."""
    models = subprocess.Popen(
        [EXAMPLE, "models", "--folder", tmp_path / "models"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        url = re.search(r"http://\S+/v1", models.stdout.readline())[0]
        folder = tmp_path / "real"
        laid = subprocess.run([EXAMPLE, "data", "--size", "small", "--folder", folder], capture_output=True)
        assert laid.returncode == 0, laid.stderr
        config = (folder / "hanok.toml").read_text()
        config = config.replace("scripted/writer", "real/writer").replace("scripted/judge", "real/judge")
        config += f'\n[providers.real]\ndialect = "openai-chat"\nbase_url = "{url}"\n'
        (folder / "hanok.toml").write_text(config)
        said = run(folder)
        assert "SCRIPTED" not in said and "by the models that hanok.toml names" in said
        assert rate(said, "semantic", "found") > rate(said, "keyword", "found")
    finally:
        models.kill()
        models.communicate()
