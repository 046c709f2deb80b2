import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import BIN, HttpSink, MailSink, Vigil  # noqa: E402


def pytest_sessionstart(session):
    missing = [name for name in ("vigil", "vigil-agent", "vigil-aggregator") if not (BIN / name).exists()]
    if missing:
        pytest.exit(f"{BIN} lacks {', '.join(missing)}: run ./dev build first", returncode=2)


# Files that run in one process, one after the other, when there are several processes: they would disturb each other.
TOGETHER = {"test_docker.py": "engines", "test_podman.py": "engines", "test_grafana.py": "engines",  # each starts an engine of containers
            "test_network.py": "figures", "test_node_exporter.py": "figures"}  # a thousand connections, and two readings that must agree
FIRST = ["test_torture.py"]  # takes longest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: item.path.name not in FIRST)
    if config.pluginmanager.hasplugin("xdist"):  # each file, or those together, in one process
        for item in items:
            item.add_marker(pytest.mark.xdist_group(TOGETHER.get(item.path.name, item.path.stem)))


@pytest.fixture
def vigil(tmp_path, request):
    for receiver in ("sink", "mail"):  # set up before it, so that they are still there when it stops
        if receiver in request.fixturenames:
            request.getfixturevalue(receiver)
    system = Vigil(tmp_path)
    yield system
    system.close()


@pytest.fixture
def sink():
    server = HttpSink()
    yield server
    server.close()


@pytest.fixture
def mail(tmp_path):
    pytest.importorskip("aiosmtpd", reason="python3-aiosmtpd is not installed")
    server = MailSink(tmp_path)
    yield server
    server.close()
