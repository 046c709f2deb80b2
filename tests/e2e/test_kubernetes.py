"""The DaemonSet as it is shipped: what its manifest and its first lines say, played with the shipped programs, two nodes long."""

import re
import shlex
import shutil
import stat
import subprocess

import pytest
from support import BIN, LOOPBACK, ROOT, Process, eventually
from test_identity import Fleet

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

MANIFEST = ROOT / "packaging/kubernetes/vigil-agent.yml"


class Node:
    """One that runs the pod: volumes are folders here, and what is in the manifest stands as it is."""

    def __init__(self, fleet, name, secret):
        self.fleet, self.name = fleet, name
        self.config_map, daemon_set = yaml.safe_load_all(MANIFEST.read_text())
        self.pod = daemon_set["spec"]["template"]["spec"]
        self.folder = fleet.folder / name
        self.volumes = {}
        for volume in self.pod["volumes"]:
            self.volumes[volume["name"]] = self.folder / volume["name"]
            if "secret" in volume and secret is not None:
                self.put_secret(volume, secret)
            elif "configMap" in volume:
                self.volumes[volume["name"]].mkdir(parents=True)
                for file, text in self.config_map["data"].items():
                    (self.volumes[volume["name"]] / file).write_text(text)
            elif volume["hostPath"]["path"] in ("/proc", "/sys", "/") if "hostPath" in volume else False:
                self.volumes[volume["name"]] = volume["hostPath"]["path"]
            else:
                self.volumes[volume["name"]].mkdir(parents=True)

    def put_secret(self, volume, secret):
        """As the kubelet does: files with the mode that is said, behind links to what can be exchanged at once."""
        folder = self.volumes[volume["name"]]
        if folder.exists():
            shutil.rmtree(folder)
        (folder / "..data").mkdir(parents=True)
        (folder / "..data" / secret.name).write_bytes(secret.read_bytes())
        (folder / "..data" / secret.name).chmod(volume["secret"]["defaultMode"])
        (folder / secret.name).symlink_to(f"..data/{secret.name}")

    def command(self, container):
        """The container's own arguments, with its mounts where the volumes are."""
        mounts = sorted(container["volumeMounts"], key=lambda mount: -len(mount["mountPath"]))

        def here(text):
            for mount in mounts:
                text = re.sub(rf"(?<![\w/.-]){re.escape(mount['mountPath'])}(?=[/,}} ]|$)", str(self.volumes[mount["name"]]), text)
            return text

        for file, text in self.config_map["data"].items():
            (self.volumes["config"] / file).write_text(here(text))
        environment = {each["name"]: here(each["value"]) if "value" in each else self.name for each in container["env"]}
        fields = [each["valueFrom"]["fieldRef"]["fieldPath"] for each in container["env"] if "valueFrom" in each]
        assert fields == ["spec.nodeName"], "what this node's name stands for"
        return [here(re.sub(r"\$\((\w+)\)", lambda found: environment[found.group(1)], arg)) for arg in container["args"]], environment

    def enroll(self):
        args, environment = self.command(self.pod["initContainers"][0])
        return subprocess.run([BIN / "vigil-agent", *args], env=environment, capture_output=True, text=True, timeout=60)

    def agent(self):
        args, environment = self.command(self.pod["containers"][0])
        return self.fleet.vigil.adopt(Process([BIN / "vigil-agent", *args], self.folder / f"agent-{len(self.fleet.vigil.processes)}.log", environment))

    @property
    def identity(self):
        return self.volumes["state"] / "identity.pem"


@pytest.fixture
def fleet(vigil):
    return Fleet(vigil)


def invited(fleet, pattern):
    """The secret's file, by the first command of the manifest, with this aggregator's address and names of nodes."""
    line = next(line for line in MANIFEST.read_text().splitlines() if "vigil agent invite" in line)
    args = shlex.split(line.removeprefix("#"))[1:]
    assert "--name-pattern" in args and "--out" in args
    file = fleet.folder / "secret" / args[args.index("--out") + 1]
    file.parent.mkdir(exist_ok=True)
    args[args.index("--out") + 1] = str(file)
    args[args.index("--name-pattern") + 1] = pattern
    args[args.index("--address") + 1] = fleet.vigil.grpc
    said = fleet.cli(*args)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = re.search(r"^token: (\w{40})$", file.read_text(), re.MULTILINE).group(1)
    assert token not in said.stdout + said.stderr
    assert f"--from-file={file.name}" in MANIFEST.read_text(), "the secret's key is the file's name"
    return file, token


