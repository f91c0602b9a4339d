#!/usr/bin/env python3
"""Rates of `hanok/extract` on this collection: python3 bench/nothing-found/run.py target/release/hanok [-v]

-v prints each question that came out wrong. Looking at them and then changing the product spends the collection:
what was tuned on is no measure any more.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent


def get(url, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def main(hanok, verbose):
    with tempfile.TemporaryDirectory() as folder:
        command = [hanok, "up", str(HERE / "docs"), "--data", f"{folder}/data", "--bind", "127.0.0.1:0"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            base = server.stdout.readline().split()[-1]
            total = len(list((HERE / "docs").rglob("*.md")))
            for _ in range(300):
                [collection] = get(f"{base}/api/status")["collections"]
                if not collection["indexing"] and collection["indexed"] == total:
                    break
                time.sleep(0.1)
            counts = Counter()
            for line in (HERE / "questions.jsonl").read_text().splitlines():
                ask(base, json.loads(line), counts, verbose)
        finally:
            server.terminate()
            server.wait()
    for lang in ("en", "ko"):
        print(f"{lang}: answered {counts[lang, 'answered']} of {counts[lang, 'answerable']}, "
              f"held back {counts[lang, 'held back']} of {counts[lang, 'unanswerable']}")


def ask(base, question, counts, verbose):
    messages = [{"role": "user", "content": question["question"]}]
    answer = get(f"{base}/v1/chat/completions", {"model": "hanok/extract", "messages": messages})
    message = answer["choices"][0]["message"]
    sources = [note["url_citation"]["source"] for note in message.get("annotations") or []]
    lang = question["lang"]
    if question["answerable"]:
        counts[lang, "answerable"] += 1
        right = any(source.endswith(question["source"].removeprefix("docs/")) for source in sources)
        counts[lang, "answered"] += right
    else:
        counts[lang, "unanswerable"] += 1
        right = not sources
        counts[lang, "held back"] += right
    if verbose and not right:
        print(question["id"], question["question"], "->", message["content"][:160].replace("\n", " "))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(str(Path(sys.argv[1]).resolve()), "-v" in sys.argv)
