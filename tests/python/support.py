"""Starts the built binary and the scripted upstream, and asks them things without a client library."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(os.environ.get("HANOK_BIN") or HERE.parents[1] / "target/debug/hanok").resolve()
# Of the machine's environment only this much reaches a child; no key of the developer's, no proxy.
KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE")
MOCK_KEY = "sk-mock-0123456789-secret"


def environment(**more):
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "MOCK_KEY": MOCK_KEY, **more}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def eventually(look, timeout=10.0, what="what was waited for"):
    """The first truthy value of `look()`. Asks again and again, since what it waits for has no event of its own."""
    deadline = time.monotonic() + timeout
    while True:
        value = look()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come within {timeout} s; last: {value!r}"
        time.sleep(0.02)


class Reply:
    """An HTTP answer, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    @property
    def events(self):
        """The payloads of a stream of server-sent events, parsed, `[DONE]` as the text it is."""
        found = []
        for line in self.text.splitlines():
            if line.startswith("data:"):
                payload = line.removeprefix("data:").strip()
                found.append(payload if payload == "[DONE]" else json.loads(payload))
        return found


def http_request(url, method, path, body=None, headers=None, timeout=60):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        # An iterator is sent in chunks, without a length.
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=False).encode()
        given = {"content-type": "application/json"} if body is not None else {}
        # A server that will not read on says so in its answer.
        with contextlib.suppress(BrokenPipeError):
            connection.request(method, path, body, {**given, **(headers or {})})
        return Reply(connection.getresponse())
    finally:
        connection.close()


