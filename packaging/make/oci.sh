# shellcheck shell=bash disable=SC2154
# OCI image layouts: a program, the libraries it needs, certificates and time zones; no shell, no package manager. Sourced by
# packaging/build.

# bring PROGRAM: it and its shared libraries, the loader among them, where the loader looks for them.
bring() {
  put 755 "$1" "usr/bin/${1##*/}"
  strip --strip-unneeded "$root/usr/bin/${1##*/}"
  local library
  for library in $(libraries_of "$1"); do
    put 755 "$(readlink -f "$library")" "${library#/}"
  done
}

image_root() {
  install -d -m 1777 "$root/tmp"
  keep etc/passwd <<<'vigil:x:65532:65532:vigil:/:/nonexistent'
  keep etc/group <<<'vigil:x:65532:'
  keep etc/nsswitch.conf <<<'hosts: files dns'
  put 644 /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ca-certificates.crt
}

# image NAME ARGUMENTS-OF-oci.py…
image() {
  local name=$1
  shift
  /usr/bin/python3 packaging/make/oci.py --name "$name" --version "$version" --root "$root" --out "$out/oci/$name" "$@"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$out/oci/$name" -cf "$out/${name}_${version}_oci.tar" .
  rm -rf "$out/oci/$name"
}

make_oci() {
  local root=$out/image
  rm -rf "$root" "$out"/vigil*_oci.tar
  image_root
  bring "$bin/vigil"
  image vigil --env VIGIL_AGGREGATOR=aggregator:8460 -- /usr/bin/vigil

  rm -rf "$root"
  image_root
  bring "$bin/vigil-agent"
  bring "$bin/vigil-docker-reader"  # for a container of its own beside the agent's
  # The host's own trees are mounted below /host; a DaemonSet and a Compose file that do so are in packaging/.
  install -d -m 700 "$root/var/lib/vigil-agent"
  image vigil-agent --user 0 --volume /var/lib/vigil-agent --env STATE_DIRECTORY=/var/lib/vigil-agent -- /usr/bin/vigil-agent

  rm -rf "$root"
  image_root
  bring "$bin/vigil-aggregator"
  bring "$bin/vigil"  # for backups, and for looking around inside
  install -d "$root/usr/share"
  cp -a /usr/share/zoneinfo "$root/usr/share/"
  rm -rf "$root"/usr/share/zoneinfo/{posix,right}
  install -d -m 700 "$root/var/lib/vigil"
  image vigil-aggregator --volume /var/lib/vigil --env STATE_DIRECTORY=/var/lib/vigil --port 8460 --port 8461 -- /usr/bin/vigil-aggregator
  rm -rf "$root" "$out/oci"
}
