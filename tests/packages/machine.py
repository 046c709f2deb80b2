"""A clean Debian 12 that boots: a debootstrap root, kept as a tarball below build/boot, in a systemd-nspawn with its own network."""

import functools
import hashlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import waiting  # noqa: E402

CACHE = ROOT / "build" / "boot"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "systemd,systemd-sysv,dbus,procps,iproute2"
PATIENCE = 90
eventually = functools.partial(waiting.eventually, patience=PATIENCE)


def missing():
    """Why no machine can boot here; "" when one can."""
    if os.geteuid() != 0:
        return "booting a Debian needs root"
    lacking = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter", "zstd") if shutil.which(tool) is None]
    return f"{', '.join(lacking)} is not installed" if lacking else ""


def base():
    """The tarball of a fresh Debian 12, made once. OSError or CalledProcessError: there is no mirror."""
    tarball = CACHE / f"bookworm-{hashlib.sha256((MIRROR + PACKAGES).encode()).hexdigest()[:12]}.tar.zst"
    if not tarball.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = CACHE / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", fresh, MIRROR], check=True, capture_output=True)
        subprocess.run(["tar", "--zstd", "-C", fresh, "-cf", f"{tarball}.new", "."], check=True)
        os.replace(f"{tarball}.new", tarball)
        shutil.rmtree(fresh)
    return tarball


class Machine:
    """One booted Debian. Unless told otherwise its only network is its loopback."""

    def __init__(self, folder, name):
        self.root = pathlib.Path(folder) / name
        self.name = name
        self.console = pathlib.Path(folder) / f"{name}.console"
        self.nspawn = None
        self.root.mkdir(parents=True)
        subprocess.run(["tar", "--zstd", "-C", self.root, "-xf", base()], check=True)
        (self.root / "etc" / "hostname").write_text(name + "\n")
        self.write("/etc/dpkg/dpkg.cfg.d/fast", "force-unsafe-io\n")  # it lives for minutes

    def fetch(self, debs, *others):
        """Brings .deb files into /root/packages, and what they and other packages of Debian's depend on into apt's cache: the booted machine
        has no network."""
        target = self.root / "root" / "packages"
        target.mkdir(exist_ok=True)
        for deb in debs:
            shutil.copy(deb, target)
        kept = CACHE / "archives"
        kept.mkdir(exist_ok=True)
        archives = self.root / "var" / "cache" / "apt" / "archives"
        for deb in kept.glob("*.deb"):
            shutil.copy(deb, archives)
        names = [*[f"/root/packages/{pathlib.Path(deb).name}" for deb in debs], *others]
        wanted = self.chroot("apt-get", "install", "--print-uris", "-qq", "-y", *names, check=False)
        absent = [line.split()[1] for line in wanted.stdout.splitlines()
                  if line.startswith("'http") and not (archives / line.split()[1]).exists()]
        if wanted.returncode != 0 or absent:
            shutil.copy("/etc/resolv.conf", self.root / "etc" / "resolv.conf")
            self.chroot("apt-get", "update", "-qq")
            self.chroot("apt-get", "install", "-qq", "-y", "--download-only", *names)
            for deb in archives.glob("*.deb"):
                shutil.copy(deb, kept)

    def chroot(self, *command, check=True):
        return subprocess.run(["chroot", self.root, *command], check=check, capture_output=True, text=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})

    def install(self, debs):
        """Packages into a machine that is not running, as one makes an image."""
        self.fetch(debs)
        self.chroot("apt-get", "install", "-qq", "-y", "--no-install-recommends", *[f"/root/packages/{pathlib.Path(deb).name}" for deb in debs])

    def boot(self, *options):
        # A name that this host's systemd need not know; all of a machine's processes are in the cgroup of who started it.
        hosted = ["--register=no", "--keep-unit"] if not os.path.isdir("/run/systemd/system") else ["--register=no"]
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", *hosted, "--directory", self.root, "--machine", self.name, "--private-network",
             "--console=pipe", "--system-call-filter=adjtimex clock_adjtime", *options],
            stdin=subprocess.DEVNULL, stdout=open(self.console, "ab"), stderr=subprocess.STDOUT,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.wait_until_booted()
        return self

    def init(self):
        """The process that is number 1 inside."""
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        return next(int(child) for child in children
                    if pathlib.Path(f"/proc/{child}/comm").read_text().strip() in ("systemd", "init"))

    def wait_until_booted(self):
        def up():
            assert self.nspawn.poll() is None, self.console.read_text(errors="replace")
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state in ("running", "degraded")

        eventually(f"{self.name} has booted", up)

    def run(self, *command, check=True, timeout=PATIENCE, input=None):
        """A command inside, as root."""
        done = subprocess.run(["nsenter", "--target", str(self.init()), "--all", *command], capture_output=True, text=True, timeout=timeout,
                              input=input, cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                                                         "LC_ALL": "C.UTF-8", "HOME": "/root"})
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def shell(self, folder):
        return Shell(self, folder)

    def apt(self, *arguments, check=True):
        return self.run("apt-get", "-qq", "-y", "--no-install-recommends", *arguments, check=check, timeout=10 * PATIENCE)

    def with_version(self, deb, version, target):
        """The same package, one of those that were fetched, with another version, in its scripts, too."""
        self.run("sh", "-ec", f"""
            rm -rf /root/again; dpkg-deb -R /root/packages/{deb.name} /root/again
            old=$(sed -n 's/^Version: //p' /root/again/DEBIAN/control)
            for file in /root/again/DEBIAN/*; do sed -i "s/$old/{version}/g" "$file"; done
            dpkg-deb -Zgzip -z1 --root-owner-group -b /root/again {target}""")

    def state(self, unit):
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip()

    def show(self, unit, what):
        return self.run("systemctl", "show", "--property", what, "--value", unit).stdout.strip()

    def write(self, path, text, mode=0o644):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def reboot(self):
        before = self.init()
        self.run("systemctl", "reboot", check=False)
        # Within a unit it leaves starting anew to who started it, by status 133; otherwise it does so itself.
        eventually(f"{self.name} goes down", lambda: self.nspawn.poll() is not None or self.init() != before)
        if self.nspawn.poll() is None:
            self.wait_until_booted()
        else:
            assert self.nspawn.returncode == 133, self.console.read_text(errors="replace")
            self.boot()

    def close(self):
        if self.nspawn is not None and self.nspawn.poll() is None:
            try:
                os.kill(self.init(), signal.SIGKILL)
            except (OSError, StopIteration):
                self.nspawn.kill()
            self.nspawn.wait(timeout=PATIENCE)
        shutil.rmtree(self.root, ignore_errors=True)


