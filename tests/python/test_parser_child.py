"""The hidden `hanok parse-documents`: what servers and indexes hand other people's files to."""

import contextlib
import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support import BIN, HERE, hanok

FILES = HERE.parent.parent / "crates" / "parse" / "tests" / "files"
DEEP = 100_000
LIMITS = {
    "file_bytes": 64 << 20, "text_bytes": 32 << 20, "unpacked_bytes": 4 << 20, "memory_bytes": 512 << 20,
    "time": {"secs": 30, "nanos": 0}, "processor": {"secs": 20, "nanos": 0}, "children": 1,
}


class Child:
    """The child, and what its parent and it say to each other: lengths, JSON, bytes."""

    def __init__(self):
        # As a workshop does it: without the parent's environment, and with an allocator that sets nothing aside.
        env = {"MIMALLOC_ARENA_RESERVE": "65536"}
        self.process = subprocess.Popen([BIN, "parse-documents"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=env, cwd="/")

    def tell(self, form, content, **limits):
        head = json.dumps({"format": form, "limits": {**LIMITS, **limits}, "bytes": len(content)}).encode()
        self.process.stdin.write(struct.pack("<I", len(head)) + head + content)
        self.process.stdin.flush()

    def hear(self):
        """What came of it and the text; `None` from a child that is gone."""
        lengths = self.process.stdout.read(8)
        if len(lengths) < 8:
            return None
        head, text = struct.unpack("<II", lengths)
        outcome = json.loads(self.process.stdout.read(head))["outcome"]
        return outcome, self.process.stdout.read(text).decode()

    def parse(self, form, content, **limits):
        # Memory may end while the content still comes, as well as later.
        with contextlib.suppress(BrokenPipeError):
            self.tell(form, content, **limits)
        return self.hear()

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


@pytest.fixture
def child():
    child = Child()
    yield child
    if child.process.poll() is None:
        child.process.kill()
        child.process.wait()


def docx(body, packed=zipfile.ZIP_DEFLATED):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", packed) as package:
        package.writestr("word/document.xml", f"<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>")
    return whole.getvalue()


def hostile():
    """What the file is said to be, what it is, and a part of the reason for which it is not taken; or of its text."""
    real = (FILES / "pandoc.docx").read_bytes()
    return {
        "bomb.docx": ("docx", docx(" " * (64 << 20)), "what is packed in it is larger than"),
        "deep.docx": ("docx", docx("<w:p>" * DEEP + "x" + "</w:p>" * DEEP), "nested too deep"),
        "deep.json": ("json", b"[" * DEEP + b"1" + b"]" * DEEP, "recursion limit"),
        "deep.html": ("html", b"<div><b>" * DEEP + b"the bottom" + b"</div>" * DEEP, None),
        "truncated.docx": ("docx", real[: len(real) // 2], "no valid DOCX"),
        "truncated.pdf": ("pdf", (FILES / "columns.pdf").read_bytes()[:400], ""),
        "encrypted.docx": ("docx", (FILES / "encrypted.docx").read_bytes(), "encrypted"),
        "encrypted.pdf": ("pdf", (FILES / "encrypted.pdf").read_bytes(), "encrypted"),
        "picture.pdf": ("pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no valid PDF"),
        "binary.csv": ("csv", bytes([0, 159, 146, 150]) * 50, "no valid text"),
    }


def test_one_child_parses_one_document_after_the_other(child):
    outcome, text = child.parse("html", b"<title>Ferry</title><main><h1>Ferry</h1><p>It crosses at noon.</p></main>")
    assert outcome["Ok"]["title"] == "Ferry" and "It crosses at noon." in text
    outcome, text = child.parse("docx", (FILES / "pandoc.docx").read_bytes())
    assert outcome["Ok"]["layout"] == "markdown" and "대청" in text
    assert child.end() == 0


def test_hostile_documents_are_answered_and_the_next_is_parsed(child):
    for name, (form, content, reason) in hostile().items():
        outcome, text = child.parse(form, content)
        if reason is None:
            assert "the bottom" in text, name
        else:
            assert "Err" in outcome and text == "", (name, outcome)
    outcome, text = child.parse("json", b'["after it all"]')
    assert text == "- after it all\n"
    assert child.end() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only there it can be seen what a process took away from itself")
def test_the_child_takes_its_rights_away_before_it_looks_at_anything(child):
    child.parse("json", b"[1]", memory_bytes=64 << 20)
    lines = Path(f"/proc/{child.process.pid}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines[1:]}
    for name, most in [("Max open files", "3"), ("Max file size", "0"), ("Max core file size", "0"), ("Max data size", str(64 << 20))]:
        assert limits[name] == [most, most], name
    assert limits["Max cpu time"][0] != "unlimited"
    assert "NoNewPrivs:\t1" in Path(f"/proc/{child.process.pid}/status").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let no process limit its memory so")
def test_a_document_that_needs_more_memory_costs_the_child_and_nobody_else(child):
    assert child.parse("html", b"<b>x</b>" * (1 << 20), memory_bytes=48 << 20) is None
    assert child.process.wait(10) != 0


@pytest.mark.parametrize("bytes", [b"\xff\xff\xff\xff", struct.pack("<I", 2) + b"[]", struct.pack("<I", 900) + b"{", b"\x01"])
def test_nonsense_ends_the_child(child, bytes):
    child.process.stdin.write(bytes)
    assert child.end() != 0 or len(bytes) < 4


def test_hostile_files_do_no_harm_to_an_index(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, (_, content, _) in hostile().items():
        (docs / name).write_bytes(content)
    (docs / "deep.md").write_text("> " * DEEP + "the keel" + "\n" + "[" * DEEP)
    (docs / "deep.py").write_text("x = " + "(" * DEEP + "\n")
    (docs / "good.html").write_text("<main><p>The lantern hangs in the hall.</p></main>")
    ran = hanok("index", "docs", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    got = ran.json["collections"]["default"]
    reasons = {name.removeprefix("docs/"): reason for name, reason in got["skipped"]}
    expected = {name: reason for name, (_, _, reason) in hostile().items() if reason is not None}
    # What it holds is blank and within what is unpacked by default, so that it has no text.
    assert reasons.pop("bomb.docx", None), reasons
    expected.pop("bomb.docx")
    assert set(reasons) == set(expected)
    for name, part in expected.items():
        assert part in reasons[name], (name, reasons[name])
    assert got["added"] == 4
    for words in ["lantern", "keel", "bottom"]:
        assert hanok("search", words, "--json", cwd=tmp_path).json["hits"], words
