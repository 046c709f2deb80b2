import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import machine  # noqa: E402

PACKAGES = pathlib.Path(os.environ.get("VIGIL_PACKAGES", machine.ROOT / "dist"))
BIN = pathlib.Path(os.environ.get("VIGIL_BIN", machine.ROOT / "build" / "release" / "bin"))


def pytest_sessionstart(session):
    if len(list(PACKAGES.glob("vigil*.deb"))) != 3:
        pytest.exit(f"{PACKAGES} should hold three .deb files: run ./dev package first", returncode=2)


def only(pattern):
    """The one file of this pattern among the packages."""
    found = sorted(PACKAGES.glob(pattern))
    assert len(found) == 1, f"{pattern} in {PACKAGES}: {found}"
    return found[0]


@pytest.fixture(scope="session")
def debs():
    return {name: only(f"{name}_*_amd64.deb") for name in ("vigil", "vigil-agent", "vigil-aggregator")}


@pytest.fixture(scope="session")
def bin_folder():
    return BIN


@pytest.fixture(scope="session")
def packages():
    return PACKAGES


@pytest.fixture(scope="session")
def bootable():
    reason = machine.missing()
    if reason:
        pytest.skip(reason)
    try:
        machine.base()
    except Exception as error:  # no mirror, no room: said, not failed
        pytest.skip(f"no clean Debian could be made: {error}")
