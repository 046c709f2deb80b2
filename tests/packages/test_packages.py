"""What the packages hold, without installing them: by the tools of those who would take them."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile

import pytest
import yaml

from machine import ROOT, eventually
from tools import PROGRAMS, commands_of, flags_of, names_below, needs, one, run


@pytest.fixture(scope="module")
def laid_out(debs, tmp_path_factory):
    """The files of all three packages in one root."""
    root = tmp_path_factory.mktemp("root")
    for deb in debs.values():
        run("dpkg-deb", "-x", deb, root)
    return root


# ------------------------------------------------------------------------------------------------------------- .deb


def test_lintian_finds_no_error_and_no_warning(debs):
    needs("lintian")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *debs.values()], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_older_package_knows_the_format_of_every_file_that_lasts(debs, tmp_path):
    run("dpkg-deb", "-e", debs["vigil-aggregator"], tmp_path / "control")
    known = re.search(r"for known in (.*); do", (tmp_path / "control/preinst").read_text())[1].split()
    names = {name for name, _, number in (each.partition("=") for each in known) if int(number) >= 1}
    assert {"meta", "history", "access", "identity/identity", "raw-", "minute-", "hour-"} <= names


def test_what_the_programs_need_is_what_the_packages_ask_for(debs):
    depends = {name: run("dpkg-deb", "-f", deb, "Depends") for name, deb in debs.items()}
    for text in depends.values():
        assert "libc6 (>= 2.36)" in text
    assert "libsqlite3-0" in depends["vigil-aggregator"] and "libcurl4" in depends["vigil-aggregator"]
    assert "libsqlite3-0" not in depends["vigil-agent"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_man_page_names_every_flag_and_command_and_is_sound(laid_out, bin_folder, program):
    page, section = PROGRAMS[program].rsplit(".", 1)
    file = laid_out / f"usr/share/man/man{section}/{page}.{section}.gz"
    needs("man")
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", file], capture_output=True, text=True,
                          env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")
    page_text = re.sub("\x1b\\[[0-9;]*m|.\b", "", done.stdout).replace("\u2010", "-").replace("\u2212", "-")  # as a terminal shows it
    general, *parts = re.split(rf"^   {program} (?=[a-z])", page_text, flags=re.MULTILINE)
    assert len(flags_of(bin_folder / program)) > 5
    assert sorted(flags_of(bin_folder / program) - set(re.findall(r"--[\w.-]+", general))) == []
    sections = [re.split(r"^[A-Z]", part, flags=re.MULTILINE)[0] for part in parts]
    described = {re.split(r" \[| [A-Z]|\n", part)[0]: set(re.findall(r"--[\w.-]+", part)) | {"--help"} for part in sections}
    commands = list(commands_of(bin_folder / program))
    assert len(commands) >= 2 and {" ".join(command) for command in commands} == set(described)
    for command in commands:
        assert sorted(flags_of(bin_folder / program, *command) - described[" ".join(command)]) == []


@pytest.mark.parametrize("name", ["agent", "aggregator"])
def test_the_configuration_that_is_installed_has_every_key_and_is_right(laid_out, bin_folder, name, tmp_path):
    program = bin_folder / f"vigil-{name}"
    file = laid_out / f"etc/vigil/{name}.yml"
    assert file.read_text() == run(program, "--print-config")
    documented = re.search(rf"## vigil-{name}\n(.*?)(\n## |\Z)", (ROOT / "docs/configuration.md").read_text(), re.DOTALL).group(1)
    keys = re.findall(r"^\| `([^`]+)`", documented, re.MULTILINE)
    assert len(keys) > 20
    assert [key for key in keys if f"{key.rsplit('.', 1)[-1]}:" not in file.read_text()] == []
    run(program, "--check", "--config", file, cwd=tmp_path)
    switched_on = tmp_path / "on.yml"
    switched_on.write_text(re.sub(r"^#", "", file.read_text(), flags=re.MULTILINE))
    run(program, "--check", "--config", switched_on, cwd=tmp_path)


@pytest.mark.parametrize("shell, folder, suffix", [("bash", "bash-completion/completions", ""), ("fish", "fish/vendor_completions.d", ".fish")])
def test_completion_of_a_shell_knows_every_program(laid_out, shell, folder, suffix):
    for program in PROGRAMS:
        text = (laid_out / "usr/share" / folder / (program + suffix)).read_text()
        assert program in text and ("help" in text)


@pytest.mark.parametrize("program", ["vigil-agent", "vigil-aggregator"])
def test_bash_completes_a_daemons_commands_and_the_flags_of_each(laid_out, bin_folder, program):
    file = laid_out / "usr/share/bash-completion/completions" / program
    function = "_" + program.replace("-", "_")

    def offered(*words):
        typed = " ".join(repr(word) for word in (program, *words))
        return run("bash", "-c", f'source {file}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; {function}; echo "${{COMPREPLY[@]}}"').split()

    assert offered("--print") == ["--print-config"]
    assert offered("--config", "") == []  # a file, which the shell knows
    commands = list(commands_of(bin_folder / program))
    assert len(commands) >= 2
    for command in [(), *commands]:
        assert offered(*command, "") == names_below(bin_folder / program, *command)
        assert set(offered(*command, "--")) == flags_of(bin_folder / program, *command)


@pytest.mark.parametrize("reader", ["vigil-kernel-reader", "vigil-docker-reader"])
def test_a_reader_starts_only_with_systemds_socket(laid_out, reader):
    done = subprocess.run([laid_out / "usr/lib/vigil-agent" / reader], capture_output=True, text=True)
    assert done.returncode == 2 and f"{reader}.socket" in done.stderr


def test_the_docker_readers_page_has_its_flags_and_requests(laid_out):
    needs("man")
    file = laid_out / "usr/share/man/man8/vigil-docker-reader.8.gz"
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", file], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub("\x1b\\[[0-9;]*m|.\b", "", done.stdout).replace("\u2010", "-").replace("\u2212", "-")
    for word in ("--engine", "--listen", "/containers/ID/json", "/run/vigil/docker.sock", "vigil-podman-reader.socket"):
        assert word in text


def test_two_builds_of_one_commit_give_the_same_files(bin_folder, debs, tmp_path):
    """Of the smallest kind of package: the same bytes, whenever and wherever they are made."""
    again = tmp_path / "again"
    revision = re.search(r"0vigil(\d+)_", debs["vigil"].name).group(1)
    run(ROOT / "packaging/build", "--bin", bin_folder, "--out", again, "--revision", revision, "deb")
    for deb in debs.values():
        assert hashlib.sha256((again / deb.name).read_bytes()).hexdigest() == hashlib.sha256(deb.read_bytes()).hexdigest(), deb.name


# ------------------------------------------------------------------------------------------------------------- .rpm


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_rpm_is_whole_and_holds_what_the_deb_holds(packages, debs, name):
    needs("rpm")
    rpm = one(packages, f"{name}-[0-9]*.x86_64.rpm")
    assert run("rpm", "--checksig", rpm).strip().endswith("digests OK")
    files = set(run("rpm", "-qpl", rpm).split())
    ours = {line.split()[-1].removeprefix(".") for line in run("dpkg-deb", "-c", debs[name]).splitlines() if not line.startswith("d")}
    there = {path.replace("zsh/vendor-completions", "zsh/site-functions") for path in ours
             if not path.endswith("changelog.Debian.gz") and "/lintian/" not in path}
    assert there - files == set()
    assert not [line for line in run("rpm", "-qp", "--requires", rpm).split("\n") if ".so." in line]


@pytest.fixture
def unpacked_rpm(packages, tmp_path):
    def unpack(name):
        needs("rpm2cpio")
        content = subprocess.run(["rpm2cpio", one(packages, f"{name}-[0-9]*.x86_64.rpm")], check=True, capture_output=True).stdout
        needs("cpio")
        subprocess.run(["cpio", "-idm", "--quiet"], input=content, cwd=tmp_path, check=True)
        return tmp_path
    return unpack


def test_the_rpms_programs_need_no_library_of_the_system(unpacked_rpm):
    root = unpacked_rpm("vigil")
    assert "statically linked" in run("ldd", root / "usr/bin/vigil")
    assert run(root / "usr/bin/vigil", "--version").startswith("vigil ")
    unpacked_rpm("vigil-aggregator")
    home = root / "usr/lib/vigil-aggregator"
    libraries = run(home / "lib/ld-linux-x86-64.so.2", "--library-path", home / "lib", "--list", home / "vigil-aggregator")
    outside = [line for line in libraries.splitlines() if "=>" in line and str(home) not in line]
    assert outside == []
    assert run(home / "lib/ld-linux-x86-64.so.2", "--library-path", home / "lib", home / "vigil-aggregator", "--version").startswith("vigil-aggregator ")


# ----------------------------------------------------------------------------------------------------------- tarball


@pytest.fixture(scope="module")
def tarball(packages, tmp_path_factory):
    file = one(packages, "vigil-agent-*-x86_64.tar.gz")
    folder = tmp_path_factory.mktemp("tarball")
    with tarfile.open(file) as tar:
        tar.extractall(folder)
    return next(folder.iterdir())


def test_the_static_agent_needs_nothing_but_a_kernel(tarball, tmp_path):
    assert "statically linked" in run("ldd", tarball / "bin/vigil-agent")
    if os.geteuid() != 0:
        pytest.skip("an empty root needs root")
    needs("unshare")
    root = tmp_path / "root"
    for folder in ("proc", "sys", "bin"):
        (root / folder).mkdir(parents=True)
    shutil.copy(tarball / "bin/vigil-agent", root / "bin")
    # A mount namespace of its own: what is mounted in it goes with it.
    text = run("unshare", "--mount", "sh", "-ec", f"mount --rbind /proc {root}/proc; mount --rbind /sys {root}/sys; exec chroot {root} /bin/vigil-agent --once")
    for family in ("node_load1 ", "node_memory_MemTotal_bytes ", "node_cpu_seconds_total{", "node_filesystem_size_bytes{", "node_network_receive_bytes_total{"):
        assert f"\n{family}" in text


def test_the_static_agent_sees_what_the_shared_one_sees_but_for_systemds_units(tarball, bin_folder):
    families = lambda program: {name for name in re.findall(r"^# TYPE (\S+)", run(program, "--once"), re.MULTILINE)}
    shared, static = families(bin_folder / "vigil-agent"), families(tarball / "bin/vigil-agent")
    assert len(static) > 100
    assert {name for name in shared - static if not name.startswith("node_systemd_")} == set()


OLD_KERNEL = pathlib.Path(__file__).with_name("old_kernel.py")


def test_the_stand_in_for_an_old_kernel_refuses_what_came_later():
    done = subprocess.run([sys.executable, OLD_KERNEL, sys.executable, "-c", "import os; os.pidfd_open(os.getpid())"], capture_output=True, text=True)
    assert done.returncode == 1 and "Function not implemented" in done.stderr


def test_the_static_agent_needs_no_system_call_that_linux_4_19_lacks(tarball):
    families = lambda *command: set(re.findall(r"^# TYPE (\S+)", run(*command, "--once"), re.MULTILINE))
    agent = tarball / "bin/vigil-agent"
    assert families(agent) - families(sys.executable, OLD_KERNEL, agent) == set()


@pytest.mark.parametrize("kernel", [[], [sys.executable, OLD_KERNEL]], ids=["this kernel", "calls of 4.19"])
def test_the_static_agent_delivers(tarball, bin_folder, tmp_path, kernel):
    log = tmp_path / "log"
    with open(log, "w") as file:
        aggregator = subprocess.Popen([bin_folder / "vigil-aggregator", "--data-dir", tmp_path / "data", "--grpc-listen", "127.0.0.1:0",
                                       "--http-listen", "127.0.0.1:0"], stderr=file)
    agent = None
    try:
        address = eventually("ready", lambda: re.search(r"ready grpc=(\S+)", log.read_text())).group(1)
        port = address.rsplit(":", 1)[1]
        agent = subprocess.Popen([*kernel, tarball / "bin/vigil-agent", "--aggregator", f"localhost:{port}", "--name", "static"], stderr=subprocess.DEVNULL)
        hosts = lambda: json.loads(run(bin_folder / "vigil", "--aggregator", address, "hosts", "-o", "json"))
        eventually("its host is up", lambda: [host["state"] for host in hosts() if host["name"] == "static"] == ["up"])
    finally:
        for process in (agent, aggregator):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)


# ---------------------------------------------------------------------------------------------- Ansible, Kubernetes


def test_ansible_lint_finds_nothing():
    needs("ansible-lint")
    run("ansible-lint", "--offline", "-q", "site.yml", "roles", cwd=ROOT / "packaging" / "ansible")


def test_the_agents_role_writes_a_configuration_that_the_agent_takes(bin_folder, tmp_path):
    needs("ansible")
    role = ROOT / "packaging/ansible/roles/vigil_agent"
    config = json.dumps({"aggregator": "127.0.0.1:8460", "labels": {"rack": "r7"}, "spool": {"max_size": "32MiB"}})
    run("ansible", "localhost", "-c", "local", "-m", "ansible.builtin.template", "-a", f"src={role}/templates/agent.yml.j2 dest={tmp_path}/agent.yml",
        "-e", json.dumps({"vigil_agent_config": json.loads(config), "ansible_managed": "by a test", "ansible_python_interpreter": sys.executable}))
    run(bin_folder / "vigil-agent", "--check", "--config", tmp_path / "agent.yml")
    assert yaml.safe_load((tmp_path / "agent.yml").read_text()) == json.loads(config)


def test_the_daemonset_mounts_what_its_agent_looks_at(bin_folder, tmp_path):
    config_map, daemon_set = yaml.safe_load_all((ROOT / "packaging/kubernetes/vigil-agent.yml").read_text())
    assert (config_map["kind"], daemon_set["kind"]) == ("ConfigMap", "DaemonSet")
    pod = daemon_set["spec"]["template"]
    assert daemon_set["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    container = pod["spec"]["containers"][0]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    enrolling, = pod["spec"]["initContainers"]
    assert {mount["name"] for each in (container, enrolling) for mount in each["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
    config = yaml.safe_load(config_map["data"]["agent.yml"])
    for path in config["paths"].values():
        assert mounts[path]["readOnly"] is True
    assert {argument for argument in container["args"] if argument.startswith("--")} <= flags_of(bin_folder / "vigil-agent")
    # The agent takes it, once its folders are there.
    config["paths"] = {}
    (tmp_path / "agent.yml").write_text(yaml.safe_dump(config))
    run(bin_folder / "vigil-agent", "--check", "--config", tmp_path / "agent.yml")


@pytest.mark.parametrize("file", ["kubernetes/vigil-agent.yml", "compose/compose.yml"])
def test_manifests_name_the_version_that_is_built(file, debs):
    version = debs["vigil"].name.split("_")[1]
    images = re.findall(r"image: (\S+):(\S+)", (ROOT / "packaging" / file).read_text())
    assert images and all(tag == version for _, tag in images)