class Upstream:
    """A scripted upstream as a process of its own."""

    def __init__(self, script="upstream.py"):
        self.process = subprocess.Popen(
            [sys.executable, HERE / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def forget(self):
        http_request(self.url, "DELETE", "/_requests")

    def requests(self):
        """What arrived since the last `forget`: dicts with `path`, `headers` and the very bytes of `body`."""
        kept = http_request(self.url, "GET", "/_requests").json
        return [{**request, "body": base64.b64decode(request["body"])} for request in kept]

    def stop(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def providers(upstream, extra=""):
    """The configuration most tests run under."""
    return f"""
[providers.mock]
dialect = "openai-chat"
base_url = "{upstream.url}/v1"
key = "env:MOCK_KEY"

[models.fast]
targets = ["mock/echo"]

{extra}
"""


# Each scripted vendor: the provider's name here, its dialect, and where `vendors.py` has it.
VENDORS = {
    "openai": ("openai-chat", "/openai/v1"),
    "responses": ("openai-responses", "/responses/v1"),
    "anthropic": ("anthropic-messages", "/anthropic/v1"),
    "gemini": ("gemini", "/gemini/v1beta"),
    "ollama": ("ollama", "/ollama/api"),
    "azure": ("openai-chat", "/azure"),
}


def all_vendors(vendors, names=VENDORS, more=""):
    """The configuration of providers over `vendors.py`; `more` goes into each table."""
    tables = []
    for name in names:
        dialect, path = VENDORS[name]
        known = {"azure": 'vendor = "azure"\napi_version = "2024-10-21"', "anthropic": 'vendor = "anthropic"'}
        kind = known.get(name, f'dialect = "{dialect}"')
        tables.append(f'[providers.{name}]\n{kind}\nbase_url = "{vendors.url}{path}"\nkey = "env:MOCK_KEY"\n{more}\n')
    return "\n".join(tables)


class Hanok:
    """`hanok up` in a folder of its own. The data folder is `<folder>/.hanok`."""

    def __init__(self, folder, config="", paths=(), args=(), env=None, bind=None, stderr=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if config:
            (self.folder / "hanok.toml").write_text(config)
        self.data = self.folder / ".hanok"
        self.paths = [str(path) for path in paths]
        self.args = list(args)
        self.env = environment(**(env or {}))
        self.bind = bind
        # Where its log goes instead of `<folder>/stderr.log`.
        self.stderr_to = stderr
        self.process = None
        self.stdout = []

    def start(self, wait=True):
        bind = self.bind or f"127.0.0.1:{free_port()}"
        self.url = f"http://{bind}"
        self.errors = open(self.folder / "stderr.log", "ab")
        self.stdout = []
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [BIN, "up", *self.paths, "--bind", bind, *self.args],
            cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.stderr_to or self.errors,
            # Python ignores SIGXFSZ, and so must a server whose file sizes a test limits.
            restore_signals=False,
        )
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            if not self.ready.wait(30) or not self.stdout:
                self.process.kill()
                raise AssertionError(f"hanok up was not ready; it said:\n{self.stderr}")
            self.time_to_ready = time.monotonic() - self.started
        return self

    def _read(self):
        for line in self.process.stdout:
            self.stdout.append(line.decode().rstrip("\n"))
            self.ready.set()
        self.ready.set()

    @property
    def stderr(self):
        return (self.folder / "stderr.log").read_text(errors="replace")

    def kill(self):
        """As if the power went: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self._gone()

    def stop(self, by=signal.SIGTERM):
        """As a service manager does; gives the exit code."""
        if self.process is None or self.process.poll() is not None:
            return self._gone() if self.process else None
        self.process.send_signal(by)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"hanok up did not stop within 15 s of {by.name}; it said:\n{self.stderr}") from None
        finally:
            self._gone()
        return self.process.returncode

    def _gone(self):
        self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
        self.errors.close()
        return self.process.returncode

    def request(self, method, path, body=None, **more):
        return http_request(self.url, method, path, body, **more)

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def chat(self, model, text="hello", **more):
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return self.post("/v1/chat/completions", body)

    def client(self, path="/v1", **more):
        import openai

        return openai.OpenAI(base_url=self.url + path, api_key="any", max_retries=0, timeout=60, **more)

    def search(self, query, collection="default", top_k=5):
        reply = self.post("/api/search", {"query": query, "collection": collection, "top_k": top_k})
        return reply.json["hits"] if reply.status == 200 else []

    def until_found(self, query, part, **more):
        """The hits for `query` once one of them holds `part`."""

        def look():
            hits = self.search(query, **more)
            return hits if any(part in hit["text"] for hit in hits) else None

        return eventually(look, 30, f"a hit for {query!r} that holds {part!r}")

    def until_gone(self, query, part):
        eventually(
            lambda: not any(part in hit["text"] for hit in self.search(query)), 30, f"{part!r} to be gone from the index"
        )

    def trace(self, trace_id, spans=1):
        """A trace once it has been recorded with at least so many spans."""

        def look():
            reply = self.get(f"/api/traces/{trace_id}")
            return reply.json if reply.status == 200 and len(reply.json["spans"]) >= spans else None

        return eventually(look, what=f"trace {trace_id} with {spans} spans")

    def traces(self, **query):
        reply = self.get("/api/traces?" + urllib.parse.urlencode(query))
        assert reply.status == 200, reply.text
        return reply.json


class Ran:
    """A command that came to its end."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    @property
    def json(self):
        """The one JSON document on stdout; anything beside it is a fault."""
        return json.loads(self.out)


def hanok(*args, cwd, env=None, timeout=60, stdin=b""):
    done = subprocess.run(
        [BIN, *map(str, args)], cwd=cwd, env=environment(**(env or {})), input=stdin, capture_output=True, timeout=timeout
    )
    return Ran(done)


def by_operation(trace, operation):
    """The spans of one operation, oldest first."""
    return [span for span in trace["spans"] if span["attributes"].get("gen_ai.operation.name") == operation
            or span["attributes"].get("hanok.operation") == operation]


def url_in(line):
    found = re.search(r"http://[0-9.]+:\d+", line)
    assert found, f"no URL in {line!r}"
    return found.group()


@contextlib.contextmanager
def running(*args, **more):
    server = Hanok(*args, **more).start()
    try:
        yield server
    finally:
        server.stop()
