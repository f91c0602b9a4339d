"""`hanok up`: one ready line, one server a folder, faults told, documents followed."""

import os
import socket
import sqlite3

import pytest

from support import Hanok, eventually, free_port, hanok, providers, running, url_in


def test_one_ready_line_once_it_answers(tmp_path):
    with running(tmp_path) as server:
        assert url_in(server.stdout[0]) == server.url
        assert server.get("/healthz").status == 200
        server.chat("hanok/extract", "x")
        assert server.stop() == 0
        assert len(server.stdout) == 1, server.stdout


def test_it_says_where_to_look_and_what_to_try(tmp_path):
    with running(tmp_path) as server:
        eventually(lambda: "curl" in server.stderr + "\n".join(server.stdout), what="a curl line to try")


def test_it_answers_while_it_indexes(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(2000):
        (docs / f"{n}.md").write_text(f"# Page {n}\n\n" + f"Sentence about harbour{n} and its crane. " * 20)
    with running(tmp_path, paths=["docs"]) as server:
        assert server.time_to_ready < 2
        assert server.chat("hanok/extract", "harbour1999 crane").status == 200
        server.until_found("harbour1999", "harbour1999")


def test_the_data_folder_is_private(tmp_path):
    with running(tmp_path) as server:
        assert server.data.stat().st_mode & 0o777 == 0o700
        assert "*" in (server.data / ".gitignore").read_text()


def test_the_data_folder_can_be_elsewhere(upstream, tmp_path):
    data = tmp_path / "elsewhere" / "data"
    with running(tmp_path, providers(upstream), args=["--data", str(data)]) as server:
        server.trace(server.chat("fast").headers["x-hanok-trace-id"])
        assert (data / "hanok.db").exists()
        assert not server.data.exists()


def test_the_configuration_can_be_elsewhere(upstream, tmp_path):
    (tmp_path / "my.toml").write_text(providers(upstream))
    with running(tmp_path / "cwd", args=["--config", str(tmp_path / "my.toml")]) as server:
        assert server.chat("fast").status == 200


# -- what goes wrong at the start

def test_a_second_server_on_the_same_folder_is_refused(tmp_path):
    with running(tmp_path) as server:
        port = server.url.rsplit(":", 1)[1]
        refused = hanok("up", "--bind", f"127.0.0.1:{free_port()}", cwd=tmp_path)
        assert refused.code == 1
        assert str(server.process.pid) in refused.err and port in refused.err
        assert refused.out == ""
        assert server.get("/healthz").status == 200


def test_a_folder_left_by_kill_9_is_free(tmp_path):
    server = Hanok(tmp_path).start()
    server.kill()
    server.start()
    assert server.stop() == 0


def test_a_port_in_use_says_by_what_option_to_change_it(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = hanok("up", "--bind", bind, cwd=tmp_path)
    assert refused.code == 1
    assert "--bind" in refused.err and bind.split(":")[1] in refused.err


@pytest.mark.parametrize(
    "text, line, parts",
    [
        ('\n[server]\nbnd = "127.0.0.1:1"\n', 3, ["bnd", "did you mean `bind`"]),
        ('[provider.x]\nvendor = "openai"\n', 1, ["provider", "did you mean `providers`"]),
        ('[models.fast]\ntarget = ["a/b"]\n', 2, ["target", "did you mean `targets`"]),
        ('[collections.x]\npath = ["docs"]\n', 2, ["path", "did you mean `paths`"]),
        ("[[keys]]\nname = \n", 2, []),
    ],
)
@pytest.mark.parametrize("command", [("up", "--bind", "127.0.0.1:0"), ("config", "check"), ("search", "x")])
def test_a_misspelt_key_is_told(run_hanok, tmp_path, text, line, parts, command):
    (tmp_path / "hanok.toml").write_text(text)
    refused = run_hanok(*command)
    assert refused.code == 1
    assert f"hanok.toml:{line}" in refused.err, refused.err
    for part in parts:
        assert part in refused.err


@pytest.mark.parametrize(
    "text, parts",
    [
        ('[models.fast]\ntargets = ["nobody/x"]\n', ["fast", "nobody/x"]),
        ("[models.fast]\ntargets = []\n", ["fast"]),
        ('[providers.x]\nvendor = "opnai"\n', ["opnai", "openai"]),
        ('[providers.hanok]\nvendor = "openai"\n', ["hanok"]),
        ('[providers.x]\ndialect = "openai-chta"\nbase_url = "http://127.0.0.1:1"\n', ["openai-chat"]),
        ('[providers.x]\ndialect = "openai-chat"\n', ["base_url"]),
        ('[providers.x]\ndialect = "openai-chat"\nbase_url = "nonsense"\n', ["x", "base_url"]),
        ('[server]\nbind = "4141"\n', ["4141"]),
    ],
)
def test_a_configuration_that_cannot_be_is_told(run_hanok, tmp_path, text, parts):
    (tmp_path / "hanok.toml").write_text(text)
    refused = run_hanok("config", "check")
    assert refused.code == 1, refused.out
    for part in parts:
        assert part in refused.err


def test_a_named_file_that_is_not_there_is_told(run_hanok):
    refused = run_hanok("up", "--config", "nowhere.toml", "--bind", "127.0.0.1:0")
    assert refused.code == 1
    assert "nowhere.toml" in refused.err


def test_a_folder_that_is_not_there_is_told(tmp_path):
    refused = hanok("up", "no-such-folder", "--bind", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert refused.code == 1
    assert "no-such-folder" in refused.err


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    with running(tmp_path) as server:
        pass
    database = sqlite3.connect(server.data / "hanok.db")
    [(version,)] = database.execute("PRAGMA user_version").fetchall()
    assert version > 0
    database.execute(f"PRAGMA user_version = {version + 1000}")
    database.commit()
    database.close()
    refused = hanok("up", "--bind", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert refused.code == 1
    assert "newer" in refused.err


def test_an_empty_folder_is_served(tmp_path):
    (tmp_path / "docs").mkdir()
    with running(tmp_path, paths=["docs"]) as server:
        answer = server.chat("hanok/extract", "anything there?")
        assert answer.status == 200
        assert not answer.json["choices"][0]["message"].get("annotations")


def test_hostile_files_are_skipped_and_named(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.md").write_text("# Good\n\nThe windmill turns at noon.\n")
    (docs / "latin1.txt").write_bytes("caf\xe9 windmill".encode("latin-1"))
    (docs / "binary.md").write_bytes(bytes(range(256)) * 20)
    (docs / "loop").symlink_to(docs)
    (docs / "broken.md").symlink_to(docs / "not-there.md")
    (docs / "empty.md").write_text("")
    os.mkfifo(docs / "pipe.md")
    deep = docs
    for n in range(40):
        deep = deep / f"d{n}"
    deep.mkdir(parents=True)
    (deep / "deep.md").write_text("The deepest windmill.")
    (docs / "이름에 빈칸 & 기호#?.md").write_text("The windmill of the odd name.")
    with running(tmp_path, paths=["docs"]) as server:
        server.until_found("windmill noon", "turns at noon")
        server.until_found("deepest windmill", "deepest")
        [hit] = [hit for hit in server.until_found("windmill odd name", "odd name") if "odd name" in hit["text"]]
        assert "기호#?" in hit["source"]
        eventually(lambda: "latin1.txt" in server.stderr and "binary.md" in server.stderr, what="the skipped files by name")
        # A loop would show each file many times over.
        assert len([hit for hit in server.search("windmill noon", top_k=50) if "turns at noon" in hit["text"]]) == 1


# -- documents are followed from start to start

def report(tmp_path):
    ran = hanok("index", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    return ran.json


CONFIG = '[collections.default]\npaths = ["docs"]\n'


def test_an_unchanged_folder_is_no_work(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(50):
        (docs / f"{n}.md").write_text(f"# Page {n}\n\nThe beacon number{n} shines.\n")
    server = Hanok(tmp_path, CONFIG).start()
    server.until_found("beacon number49", "number49")
    server.until_found("beacon number0", "number0")
    server.stop()

    def state():
        return {path: path.stat().st_mtime_ns for path in (server.data).rglob("*")
                if path.is_file() and "index" in str(path.relative_to(server.data)) and "messages" not in path.parts}

    # The words of traces aside: what was asked in between is a trace itself.
    before = state()
    assert before, "no index below the data folder"
    server.start()
    server.until_found("beacon number49", "number49")
    assert server.stop() == 0
    changed = {path for path, time in state().items() if before.get(path) != time and not path.name.endswith(".lock")}
    assert not changed, f"an unchanged folder wrote {changed}"


def test_changes_are_followed_at_start(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "changed.md").write_text("# A\n\nThe ferry leaves at eight.\n")
    (docs / "moved.md").write_text("# B\n\nThe tram leaves at nine.\n")
    (docs / "deleted.md").write_text("# C\n\nThe balloon leaves at ten.\n")
    server = Hanok(tmp_path, CONFIG).start()
    server.until_found("ferry leaves", "eight")
    server.until_found("tram leaves", "nine")
    server.until_found("balloon leaves", "ten")
    server.stop()

    (docs / "changed.md").write_text("# A\n\nThe ferry leaves at noon.\n")
    (docs / "sub").mkdir()
    (docs / "moved.md").rename(docs / "sub" / "elsewhere.md")
    (docs / "deleted.md").unlink()
    (docs / "new.md").write_text("# D\n\nThe funicular leaves at eleven.\n")
    server.start()
    server.until_found("ferry leaves", "noon")
    server.until_found("funicular leaves", "eleven")
    server.until_gone("balloon leaves", "balloon")
    server.until_gone("ferry leaves at eight", "eight")
    hits = server.until_found("tram leaves", "nine")
    eventually(
        lambda: [hit["source"] for hit in server.search("tram leaves") if "nine" in hit["text"]][0].endswith("elsewhere.md"),
        what="the moved file under its new name",
    )
    assert len([hit for hit in server.search("tram leaves") if "nine" in hit["text"]]) == 1, hits
    server.stop()


def test_two_collections_do_not_mix(tmp_path):
    for name, word in (("one", "apple"), ("two", "pear")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(f"# Fruit\n\nThe basket holds one ripe {word}.\n")
    config = '[collections.one]\npaths = ["one"]\n\n[collections.two]\npaths = ["two"]\n'
    with running(tmp_path, config) as server:
        server.until_found("ripe basket", "apple", collection="one")
        server.until_found("ripe basket", "pear", collection="two")
        assert not any("pear" in hit["text"] for hit in server.search("ripe pear basket", collection="one"))
        answer = server.chat("hanok/extract@two", "What does the basket hold?").json
        assert "pear" in answer["choices"][0]["message"]["content"]


def test_a_collection_is_known_before_it_is_indexed(tmp_path):
    """From the ready line on: not "no such collection", and not "no documents" while they are being read."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(3000):
        (docs / f"{n}.md").write_text(f"# Page {n}\n\n" + f"A sentence about harbour{n}. " * 30)
    with running(tmp_path, paths=["docs"]) as server:
        early = server.post("/api/search", {"query": "harbour2999"})
        assert early.status == 200, early.text
        said = server.chat("hanok/extract", "What about harbour2999?").json["choices"][0]["message"]["content"]
        assert "no documents" not in said
        assert "indexed so far" in said or "harbour2999" in said
