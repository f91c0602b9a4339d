"""What an operator relies on: login, metrics, reload, TLS, the cache, and degradations that are told."""

import concurrent.futures
import http.client
import ipaddress
import json
import re
import signal
import ssl
import threading
import urllib.parse

import openai
import pytest

from clients import Chat, TOOLS
from scenes import ANSWER
from support import Hanok, all_vendors, eventually, hanok, running

LOCKED = """
[[keys]]
name = "root"
key = "env:ROOT_KEY"
"""
ROOT = {"ROOT_KEY": "sk-root-0001"}
ADMIN = {"authorization": "Bearer sk-root-0001"}


# -- login

@pytest.fixture(scope="module")
def locked(all_day_vendors, tmp_path_factory):
    with running(tmp_path_factory.mktemp("login"), all_vendors(all_day_vendors, ["openai"]) + LOCKED, env=ROOT) as server:
        yield server


def form(server, path, cookie=None, **fields):
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": server.url, **({"cookie": cookie} if cookie else {})}
    return server.request("POST", path, urllib.parse.urlencode(fields).encode(), headers=headers)


def cookie_of(reply):
    return reply.headers["set-cookie"].split(";")[0]


def test_pages_ask_who_you_are(locked):
    page = locked.get("/traces?status=error", headers={"accept": "text/html"})
    assert page.status in (302, 303)
    place = urllib.parse.urlsplit(page.headers["location"])
    assert place.path.endswith("login") and "traces" in urllib.parse.unquote(place.query)
    assert locked.get("/login").status == 200
    # Programs are told in JSON.
    assert locked.get("/api/traces").json["error"]["code"] == "missing_api_key"


def test_login_and_logout(locked):
    refused = form(locked, "/login", key="sk-wrong")
    assert refused.status == 401 and "set-cookie" not in refused.headers
    let_in = form(locked, "/login", key="sk-root-0001", next="traces")
    assert let_in.status == 303 and let_in.headers["location"] == "traces"
    flags = let_in.headers["set-cookie"]
    assert "HttpOnly" in flags and "SameSite=Strict" in flags and "sk-root" not in flags
    cookie = cookie_of(let_in)
    page = locked.get("/keys", headers={"cookie": cookie})
    assert page.status == 200
    csrf = re.search(r'name="csrf"[^>]*value="([^"]+)"', page.text) or re.search(r'value="([^"]+)"[^>]*name="csrf"', page.text)
    assert csrf, "the page's forms carry no token"
    # A form from elsewhere does nothing.
    assert form(locked, "/logout", cookie, csrf="guess").status == 403
    assert locked.get("/keys", headers={"cookie": cookie}).status == 200
    assert form(locked, "/logout", cookie, csrf=csrf[1]).status == 303
    assert locked.get("/keys", headers={"cookie": cookie, "accept": "text/html"}).status in (302, 303)


@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_login_leads_nowhere_else(locked, place):
    assert "evil" not in form(locked, "/login", key="sk-root-0001", next=place).headers["location"]
    assert "javascript" not in form(locked, "/login", key="sk-root-0001", next=place).headers["location"]


def test_a_revoked_key_logs_out(locked):
    key = hanok("keys", "create", "visitor", "--json", cwd=locked.folder, env=ROOT).json
    cookie = cookie_of(form(locked, "/login", key=key["secret"]))
    assert locked.get("/traces", headers={"cookie": cookie}).status == 200
    # Keys are the admins' to make.
    assert form(locked, "/keys", cookie, name="more", csrf="x").status == 403
    hanok("keys", "revoke", "visitor", cwd=locked.folder, env=ROOT)
    assert locked.get("/traces", headers={"cookie": cookie, "accept": "text/html"}).status in (302, 303)


# -- metrics

METRIC = re.compile(r'^([a-z_:]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (-?[0-9.eE+-]+|NaN|\+Inf)$')


