"""What every test starts from: the scripted upstream, and servers that many tests share."""

import os
import shutil

import pytest

from support import BIN, HERE, Hanok, Upstream, all_vendors, hanok, providers

SHARED = HERE.parents[2] / "shared"


def pytest_sessionstart():
    if not BIN.exists():
        pytest.exit(f"no binary at {BIN}; run `cargo xtask test --only python`, or set HANOK_BIN", returncode=1)


@pytest.fixture(scope="session")
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def gateway(upstream, tmp_path_factory):
    """A server over the scripted upstream, with no documents."""
    server = Hanok(tmp_path_factory.mktemp("gateway"), providers(upstream)).start()
    yield server
    server.stop()


@pytest.fixture
def forgetful(upstream):
    """The upstream with nothing remembered."""
    upstream.forget()
    return upstream


@pytest.fixture(scope="session")
def all_day_vendors():
    vendors = Upstream("vendors.py")
    yield vendors
    vendors.stop()


@pytest.fixture
def vendors(all_day_vendors):
    """The scripted vendors with nothing remembered. No client's key may ever come to them."""
    all_day_vendors.forget()
    yield all_day_vendors
    for request in all_day_vendors.requests():
        assert "sk-of-the-client" not in str(request), f"a client's key went to the vendor: {request}"


@pytest.fixture(scope="session")
def house(all_day_vendors, tmp_path_factory):
    """A server over every scripted vendor."""
    server = Hanok(tmp_path_factory.mktemp("house"), all_vendors(all_day_vendors)).start()
    yield server
    server.stop()


def lay_out_library(folder):
    """The test documents and, among them, everything that must never be indexed."""
    docs = folder / "docs"
    shutil.copytree(HERE / "library", docs)
    (docs / ".gitignore").write_text("drafts/\n")
    for name, text in {
        "drafts/plan.md": "The secret gravel quarry moves to Busan.",
        ".env": "GRAVEL_QUARRY_TOKEN=abc",
        "id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\ngravel quarry\n",
        "server.pem": "-----BEGIN PRIVATE KEY-----\ngravel quarry\n",
        "node_modules/lib/readme.md": "The gravel quarry of a dependency.",
        ".hanok/notes.md": "The gravel quarry of the data folder.",
    }.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(text)
    return docs


@pytest.fixture(scope="session")
def library(upstream, tmp_path_factory):
    """A server with the test documents and the scripted upstream."""
    folder = tmp_path_factory.mktemp("library")
    docs = lay_out_library(folder)
    server = Hanok(folder, providers(upstream), paths=["docs"])
    server.docs = docs
    server.start()
    server.until_found("When does the warehouse open?", "opens at seven")
    server.until_found("연차 휴가는 며칠인가요?", "열다섯 날")
    server.until_found("conveyor belt jammed", "pallet strap")
    yield server
    server.stop()


@pytest.fixture
def shared():
    """The folder of data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return SHARED


@pytest.fixture
def run_hanok(tmp_path):
    """Runs a command in a folder of its own."""
    return lambda *args, **more: hanok(*args, **{"cwd": tmp_path, **more})


def pytest_runtest_makereport(item, call):
    """In CI the absence of ../shared is the one reason to skip."""
    if os.environ.get("CI") != "true" or call.excinfo is None or not call.excinfo.errisinstance(pytest.skip.Exception):
        return
    if "../shared" not in str(call.excinfo.value):
        pytest.exit(f"{item.nodeid} skips in CI: {call.excinfo.value}", returncode=1)
