# shellcheck shell=bash disable=SC2154
# .rpm files. Other distributions have other libraries than Debian 12, so the programs bring what they need: `vigil` and the agent
# are linked without any shared library, the aggregator has Debian's beside it. Sourced by packaging/build.

without_debian() {
  rm -rf "$root/usr/share/lintian" "$root"/usr/share/doc/*/changelog.Debian.gz
  if [ -d "$root/usr/share/zsh/vendor-completions" ]; then mv "$root/usr/share/zsh/vendor-completions" "$root/usr/share/zsh/site-functions"; fi
}

static_programs() {
  local program
  for program in vigil:usr/bin vigil-agent:usr/bin vigil-kernel-reader:usr/lib/vigil-agent vigil-docker-reader:usr/lib/vigil-agent; do
    [ -f "$root/${program#*:}/${program%:*}" ] || continue
    install -m 755 "$bin/${program%:*}-static" "$root/${program#*:}/${program%:*}"
    strip --strip-unneeded "$root/${program#*:}/${program%:*}"
  done
}

# The aggregator with its libraries and their loader in a folder of its own, and a script in its place.
bundle() {
  local home=usr/lib/vigil-aggregator library
  install -d "$root/$home/lib"
  mv "$root/usr/bin/vigil-aggregator" "$root/$home/vigil-aggregator"
  for library in $(libraries_of "$bin/vigil-aggregator"); do
    install -m 755 "$(readlink -f "$library")" "$root/$home/lib/${library##*/}"
  done
  cat >"$root/usr/bin/vigil-aggregator" <<'TXT'
#!/bin/sh
# The libraries it was built with, and their loader: this distribution's may be others.
home=/usr/lib/vigil-aggregator
exec "$home/lib/ld-linux-x86-64.so.2" --library-path "$home/lib" --argv0 vigil-aggregator "$home/vigil-aggregator" "$@"
TXT
  chmod 755 "$root/usr/bin/vigil-aggregator"
}

# What rpm is told of each file: folders are left to who owns them, but for ours.
file_list() {
  local file
  (cd "$root" && find . \( -type f -o -type l \) -printf '/%P\n' | sort) | while read -r file; do
    case $file in
      /etc/*) printf '%%config(noreplace) "%s"\n' "$file" ;;
      /usr/share/man/* | /usr/share/doc/*) printf '%%doc "%s"\n' "$file" ;;
      *) printf '"%s"\n' "$file" ;;
    esac
  done
}

make_rpm() {
  local package root work=$out/rpm
  rm -rf "$work" "$out"/vigil*.x86_64.rpm
  for package in vigil vigil-agent vigil-aggregator; do
    root=$work/root/$package
    mkdir -p "$work/root"
    cp -a "$roots/$package" "$root"
    without_debian
    static_programs
    [ "$package" != vigil-aggregator ] || bundle
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    file_list >"$work/$package.files"
    sed "s|@UPSTREAM@|$upstream|g; s|@RELEASE@|$revision|g; s|@ROOT@|$root|g; s|@FILES@|$work/$package.files|g" "packaging/rpm/$package.spec" >"$work/$package.spec"
    rpmbuild -bb --quiet --target x86_64 --define "_topdir $work" --define "_rpmdir $out" --define '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' \
      --define '_build_id_links none' --define '__os_install_post %{nil}' --define 'debug_package %{nil}' --define '_buildhost localhost' \
      --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' "$work/$package.spec" >/dev/null
  done
  rm -rf "$work"
}
