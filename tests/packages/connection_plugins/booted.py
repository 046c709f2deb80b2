"""How Ansible gets into a machine that tests/packages/machine.py has booted: `ansible_host` is the process that is number 1 inside."""

import subprocess

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
    name: booted
    short_description: commands in a booted machine, by nsenter
    description: Enters all namespaces of the process whose number is the host's address.
    options: {}
"""


class Connection(ConnectionBase):
    transport = "booted"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def close(self):
        self._connected = False

    def _inside(self, *command, **more):
        return subprocess.run(["nsenter", "--target", self._play_context.remote_addr, "--all", *command], cwd="/", capture_output=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}, **more)

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        given = {"input": in_data} if in_data is not None else {"stdin": subprocess.DEVNULL}
        done = self._inside("sh", "-c", cmd, **given)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        with open(in_path, "rb") as file:
            done = self._inside("dd", f"of={out_path}", "bs=1M", "status=none", stdin=file)
        if done.returncode != 0:
            raise AnsibleError(f"{in_path} to {out_path}: {done.stderr!r}")

    def fetch_file(self, in_path, out_path):
        done = self._inside("cat", in_path)
        if done.returncode != 0:
            raise AnsibleError(f"{in_path}: {done.stderr!r}")
        with open(out_path, "wb") as file:
            file.write(done.stdout)