def metrics(server, **more):
    """Every sample: name and labels to value; the text's form checked."""
    reply = server.get("/metrics", **more)
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    kinds, samples = {}, {}
    for line in reply.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in kinds, f"{name} is told twice"
            kinds[name] = kind
        elif line and not line.startswith("#"):
            found = METRIC.match(line)
            assert found, line
            base = re.sub("_(bucket|sum|count)$", "", found[1])
            assert found[1] in kinds or kinds.get(base) == "histogram", f"{found[1]} has no type"
            labels = tuple(sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', found[2] or "")))
            assert (found[1], labels) not in samples, line
            samples[found[1], labels] = float(found[3])
    return samples


@pytest.mark.parametrize("stream", [False, True])
def test_page_models_shows_whole_answers_beside_first_tokens(all_day_vendors, tmp_path, stream):
    tables = '[models.mine]\ntargets = ["openai/slow"]\n'
    with running(tmp_path, all_vendors(all_day_vendors, ["openai"]) + tables) as server:
        server.chat("mine", "hi", stream=stream)
        for language, label in [("en", "Seconds, p50 / p95"), ("ko", "소요(초), p50 / p95")]:
            page = server.get("/models", headers={"accept": "text/html", "accept-language": language}).text
            cells = re.findall(rf'data-label="{re.escape(label)}"[^>]*>(.*?)</td>', page, re.S)
            assert cells and re.search(r"\d", cells[0]), cells


def test_metrics(all_day_vendors, tmp_path):
    with running(tmp_path, all_vendors(all_day_vendors, ["openai", "anthropic"]) + '[models.fast]\ntargets = ["openai/text"]\n') as server:
        for stream in (False, True):
            Chat(server.url).ask("openai/usage", "hi", stream=stream)
        Chat(server.url).ask("anthropic/text", "hi")
        server.chat("openai/err-400")

        def total(name, **labels):
            wanted = {(f"gen_ai_{label}", value) for label, value in labels.items()}
            return sum(value for (known, had), value in metrics(server).items() if known == name and wanted <= set(had))

        eventually(lambda: total("gen_ai_client_operation_duration_seconds_count", request_model="usage") == 2, what="two calls")
        of = {"operation_name": "chat", "provider_name": "openai", "request_model": "usage"}
        assert total("gen_ai_client_token_usage_total", token_type="input", **of) == 200
        assert total("gen_ai_client_token_usage_total", token_type="output", **of) == 40
        assert total("gen_ai_server_time_to_first_token_seconds_count", **of) >= 1
        eventually(lambda: total("hanok_errors_total") >= 1, what="the error")
        samples = metrics(server)
        assert samples["hanok_store_up", ()] == 1 and samples["hanok_config_current", ()] == 1
        assert samples["hanok_target_up", (("target", "openai/text"),)] == 1
        buckets = [value for (name, labels), value in samples.items() if name == "gen_ai_client_operation_duration_seconds_bucket"
                   and ("gen_ai_request_model", "usage") in labels]
        assert buckets == sorted(buckets) and buckets[-1] == 2


# -- reload

def alias(vendors, target, more=""):
    return all_vendors(vendors, ["openai", "anthropic"]) + f'[models.front]\ntargets = ["{target}"]\n' + more


@pytest.mark.parametrize("by", ["the file's change", "SIGHUP"])
def test_a_reload_drops_nothing(all_day_vendors, tmp_path, by):
    with running(tmp_path, alias(all_day_vendors, "openai/text")) as server:
        stop, faults, seen = threading.Event(), [], set()

        def caller(stream):
            while not stop.is_set():
                reply = server.chat("front", stream=stream)
                if reply.status != 200 or (stream and reply.events[-1] != "[DONE]"):
                    faults.append(reply.text)
                else:
                    seen.add(said(reply, stream))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            callers = [pool.submit(caller, number % 2 == 0) for number in range(8)]
            eventually(lambda: ANSWER in seen, what="answers of the first")
            (tmp_path / "hanok.toml").write_text(alias(all_day_vendors, "anthropic/usage"))
            if by == "SIGHUP":
                server.process.send_signal(signal.SIGHUP)
            try:
                eventually(lambda: "counted" in seen, what="answers of the second")
            finally:
                stop.set()
        for one in callers:
            one.result()
        assert not faults, faults[:3]
        assert server.chat("front").json["choices"][0]["message"]["content"] == "counted"


def said(reply, stream):
    if stream:
        return "".join(choice["delta"].get("content") or "" for event in reply.events if event != "[DONE]" for choice in event["choices"])
    return reply.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "bad, part",
    [("[models.front]\ntargets = [\n", "hanok.toml"), ('[models.front]\ntargets = ["nobody/x"]\n', "nobody"), ("[modles]\n", "modles")],
)
def test_a_bad_file_keeps_the_old_one_and_says_so(all_day_vendors, tmp_path, bad, part):
    with running(tmp_path, alias(all_day_vendors, "openai/text")) as server:
        (tmp_path / "hanok.toml").write_text(bad)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: metrics(server)["hanok_config_current", ()] == 0, what="the notice")
        assert server.chat("front").json["choices"][0]["message"]["content"] == ANSWER
        doctor = hanok("doctor", "--json", cwd=tmp_path)
        assert doctor.code == 1
        told = [finding["found"] for finding in doctor.json["findings"] if finding["state"] == "problem"]
        assert any(part in text for text in told), told
        assert part in server.stderr
        assert server.get("/").status == 200
        (tmp_path / "hanok.toml").write_text(alias(all_day_vendors, "openai/usage"))
        eventually(lambda: metrics(server)["hanok_config_current", ()] == 1, what="the mended file")
        assert server.chat("front").json["choices"][0]["message"]["content"] == "counted"