class Shell:
    """Root's shell inside, which is given line after line as somebody types them: what one exports the next one has."""

    END = "--- the line has ended with "

    def __init__(self, machine, folder):
        self.child = subprocess.Popen(["nsenter", "--target", str(machine.init()), "--all", "bash", "--norc"], cwd="/", text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"})
        self.type(f"cd {folder}")

    def type(self, line):
        """What it said, on both outputs. AssertionError: it failed, or took longer than anything here should."""
        self.child.stdin.write(f"eval {shlex.quote(line)} </dev/null; code=$?; echo; echo '{self.END}'$code\n")
        self.child.stdin.flush()
        watch = threading.Timer(10 * PATIENCE, self.child.kill)
        watch.start()
        said, code = "", None
        for text in self.child.stdout:
            if text.startswith(self.END):
                code = int(text.removeprefix(self.END))
                break
            said += text
        watch.cancel()
        assert code == 0, f"{line}: {code}\n{said}"
        return said.strip()

    def close(self):
        self.child.stdin.close()
        self.child.wait(timeout=PATIENCE)
        self.child.stdout.close()


def wire(hub, machine, net):
    """A cable between two machines."""
    ends = f"v{os.getpid() % 10000}a", f"v{os.getpid() % 10000}b"
    subprocess.run(["ip", "link", "add", ends[0], "netns", str(hub.init()), "type", "veth", "peer", "name", ends[1], "netns", str(machine.init())], check=True)
    for side, name, address in ((hub, ends[0], f"{net}.1/24"), (machine, ends[1], f"{net}.2/24")):
        new = f"to-{machine.name}" if side is hub else "eth0"
        side.run("ip", "link", "set", name, "name", new)
        side.run("ip", "address", "add", address, "dev", new)
        side.run("ip", "link", "set", new, "up")
