"""OCI image layouts, by the tools of those who would run them, and the Compose file that says how."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

import pytest
import yaml

from machine import ROOT, eventually
from tools import PROGRAMS, flags_of, needs, one, run

SERVICES = yaml.safe_load((ROOT / "packaging/compose/compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_layout_is_whole(packages, name, tmp_path):
    file = one(packages, f"{name}_*_oci.tar")
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    blob = lambda of: (tmp_path / "blobs" / "sha256" / of["digest"].removeprefix("sha256:")).read_bytes()
    manifest = json.loads(blob(index["manifests"][0]))
    for part in (index["manifests"][0], manifest["config"], *manifest["layers"]):
        assert len(blob(part)) == part["size"]
        assert "sha256:" + hashlib.sha256(blob(part)).hexdigest() == part["digest"]
    assert json.loads(blob(manifest["config"]))["config"]["Entrypoint"] == [f"/usr/bin/{name}"]
    needs("skopeo")
    seen = json.loads(run("skopeo", "inspect", f"oci:{tmp_path}"))
    assert seen["Architecture"] == "amd64" and seen["Labels"]["org.opencontainers.image.title"] == name


@pytest.fixture(scope="module")
def docker(packages):
    """The docker command of an Engine that has the three images, and the tag of each."""
    if os.geteuid() != 0:
        pytest.skip("starting a Docker Engine needs root")
    needs("dockerd")
    needs("docker")
    sys.path.insert(0, str(ROOT / "tests" / "e2e" / "docker"))
    from docker_engine import Engine
    images = {name: one(packages, f"{name}_*_oci.tar") for name in PROGRAMS}
    with tempfile.TemporaryDirectory(prefix="vigil-oci-") as folder:
        engine = Engine(folder)
        try:
            engine.start()
            docker = ["docker", "-H", f"unix://{engine.socket}"]
            eventually("the Engine answers", lambda: subprocess.run([*docker, "info"], capture_output=True).returncode == 0)
            tags = {name: re.search(r"Loaded image: (\S+)", run(*docker, "load", "-i", file)).group(1) for name, file in images.items()}
            yield docker, tags
        finally:
            engine.stop()


def test_docker_runs_each_image(docker):
    command, tags = docker
    for name, tag in tags.items():
        assert tag.startswith(name + ":")
        assert run(*command, "run", "--rm", "--net=none", tag, "--version").startswith(name + " ")
    # The reader of container engines is in the agent's, for a container of its own.
    assert run(*command, "run", "--rm", "--net=none", "--entrypoint", "/usr/bin/vigil-docker-reader", tags["vigil-agent"], "--version").startswith("vigil-docker-reader ")


def test_the_agent_in_its_image_sees_the_host(docker):
    command, tags = docker
    seen = run(*command, "run", "--rm", "--net=host", "--pid=host", "--read-only", "--cap-drop=ALL", "-v", "/proc:/host/proc:ro", "-v", "/sys:/host/sys:ro",
               "-v", "/:/host/root:ro", tags["vigil-agent"], "--once", "--path.procfs", "/host/proc", "--path.sysfs", "/host/sys", "--path.rootfs", "/host/root")
    assert "\nnode_load1 " in seen and '\nnode_filesystem_size_bytes{device="' in seen and 'mountpoint="/"' in seen


# ---------------------------------------------------------------------------------------------------------- Compose


def test_the_compose_file_mounts_what_its_agent_looks_at(bin_folder):
    agent = SERVICES["agent"]
    targets = [volume.split(":")[1] for volume in agent["volumes"]]
    command = dict(zip(agent["command"][::2], agent["command"][1::2]))
    assert set(command) <= flags_of(bin_folder / "vigil-agent")
    assert all(path in targets for path in command.values())
    for name, service in SERVICES.items():
        assert service["image"].startswith(f"vigil-{name}:") and service["cap_drop"] == ["ALL"] and service["read_only"]


def as_docker_run(name, service, network):
    """What Compose makes of a service, as a command; every key that is used must be known here. The network is one of the test's."""
    flags = ["--detach", "--name", name]
    how = {
        "restart": lambda value: ["--restart", value],
        "network_mode": lambda value: network,
        "pid": lambda value: ["--pid", value],
        "read_only": lambda value: ["--read-only"],
        "cap_drop": lambda value: [f"--cap-drop={each}" for each in value],
        "security_opt": lambda value: [f"--security-opt={each}" for each in value],
        "environment": lambda value: [f"--env={key}={each}" for key, each in value.items()],
        # A host's root whose mounts travel on needs one that is shared, which the test's host may not have.
        "volumes": lambda value: [f"--volume={each.replace(',rslave', '')}" for each in value],
        "stop_grace_period": lambda value: [],
        "depends_on": lambda value: [],
    }
    for key, value in service.items():
        if key not in ("image", "command"):
            flags += how[key](value)
    return [*flags, service["image"], *service.get("command", [])]


def test_the_compose_files_two_services_watch_their_host(docker):
    command, tags = docker
    assert {service["image"] for service in SERVICES.values()} <= set(tags.values())
    # A loopback of its own instead of the machine's, where somebody else may listen.
    run(*command, "run", *as_docker_run("aggregator", SERVICES["aggregator"], ["--net=none"]))
    run(*command, "run", *as_docker_run("agent", SERVICES["agent"], ["--net=container:aggregator"]))
    try:
        inside = lambda *arguments: json.loads(run(*command, "exec", "aggregator", "vigil", *arguments, "-o", "json"))
        eventually("the host is up", lambda: [host["state"] for host in inside("hosts")] == ["up"])
        eventually("what the host has", lambda: inside("query", 'node_filesystem_size_bytes{mountpoint="/"}') and inside("query", "node_load1"))
    finally:
        run(*command, "rm", "--force", "agent", "aggregator")
