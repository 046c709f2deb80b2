import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import BIN, HttpSink, MailSink, Vigil  # noqa: E402


def pytest_sessionstart(session):
    missing = [name for name in ("vigil", "vigil-agent", "vigil-aggregator") if not (BIN / name).exists()]
    if missing:
        pytest.exit(f"{BIN} lacks {', '.join(missing)}: run ./dev build first", returncode=2)


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
