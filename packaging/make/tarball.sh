# shellcheck shell=bash disable=SC2154
# The agent for any x86-64 Linux: programs without shared libraries, the unit files, and how to install them. Sourced by
# packaging/build.

make_tarball() {
  local name=vigil-agent-$upstream-x86_64 root
  root=$out/tarball/$name
  rm -rf "$out/tarball" "$out"/vigil-agent-*-x86_64.tar.gz
  for program in vigil-agent vigil-kernel-reader vigil-docker-reader; do
    put 755 "$bin/$program-static" "bin/$program"
    strip --strip-unneeded "$root/bin/$program"
  done
  "$bin/vigil-agent" --print-config | keep agent.yml
  sed 's|/usr/bin/|/usr/local/bin/|; /^Documentation=/d' packaging/systemd/vigil-agent.service | keep vigil-agent.service
  local unit
  for unit in vigil-{kernel,docker,podman}-reader.{service,socket}; do
    sed 's|/usr/lib/vigil-agent/|/usr/local/libexec/|; /^Documentation=/d' "packaging/systemd/$unit" | keep "$unit"
  done
  put 644 packaging/sysusers/vigil-agent.conf vigil-agent.conf
  copyright | keep COPYRIGHT
  keep README <<'TXT'
vigil-agent for any x86-64 Linux from kernel 4.19 on. Nothing is needed but the kernel.

By hand, as any user:   bin/vigil-agent --once
With systemd, as root:
  install -D bin/vigil-agent /usr/local/bin/vigil-agent
  install -D -t /usr/local/libexec bin/vigil-kernel-reader bin/vigil-docker-reader
  install -D -m 644 agent.yml /etc/vigil/agent.yml
  install -m 644 *.service *.socket /etc/systemd/system/
  install -D -m 644 vigil-agent.conf /etc/sysusers.d/vigil-agent.conf && systemd-sysusers
  systemctl daemon-reload && systemctl enable --now vigil-kernel-reader.socket vigil-agent.service
With Docker or Podman, for names and health of containers:
  systemctl enable --now vigil-docker-reader.socket    # or vigil-podman-reader.socket
  systemctl restart vigil-agent

The one thing it lacks beside the packaged agent: states of systemd's units, which come through a shared library.
TXT
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$out/tarball" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
  rm -rf "$out/tarball"
}
