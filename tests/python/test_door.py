"""Who may come in."""

import openai
import pytest

from support import eventually, free_port, hanok, providers, running

KEYS = """
[[keys]]
name = "alice"
key = "env:ALICE_KEY"
"""
ALICE = {"ALICE_KEY": "sk-alice-1"}


def ask(text):
    return [{"role": "user", "content": text}]


PATHS = ["/", "/v1/models", "/api/traces"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:4141", "127.0.0.1.evil.example"])
def test_a_foreign_host_is_refused(gateway, path, host):
    assert gateway.get(path, headers={"host": host}).status == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:1", "null"])
def test_a_foreign_page_may_not_spend_money(gateway, forgetful, origin):
    body = {"model": "fast", "messages": ask("x")}
    reply = gateway.post("/v1/chat/completions", body, headers={"origin": origin})
    assert reply.status == 403
    assert "access-control-allow-origin" not in reply.headers
    assert not forgetful.requests()
    assert gateway.post("/api/search", {"query": "x"}, headers={"origin": origin}).status == 403


def test_the_servers_own_pages_may(gateway):
    body = {"model": "fast", "messages": ask("x")}
    assert gateway.post("/v1/chat/completions", body, headers={"origin": gateway.url}).status == 200
    port = gateway.url.rsplit(":", 1)[1]
    local = {"host": f"localhost:{port}", "origin": f"http://localhost:{port}"}
    assert gateway.post("/v1/chat/completions", body, headers=local).status == 200


def test_with_no_keys_any_token_will_do(gateway):
    for headers in ({}, {"authorization": "Bearer anything"}, {"x-api-key": "anything"}):
        assert gateway.post("/v1/chat/completions", {"model": "fast", "messages": ask("x")}, headers=headers).status == 200


@pytest.fixture(scope="module")
def locked(upstream, tmp_path_factory):
    with running(tmp_path_factory.mktemp("locked"), providers(upstream, KEYS), env=ALICE) as server:
        yield server


def test_a_right_key_opens(locked):
    for headers in ({"authorization": "Bearer sk-alice-1"}, {"x-api-key": "sk-alice-1"}):
        reply = locked.post("/v1/chat/completions", {"model": "fast", "messages": ask("x")}, headers=headers)
        assert reply.status == 200, reply.text
        assert locked.get("/v1/models", headers=headers).status == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-alice-2"}, {"x-api-key": ""}])
def test_a_wrong_key_does_not(locked, headers):
    for reply in (
        locked.post("/v1/chat/completions", {"model": "fast", "messages": ask("x")}, headers=headers),
        locked.get("/v1/models", headers=headers),
        locked.get("/api/traces", headers=headers),
        locked.post("/api/search", {"query": "x"}, headers=headers),
    ):
        assert reply.status == 401, reply.text
        assert reply.json["error"]["message"]


def test_the_client_sees_it_as_an_authentication_error(locked):
    with pytest.raises(openai.AuthenticationError):
        locked.client().models.list()


def test_no_secret_is_shown(locked):
    key = {"authorization": "Bearer sk-alice-1"}
    reply = locked.post("/v1/chat/completions", {"model": "fast", "messages": ask("x")}, headers=key)
    trace_id = reply.headers["x-hanok-trace-id"]

    trace = eventually(lambda: (r := locked.get(f"/api/traces/{trace_id}", headers=key)).status == 200 and r.text)
    assert "sk-alice-1" not in trace and "alice" in trace
    assert "sk-alice-1" not in locked.stderr


def test_other_machines_are_let_in_only_with_a_key(upstream, tmp_path):
    (tmp_path / "hanok.toml").write_text(providers(upstream))
    refused = hanok("up", "--bind", f"0.0.0.0:{free_port()}", cwd=tmp_path)
    assert refused.code == 1
    assert "key" in refused.err
    with running(tmp_path / "b", providers(upstream, KEYS), env=ALICE, bind=f"0.0.0.0:{free_port()}") as server:
        assert server.get("/healthz").status == 200
        assert server.get("/v1/models").status == 401


def test_a_key_whose_variable_is_missing_is_told(tmp_path):
    (tmp_path / "hanok.toml").write_text(KEYS)
    refused = hanok("up", "--bind", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert refused.code == 1
    assert "ALICE_KEY" in refused.err
