"""Documents in: formats, sources, changes followed, runs killed and gone on with."""

import http.server
import io
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import zipfile

import pytest

from support import HERE, Hanok, eventually, hanok, providers

FILES = HERE.parent.parent / "crates" / "parse" / "tests" / "files"


def report(run):
    return next(iter(run.json["collections"].values()))


def test_documents_of_all_formats_are_taken_and_what_fails_is_named(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ["libreoffice.pdf", "pandoc.docx", "pandoc.pptx", "openpyxl.xlsx", "pandoc.html", "records.jsonl",
                 "cp949.csv", "encrypted.pdf", "scan.pdf", "encrypted.docx"]:
        shutil.copy(FILES / name, docs / name)
    (docs / "main.py").write_text("class Ferry:\n    def cross(self):\n        return 'the gravel strait'\n")
    (docs / "broken.docx").write_bytes((FILES / "pandoc.docx").read_bytes()[:2000])
    (docs / "picture.png").write_bytes(b"png")
    got = report(hanok("index", "docs", "--json", cwd=tmp_path))
    assert got["added"] == 8, got
    reasons = {name.rsplit("/", 1)[-1]: reason for name, reason in got["skipped"]}
    assert set(reasons) == {"encrypted.pdf", "scan.pdf", "encrypted.docx", "broken.docx"}, reasons
    assert "encrypted" in reasons["encrypted.pdf"] and "encrypted" in reasons["encrypted.docx"]
    assert "scan without text" in reasons["scan.pdf"]
    assert got["unsupported"] == {"png": 1}
    hits = hanok("search", "gravel strait", "--json", cwd=tmp_path).json["hits"]
    assert hits[0]["source"].endswith("main.py")
    # Looked at again only when it changes.
    again = report(hanok("index", "docs", "--json", cwd=tmp_path))
    assert (again["read"], again["unchanged"]) == (0, 8)


def test_a_page_of_a_pdf_is_told(tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copy(FILES / "chromium.pdf", tmp_path / "docs")
    assert report(hanok("index", "docs", "--json", cwd=tmp_path))["added"] == 1
    hit = hanok("search", "stands on the second page", "--json", cwd=tmp_path).json["hits"][0]
    assert hit["pages"][1] == 2 and hit["metadata"]["format"] == "PDF"


def test_only_tracked_files_of_a_repository(tmp_path):
    docs = tmp_path / "repo"
    docs.mkdir()
    (docs / "a.md").write_text("The anchor.")
    (docs / "draft.md").write_text("The draft.")
    run = lambda *args: subprocess.run(["git", *args], cwd=docs, check=True, capture_output=True)
    run("init", "-q")
    run("add", "a.md")
    got = report(hanok("index", "git+repo", "--json", cwd=tmp_path))
    assert got["added"] == 1
    (tmp_path / "hanok.toml").write_text("[collections.code]\npaths = [\"repo\"]\ntracked = true\n")
    assert report(hanok("index", "--json", cwd=tmp_path))["added"] == 1


def test_settings_of_a_collection(tmp_path):
    docs = tmp_path / "docs" / "legal"
    docs.mkdir(parents=True)
    (docs / "a.txt").write_text("The heron waits by the river. " * 100)
    config = "[collections.default]\npaths = [\"docs\"]\n"
    (tmp_path / "hanok.toml").write_text(config)
    assert report(hanok("index", "--json", cwd=tmp_path))["added"] == 1
    one = hanok("search", "heron", "--json", cwd=tmp_path).json["hits"][0]
    rules = "[[collections.default.metadata]]\nmatch = \"legal/**\"\ntrust = \"trusted\"\nset = { team = \"legal\" }\n"
    chunking = "[collections.default.chunking]\nby = \"sentence\"\nsize = 40\n"
    (tmp_path / "hanok.toml").write_text(config + chunking + rules)
    got = report(hanok("index", "--json", cwd=tmp_path))
    assert (got["added"], got["changed"]) == (0, 0), got
    hit = hanok("search", "heron", "--json", cwd=tmp_path).json["hits"][0]
    assert hit["end"] - hit["start"] < one["end"] - one["start"]
    assert (hit["trust"], hit["metadata"]["team"], hit["metadata"]["language"]) == ("trusted", "legal", "en")
    (tmp_path / "hanok.toml").write_text(config + "[collections.default.chunking]\nsize = 3\n")
    refused = hanok("config", "check", cwd=tmp_path)
    assert refused.code == 1 and "collections.default.chunking.size" in refused.err
    (tmp_path / "hanok.toml").write_text(config + "[collections.default.chunking]\nby = \"sentense\"\n")
    refused = hanok("config", "check", cwd=tmp_path)
    assert refused.code == 1 and "did you mean `sentence`" in refused.err


@pytest.mark.parametrize("serving", [False, True])
def test_a_document_is_removed_everywhere(tmp_path, upstream, serving):
    docs = tmp_path / "docs"
    (docs / "old").mkdir(parents=True)
    for name in ["a.md", "b.md", "old/c.md", "old/d.md"]:
        (docs / name).write_text(f"# Note\n\nThe anchor of {name} is down by the {'reef' if 'old' in name else 'pier'}.\n")
    config = providers(upstream, "[collections.default]\npaths = [\"docs\"]\nembedder = \"mock/embed\"\n")
    (tmp_path / "hanok.toml").write_text(config)
    assert report(hanok("index", "--json", cwd=tmp_path))["added"] == 4

    def counts():
        with sqlite3.connect(f"file:{tmp_path}/.hanok/hanok.db?mode=ro", uri=True) as db:
            return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("sources", "chunks", "vectors")]

    assert counts() == [4, 4, 4]
    server = Hanok(tmp_path, config).start() if serving else None
    try:
        # By the name of the list, by a path as it is typed, and a whole folder.
        assert hanok("index", "--remove", "docs/a.md", "--json", cwd=tmp_path).json == {"deleted": ["docs/a.md"]}
        gone = hanok("index", "--remove", tmp_path / "docs" / "old", cwd=docs, env={"HANOK_DATA": str(tmp_path / ".hanok")})
        assert gone.out.splitlines() == ["removed docs/old/c.md", "removed docs/old/d.md"], gone.err
        assert counts() == [1, 1, 1], "kept vectors that no text has are gone, too"
        missing = hanok("index", "--remove", "docs/a.md", cwd=tmp_path)
        assert missing.code == 1 and "no document `docs/a.md`" in missing.err
        elsewhere = hanok("index", "--remove", "docs/b.md", "--collection", "other", cwd=tmp_path)
        assert elsewhere.code == 1 and counts() == [1, 1, 1]
        if server:
            for legs in ["bm25", "dense"]:
                hits = server.post("/api/search", {"query": "anchor", "legs": legs}).json["hits"]
                assert [hit["source"] for hit in hits] == ["docs/b.md"], legs
        else:
            hits = hanok("search", "anchor", "--json", cwd=tmp_path).json["hits"]
            assert [hit["source"] for hit in hits] == ["docs/b.md"]
    finally:
        if server:
            server.stop()
    assert (docs / "a.md").exists(), "files are nobody's to remove"
    last = report(hanok("index", "--json", cwd=tmp_path))
    assert (last["added"], last["unchanged"]) == (0, 1), "it comes back when it changes"
    (docs / "a.md").write_text("The anchor is up.")
    assert report(hanok("index", "--json", cwd=tmp_path))["added"] == 1


class Site(http.server.BaseHTTPRequestHandler):
    page, tag = b"", ""

    def do_GET(self):
        if self.headers.get("if-none-match") == Site.tag:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("etag", Site.tag)
        self.send_header("content-length", str(len(Site.page)))
        self.end_headers()
        self.wfile.write(Site.page)

    def log_message(self, *_):
        pass


def test_a_url_is_taken_where_it_is_allowed(tmp_path):
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{site.server_port}"
    url = f"http://{host}/page"
    page = "<html><head><title>Ferry</title></head><body><nav>menu</nav><main><h1>Ferry</h1><p>{}</p></main></body></html>"
    Site.page, Site.tag = page.format("The ferry crosses the gravel strait at noon.").encode(), '"one"'
    try:
        refused = report(hanok("index", url, "--json", cwd=tmp_path))
        assert refused["added"] == 0 and "loopback" in refused["skipped"][0][1]
        (tmp_path / "hanok.toml").write_text(f"[documents]\nprivate_hosts = [\"{host}\"]\n")
        assert report(hanok("index", url, "--json", cwd=tmp_path))["added"] == 1
        hit = hanok("search", "gravel strait", "--json", cwd=tmp_path).json["hits"][0]
        assert hit["source"] == url and "menu" not in hit["text"]
        again = report(hanok("index", url, "--json", cwd=tmp_path))
        assert (again["unchanged"], again["read"]) == (1, 0)
        Site.page, Site.tag = page.format("The ferry crosses at midnight.").encode(), '"two"'
        assert report(hanok("index", url, "--json", cwd=tmp_path))["changed"] == 1
    finally:
        site.shutdown()


def test_changes_are_followed_while_serving(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("The anchor is down.")
    server = Hanok(tmp_path, paths=["docs"]).start()
    try:
        server.until_found("anchor", "anchor is down")
        eventually(lambda: "following changes" in server.stderr, what="that changes are followed")
        (docs / "new").mkdir()
        (docs / "new" / "b.md").write_text("The beacon is lit.")
        server.until_found("beacon", "beacon is lit")
        (docs / "a.md").write_text("The anchor is up.")
        server.until_found("anchor", "anchor is up")
        os.rename(docs / "new", docs / "old")
        eventually(lambda: [hit["source"] for hit in server.search("beacon")] == ["docs/old/b.md"], what="the new name")
        shutil.rmtree(docs / "old")
        eventually(lambda: server.search("beacon") == [], what="the end of the beacon")
    finally:
        server.stop()


def portable_document(text):
    """A PDF of one line."""
    content = f"BT /F 12 Tf 40 700 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    file, places = "%PDF-1.4\n", []
    for at, thing in enumerate(objects, 1):
        places.append(len(file))
        file += f"{at} 0 obj\n{thing}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    return f"{file}xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"


def word_document(text):
    """The one that pandoc made, with another text in place of its table's head."""
    whole = io.BytesIO()
    with zipfile.ZipFile(FILES / "pandoc.docx") as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "word/document.xml":
                body = part.index(b"<w:body>") + len(b"<w:body>")
                part = part[:body] + f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>".encode() + b"</w:body></w:document>"
            new.writestr(name, part)
    return whole.getvalue()


def lay_out_mixed(docs, count):
    """Files of many kinds, each with a word of its own."""
    kinds = ["md", "txt", "html", "csv", "json", "py", "md", "txt", "docx", "pdf"]
    for at in range(count):
        kind, words = kinds[at % len(kinds)], f"word{at} " + "filler words for the ferry " * (at % 30)
        content = {
            "html": lambda: f"<html><body><main><p>{words}</p></main></body></html>",
            "json": lambda: json.dumps({"text": words}),
            "csv": lambda: f"name,text\n{at},{words}\n",
            "py": lambda: f"def f{at}():\n    return '{words}'\n",
            "pdf": lambda: portable_document(words),
            "docx": lambda: word_document(words),
        }.get(kind, lambda: f"# Page {at}\n\n{words}\n")()
        path = docs / f"f{at % 37}" / f"d{at}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_run_that_is_killed_again_and_again_comes_to_its_end(tmp_path):
    """HANOK_INTAKE_FILES says otherwise where there is less time."""
    docs, count = tmp_path / "docs", int(os.environ.get("HANOK_INTAKE_FILES") or 10_000)
    lay_out_mixed(docs, count)
    chance = random.Random()
    for until in [chance.randrange(1, count // 2), chance.randrange(count // 2, count * 9 // 10)]:
        server = Hanok(tmp_path, paths=["docs"]).start()
        look = lambda: server.get("/api/status").json["collections"][0]["indexed"]
        reached = eventually(lambda: (at := look()) >= until and at, timeout=300, what=f"{until} documents")
        server.kill()
    server = Hanok(tmp_path, paths=["docs"]).start()
    try:
        status = lambda: server.get("/api/status").json["collections"][0]
        eventually(lambda: status()["indexed"] == count and not status()["indexing"], timeout=600, what="the end of the run")
        for at in range(0, count, max(1, count // 40)):
            sources = [hit["source"] for hit in server.search(f"word{at}")]
            assert len(sources) == 1 and sources[0].split("/")[-1].startswith(f"d{at}."), (at, sources)
        # The last run went on from where the one before was killed.
        new = re.findall(r"default: [0-9]+ documents \(([0-9]+) new\)", server.stderr)
        assert all(int(number) <= count - reached for number in new[-1:]), (reached, new)
    finally:
        server.stop(by=signal.SIGTERM)
    with sqlite3.connect(f"file:{tmp_path}/.hanok/hanok.db?mode=ro", uri=True) as db:
        one = lambda query: db.execute(query).fetchone()[0]
        assert one("SELECT count(*) FROM sources") == one("SELECT count(DISTINCT path) FROM sources") == count
        assert one("SELECT count(*) FROM chunks WHERE source_id NOT IN (SELECT id FROM sources)") == 0
        assert one("SELECT count(*) FROM sources WHERE id NOT IN (SELECT source_id FROM chunks)") == 0
        assert one("SELECT count(*) FROM chunks") == one("SELECT count(*) FROM (SELECT DISTINCT source_id, start_byte FROM chunks)")
    assert hanok("db", "check", cwd=tmp_path, timeout=300).code == 0
    last = report(hanok("index", "docs", "--json", cwd=tmp_path, timeout=300))
    assert (last["unchanged"], last["read"], last["added"], last["deleted"]) == (count, 0, 0, 0)