def invitation_of(fleet):
    return next(each for each in fleet.json("agent", "list") if each["state"] == "invited")


def test_nodes_enroll_themselves_and_deliver(fleet):
    secret, token = invited(fleet, "node-*")
    for name in ("node-1", "node-2"):
        node = Node(fleet, name, secret)
        said = node.enroll()
        assert said.returncode == 0 and f"enrolled as {name}" in said.stdout, said
        assert stat.S_IMODE(node.identity.stat().st_mode) == 0o600
        node.agent().wait_for("delivery: connected")
        fleet.wait_for_host(name)
        before = node.identity.read_bytes()
        again = node.enroll()  # the pod starts anew
        assert again.returncode == 0 and f"enrolled already, as {name}" in again.stdout, again
        assert node.identity.read_bytes() == before
    assert invitation_of(fleet)["used"] == "2 of any number"
    assert token not in (fleet.folder / "aggregator.log").read_text()
    enrolled = [each for each in fleet.json("audit", "--what", "host.enroll")]
    assert [each["object"] for each in enrolled] == ["node-1", "node-2"] and len({each["who"] for each in enrolled}) == 1


def test_a_name_in_use_is_not_taken_over_and_a_lost_identity_comes_back_when_somebody_says_so(fleet):
    secret, _ = invited(fleet, "node-*")
    node = Node(fleet, "node-1", secret)
    assert node.enroll().returncode == 0
    agent = node.agent()
    agent.wait_for("delivery: connected")
    node.identity.rename(node.folder / "lost")
    refused = node.enroll()
    assert refused.returncode == 1 and "vigil agent readmit node-1" in refused.stderr, refused
    assert not node.identity.exists() and agent.child.poll() is None

    assert "1 certificate" in fleet.cli("agent", "readmit", "node-1").stdout
    again = node.enroll()
    assert again.returncode == 0 and "enrolled as node-1" in again.stdout, again
    states = [each["state"] for each in fleet.json("agent", "list", "--all") if each["name"] == "node-1"]
    assert sorted(states) == ["good", "revoked"]
    fleet.cli("agent", "readmit", "node-2", check=False).stderr.index("ever enrolled")


def test_a_revoked_node_does_not_come_back_by_the_same_secret(fleet):
    secret, _ = invited(fleet, "node-*")
    node = Node(fleet, "node-1", secret)
    assert node.enroll().returncode == 0
    fleet.cli("agent", "revoke", "node-1")
    refused = node.enroll()
    assert refused.returncode == 1 and "was revoked at" in refused.stderr and "vigil agent readmit node-1" in refused.stderr, refused
    assert "enrolls anew: the certificate of node-1 was revoked" in refused.stdout
    stranger = Node(fleet, "db-1", secret)
    assert "names are like node-*" in stranger.enroll().stderr
    fleet.cli("agent", "revoke", "--invitation", invitation_of(fleet)["invitation"])
    late = Node(fleet, "node-2", secret).enroll()
    assert late.returncode == 1 and "the invitation was revoked" in late.stderr, late
    assert fleet.json("agent", "list") == []


def test_a_disk_that_was_cloned_gets_a_name_of_its_own_and_a_node_without_the_secret_says_what_it_lacks(fleet):
    secret, _ = invited(fleet, "node-*")
    first = Node(fleet, "node-1", secret)
    assert first.enroll().returncode == 0
    clone = Node(fleet, "node-2", secret)
    shutil.copy(first.identity, clone.identity)
    said = clone.enroll()
    assert said.returncode == 0 and "is that of node-1" in said.stdout and "enrolled as node-2" in said.stdout, said
    assert sorted(each["name"] for each in fleet.json("agent", "list") if each["state"] == "good") == ["node-1", "node-2"]

    bare = Node(fleet, "node-3", None)
    refused = bare.enroll()
    assert refused.returncode != 0 and "invitation/invitation" in refused.stderr, refused
    open_file = bare.volumes["invitation"] / "invitation"
    open_file.write_bytes(secret.read_bytes())
    open_file.chmod(0o644)
    refused = bare.enroll()
    assert refused.returncode != 0 and "everybody may read this invitation" in refused.stderr, refused


def test_nodes_go_on_while_the_aggregator_is_away(fleet):
    secret, _ = invited(fleet, "node-*")
    node = Node(fleet, "node-1", secret)
    assert node.enroll().returncode == 0
    fleet.vigil.aggregator.stop()
    said = node.enroll()
    assert said.returncode == 0 and "enrolled already" in said.stdout, said
