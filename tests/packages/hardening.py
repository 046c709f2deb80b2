"""What each line of the agent's sandbox costs in series: `hardening.py` boots a Debian, measures and prints docs/hardening.md's table."""

import pathlib
import re
import sys
import tempfile

from machine import Machine, eventually

UNIT = "/usr/lib/systemd/system/vigil-agent.service"

# Directives that were weighed. None of them stands alone in a unit, but alone it shows what it costs.
KEPT = ["NoNewPrivileges=yes", "CapabilityBoundingSet=", "RestrictSUIDSGID=yes", "RestrictNamespaces=yes", "RestrictRealtime=yes",
        "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "RemoveIPC=yes", "ProtectSystem=strict", "ProtectHome=read-only", "PrivateTmp=yes",
        "PrivateMounts=yes", "PrivateDevices=yes", "PrivateUsers=yes", "DevicePolicy=closed", "ProtectKernelTunables=yes", "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes", "ProtectControlGroups=yes", "ProtectClock=yes", "ProtectHostname=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged", "SystemCallFilter=~@resources"]
DROPPED = ["ProtectHome=yes", "ProtectHome=tmpfs", "ProtectProc=invisible", "ProcSubset=pid", "PrivateNetwork=yes",
           "RestrictAddressFamilies=AF_INET AF_INET6", "TemporaryFileSystem=/var:ro"]


def series(text):
    """The series of an exposition, without what differs from one look to the next: which processes are on top, and the agent itself."""
    found = set()
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name = line.rsplit(" ", 1)[0]
        name = re.sub(r"^(vigil_process_\w+)\{.*", r"\1", name)
        if name.startswith(("vigil_agent_", "vigil_collector_", "node_scrape_", "vigil_container_", "container_")):
            continue
        # States nobody was in when the other look was taken.
        if name.startswith(("node_processes_state", "node_processes_threads_state")):
            name = name.partition("{")[0]
        found.add(name)
    return found


def prepare(machine):
    """File systems of which a sandbox could hide something, and an interface besides the loopback."""
    machine.run("ip", "link", "add", "name", "wire0", "type", "veth", "peer", "name", "wire1")
    machine.run("sh", "-ec", "mkdir -p /home/someone /var/data; mount -t tmpfs -o size=7m home /home; mount -t tmpfs -o size=9m data /var/data;"
                             "mount -t tmpfs -o size=11m tmp /tmp; mkdir -p /run/user; mount -t tmpfs -o size=3m user /run/user")


def look(machine, properties, user="vigil-agent"):
    """What the agent sees in a service with these properties: its exposition."""
    arguments = [f"--property={line}" for line in properties]
    arguments.append("--property=SystemCallErrorNumber=EPERM")
    return machine.run("systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--property=User={user}", *arguments, "/usr/bin/vigil-agent", "--once").stdout


def with_reader(machine):
    """The kernel reader runs, and answers: who asks while it starts on a busy machine is told at the next look."""
    machine.run("systemctl", "start", "vigil-kernel-reader.socket", "vigil-kernel-reader.service")
    eventually("the kernel reader answers", lambda: "node_timex_sync_status" in look(machine, ["ProtectClock=yes"]))


def without_reader(machine):
    machine.run("systemctl", "stop", "vigil-kernel-reader.socket", "vigil-kernel-reader.service")


def lines_of_unit(machine):
    """The sandbox of the shipped unit, as properties."""
    text = machine.run("cat", UNIT).stdout
    service = text.partition("[Service]")[2].partition("[Install]")[0]
    leave = ("Type=", "ExecStart=", "ExecReload=", "User=", "Group=", "StateDirectory", "Watchdog", "Restart=", "RestartSec", "#")
    return [line for line in service.splitlines() if "=" in line and not line.startswith(leave)]


def values(text, name):
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)}


def wrong(there, here):
    """What has another value in one look than in the other, of what a sandbox could falsify."""
    found = []
    for family in ("node_filesystem_size_bytes", "node_filesystem_readonly"):
        one, other = values(there, family), values(here, family)
        found += [f"`{name.replace('|', ' ')}`" for name in sorted(one.keys() & other.keys()) if one[name] != other[name]]
    one, other = (values(text, "node_processes_pids")["node_processes_pids"] if "\nnode_processes_pids" in text else 0 for text in (there, here))
    if other < one / 2:
        found.append(f"`node_processes_pids` (only its own: {other:.0f} of {one:.0f})")
    one, other = (len(values(text, "vigil_process_read_bytes_total")) for text in (there, here))
    if other < one / 2:
        found.append(f"`vigil_process_read_bytes_total`, `vigil_process_written_bytes_total` (of {other} processes instead of {one})")
    return found


def cost(there, here):
    """Series and values that one look lacks beside the other, in words."""
    families = {}
    lost = series(there) - series(here)
    for name in lost:
        families.setdefault(name.partition("{")[0], []).append(name)
    names = [f"`{family}`" + (f" ({len(some)})" if len(some) > 1 else "") for family, some in sorted(families.items())]
    text = f"{len(lost)} series: " + ", ".join(names[:5]) + (f" and {len(names) - 5} more families" if len(names) > 5 else "") if lost else ""
    false = wrong(there, here)
    return "; ".join(part for part in (text, "wrong: " + ", ".join(false) if false else "") if part) or "nothing"


def table(machine):
    machine.run("systemctl", "stop", "vigil-agent.service")
    without_reader(machine)
    root, plain = look(machine, [], "root"), look(machine, [])
    out = f"root, no sandbox: {len(series(root))} series; the agent's user, no sandbox, lacks: {cost(root, plain)}\n\n"
    for kind, directives in (("used", KEPT), ("not used", DROPPED)):
        for directive in directives:
            out += f"| `{directive}` | {cost(plain, look(machine, [directive]))} | {kind} |\n"
    with_reader(machine)
    out += f"\nthe whole unit with vigil-kernel-reader, beside root without a sandbox, lacks: {cost(root, look(machine, lines_of_unit(machine)))}\n"
    return out


def main():
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(folder, "measured")
        try:
            debs = sorted(pathlib.Path(sys.argv[1]).glob("*.deb"))
            machine.fetch(debs)
            machine.boot()
            machine.apt("install", *[f"/root/packages/{deb.name}" for deb in debs])
            prepare(machine)
            print(table(machine))
        finally:
            machine.close()


if __name__ == "__main__":
    main()
