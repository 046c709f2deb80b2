# shellcheck shell=bash disable=SC2154
# What each package holds, as files below $roots/PACKAGE. Sourced by packaging/build.

# put MODE FROM TO [PACKAGE root]: one file.
put() { install -D -m "$1" "$2" "$root/$3"; }
# keep TO: standard input as a file.
keep() { install -d "$root/$(dirname "$1")" && cat >"$root/$1" && chmod 644 "$root/$1"; }
# libraries_of PROGRAM: the shared libraries it needs, and their loader, by path.
libraries_of() { ldd "$1" | sed -nE 's|^[^/]*(/[^ ]+) \(0x.*|\1|p'; }
packed() { gzip -9n; }

program() {
  put 755 "$bin/$1" "$2/$1"
  strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/$2/$1"
}

# Our own words, and the licences of what is linked into the programs, as Debian has them.
copyright() {
  cat <<'TXT'
vigil: monitoring of Linux hosts and their containers.

Copyright: the authors of vigil. Its licence is that of the source these programs were built from.

The programs contain parts of the libraries below, which Debian's packages of the same names
hold; each paragraph is the copyright file of such a package.
TXT
  local library
  for library in libgrpc-dev libprotobuf-dev libabsl-dev libc-ares-dev libssl-dev libre2-dev zlib1g-dev libfmt-dev libspdlog-dev \
    libyaml-cpp-dev libcli11-dev libsnappy-dev libzstd-dev; do
    printf '\n--- %s ---\n\n' "$library"
    cat "/usr/share/doc/$library/copyright"
  done
  printf '\n--- libboost1.81-dev ---\n\n'
  awk '/^License: BSL-1.0$/ { text = $0; next } text != "" && /^ / { text = text "\n" $0; next } { if (text ~ /\n/) exit; text = "" } END { print text }' \
    /usr/share/doc/libboost1.81-dev/copyright
  printf '\n--- libstdc++-12-dev ---\n\nThe GCC Runtime Library Exception 3.1 applies: /usr/share/common-licenses/GPL-3 and\n'
  printf 'https://www.gnu.org/licenses/gcc-exception-3.1.html\n'
}

documents() {
  copyright | keep "usr/share/doc/$package/copyright"
  packed <CHANGELOG.md | keep "usr/share/doc/$package/changelog.gz"
  printf '%s (%s) unstable; urgency=medium\n\n  * What is new stands in changelog.gz.\n\n -- %s  %s\n' \
    "$package" "$version" "$maintainer" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" | packed | keep "usr/share/doc/$package/changelog.Debian.gz"
}

manual() {
  local section=$1 page=$2
  shift 2
  /usr/bin/python3 packaging/make/man.py "$@" | packed | keep "usr/share/man/man$section/$page.$section.gz"
}

# What a shell completes of a program: from the program itself.
completions() {
  local name=$1
  shift
  "$@" bash | keep "usr/share/bash-completion/completions/$name"
  "$@" zsh | zsh_function "$name" | keep "usr/share/zsh/vendor-completions/_$name"
  "$@" fish | keep "usr/share/fish/vendor_completions.d/$name.fish"
}
# A file of zsh's is the body of a function that is called at the first use: what is bash's is handed on to its emulation.
zsh_function() {
  local text
  text=$(cat)
  case $text in
    '#compdef'*) printf '%s\n' "$text" ;;
    *) printf '#compdef %s\n%s\n_bash_complete -o default -o bashdefault -F _%s\n' "$1" "$text" "$1" ;;
  esac
}
completion_of_daemon() { /usr/bin/python3 packaging/make/completion.py "$2" "$1"; }

units() {
  local unit
  for unit in "$@"; do put 644 "packaging/systemd/$unit" "usr/lib/systemd/system/$unit"; done
}

files_of_vigil() {
  program vigil usr/bin
  manual 1 vigil "$bin/vigil"
  completions vigil "$bin/vigil" completion
  local document
  for document in README.md docs/*.md; do put 644 "$document" "usr/share/doc/vigil/${document##*/}"; done
}

files_of_vigil_agent() {
  program vigil-agent usr/bin
  program vigil-kernel-reader usr/lib/vigil-agent
  program vigil-docker-reader usr/lib/vigil-agent
  manual 8 vigil-agent "$bin/vigil-agent"
  manual 5 vigil-agent.yml --config "$bin/vigil-agent"
  manual 8 vigil-docker-reader "$bin/vigil-docker-reader"
  completions vigil-agent completion_of_daemon "$bin/vigil-agent"
  "$bin/vigil-agent" --print-config | keep etc/vigil/agent.yml
  units vigil-agent.service vigil-{kernel,docker,podman}-reader.{service,socket}
  put 644 packaging/sysusers/vigil-agent.conf usr/lib/sysusers.d/vigil-agent.conf
}

files_of_vigil_aggregator() {
  program vigil-aggregator usr/bin
  manual 8 vigil-aggregator "$bin/vigil-aggregator"
  manual 5 vigil-aggregator.yml --config "$bin/vigil-aggregator"
  completions vigil-aggregator completion_of_daemon "$bin/vigil-aggregator"
  "$bin/vigil-aggregator" --print-config | keep etc/vigil/aggregator.yml
  units vigil-aggregator.service vigil-backup.service vigil-backup.timer
  put 644 packaging/sysusers/vigil-aggregator.conf usr/lib/sysusers.d/vigil-aggregator.conf
  put 644 packaging/tmpfiles/vigil-aggregator.conf usr/lib/tmpfiles.d/vigil-aggregator.conf
  local file
  for file in packaging/rules/*.yml; do put 644 "$file" "usr/share/vigil/rules/${file##*/}"; done
  for file in packaging/grafana/dashboards/*.json; do put 644 "$file" "usr/share/vigil/grafana/${file##*/}"; done
}

# lay_out PACKAGE…
lay_out() {
  local package root
  for package in "$@"; do
    root=$roots/$package
    install -d "$root"
    "files_of_${package//-/_}"
    documents
  done
}