def test_a_stop_lets_streams_end(all_day_vendors, tmp_path):
    """SIGTERM: what runs comes to its end, what is new is refused."""
    server = Hanok(tmp_path, all_vendors(all_day_vendors, ["openai"])).start()
    begun = threading.Event()

    def reader():
        text = ""
        for chunk in server.client().chat.completions.create(
            model="openai/slow", messages=[{"role": "user", "content": "word " * 60}], stream=True
        ):
            begun.set()
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
        return text

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader)
        assert begun.wait(10)
        assert server.stop() == 0
        assert reading.result(10) == "word " * 60


# -- TLS

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, signed by itself."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hanok test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder


def test_tls(all_day_vendors, certificate, tmp_path):
    files = f'[server]\ntls_cert = "{certificate}/cert.pem"\ntls_key = "{certificate}/key.pem"\n'
    with running(tmp_path, all_vendors(all_day_vendors, ["openai"]) + files) as server:
        assert any(line.startswith("https://") or "https://" in line for line in server.stdout), server.stdout
        host, port = server.url.removeprefix("http://").split(":")
        trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
        with openai_over_tls(f"https://{host}:{port}/v1", trusting) as client:
            answer = client.chat.completions.create(model="openai/text", messages=[{"role": "user", "content": "hi"}])
            assert answer.choices[0].message.content == ANSWER
            stream = client.chat.completions.create(model="openai/text", messages=[{"role": "user", "content": "hi"}], stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
        # Who does not speak TLS is not answered, and disturbs nobody.
        plain = http.client.HTTPConnection(host, int(port), timeout=5)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            plain.request("GET", "/healthz")
            answer = plain.getresponse()
            assert answer.status >= 400
            raise ConnectionError
        secure = http.client.HTTPSConnection(host, int(port), timeout=5, context=trusting)
        secure.request("GET", "/healthz")
        assert secure.getresponse().status == 200
        # Commands beside it find it, too.
        assert hanok("trace", "ls", "--json", cwd=tmp_path).code == 0


def openai_over_tls(url, context):
    import httpx2

    return openai.OpenAI(base_url=url, api_key="any", max_retries=0, http_client=httpx2.Client(verify=context))


def test_tls_files_that_are_none(tmp_path):
    (tmp_path / "cert.pem").write_text("nonsense")
    for files in ('tls_cert = "cert.pem"', 'tls_cert = "cert.pem"\ntls_key = "cert.pem"', 'tls_cert = "no.pem"\ntls_key = "no.pem"'):
        (tmp_path / "hanok.toml").write_text(f"[server]\n{files}\n")
        ran = hanok("up", "--bind", "127.0.0.1:0", cwd=tmp_path)
        assert ran.code == 1 and ("tls" in ran.err or ".pem" in ran.err), ran.err


# -- the cache

@pytest.fixture(scope="module")
def caching(all_day_vendors, tmp_path_factory):
    config = all_vendors(all_day_vendors, ["openai", "anthropic"]) + """
[models.kept]
targets = ["openai/echo"]
cache = "10m"

[models.across]
targets = ["anthropic/echo"]
cache = "10m"

[models.broken]
targets = ["openai/flaky"]
cache = "10m"
retries = 0
"""
    with running(tmp_path_factory.mktemp("cache"), config) as server:
        yield server


@pytest.mark.parametrize("model", ["kept", "across"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_same_request_is_answered_once(caching, vendors, model, stream):
    text = f"the same {model} {stream}"
    first = caching.chat(model, text, stream=stream)
    assert first.headers["x-hanok-cache"] == "miss"
    second = eventually(lambda: (r := caching.chat(model, text, stream=stream)).headers["x-hanok-cache"] == "hit" and r, what="a hit")
    assert second.headers["x-hanok-cache-trace-id"] == first.headers["x-hanok-trace-id"]
    assert said(second, stream) == said(first, stream) == text
    assert second.headers["content-type"] == first.headers["content-type"]
    assert caching.chat(model, text + "!", stream=stream).headers["x-hanok-cache"] == "miss"
    assert len(vendors.requests()) == 2
    trace = caching.trace(second.headers["x-hanok-trace-id"])
    assert any(span["attributes"].get("hanok.cache") == "hit" for span in trace["spans"])
    assert not any(span["attributes"].get("hanok.cost_usd") for span in trace["spans"]), "a hit costs nothing"


def test_faults_are_not_kept(caching, vendors):
    for _ in range(2):
        assert caching.chat("broken", "fault=500").status == 502
    for _ in range(2):
        reply = caching.chat("broken", "fault=cut-clean and some more words", stream=True)
        assert "error" in reply.events[-1] or "error" in reply.events[-2]
    assert len(vendors.requests()) == 4


def test_models_without_a_cache_say_nothing_of_it(caching):
    assert "x-hanok-cache" not in caching.chat("openai/echo").headers


# -- what a target cannot do

@pytest.fixture(scope="module")
def careful(all_day_vendors, tmp_path_factory):
    models = "".join(
        f'[models.careful-{name}]\ntargets = ["{name}/text"]\nstrict = true\n\n[models.easy-{name}]\ntargets = ["{name}/text"]\n'
        for name in ("anthropic", "gemini", "ollama", "responses", "openai")
    )
    with running(tmp_path_factory.mktemp("careful"), all_vendors(all_day_vendors) + models) as server:
        yield server


# A wish, and who cannot meet it.
WISHES = [
    ({"logit_bias": {"50256": -100}}, ["anthropic", "gemini", "ollama", "responses"], "logit_bias"),
    ({"presence_penalty": 0.5}, ["anthropic", "responses"], "presence_penalty"),
    ({"seed": 7}, ["anthropic", "responses"], "seed"),
    ({"logprobs": True}, ["anthropic", "ollama"], "logprobs"),
    ({"tools": [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in TOOLS.items()],
      "tool_choice": "required"}, ["ollama"], "tool_choice"),
]


@pytest.mark.parametrize("wish, unable, word", WISHES, ids=[word for *_, word in WISHES])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_left_out_is_told_or_refused(careful, vendors, wish, unable, word, stream):
    for name in unable:
        easy = careful.chat(f"easy-{name}", stream=stream, **wish)
        assert easy.status == 200, easy.text
        assert word in easy.headers.get("x-hanok-warnings", ""), (name, easy.headers)
        trace = careful.trace(easy.headers["x-hanok-trace-id"], spans=2)
        assert word in json.dumps(trace), f"{name}: the trace does not tell"
        vendors.forget()
        strict = careful.chat(f"careful-{name}", stream=stream, **wish)
        assert strict.status in (400, 422, 501) and word in strict.json["error"]["message"], (name, strict.status, strict.text)
        assert not vendors.requests(), f"{name} was asked all the same"


def test_nothing_is_left_out_where_nothing_need_be(careful):
    for name in ("anthropic", "gemini", "ollama", "responses", "openai"):
        reply = careful.chat(f"careful-{name}", temperature=0.5, top_p=0.9, stop=["END"], max_tokens=50)
        if name == "responses":
            continue  # has no `stop`
        assert reply.status == 200, (name, reply.text)
        assert "x-hanok-warnings" not in reply.headers, (name, reply.headers)
