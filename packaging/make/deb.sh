# shellcheck shell=bash disable=SC2154
# .deb files of what layout.sh laid out. Sourced by packaging/build.

# The newest format of each kind of the aggregator's files: what it makes of an empty folder, as "meta=4 history=3 raw-=1 identity/identity=2".
formats() {
  local folder
  folder=$(mktemp -d)
  "$bin/vigil-aggregator" init --data-dir "$folder/data" --name localhost >/dev/null
  "$bin/vigil-aggregator" --data-dir "$folder/data" --grpc-listen 127.0.0.1:0 --http-listen 127.0.0.1:0 2>"$folder/log" &
  local child=$! tries=600
  until grep -q 'ready grpc=' "$folder/log" || ! kill -0 "$child" 2>/dev/null || [ "$tries" -eq 0 ]; do
    sleep 0.05
    tries=$((tries - 1))
  done
  sleep 1.5  # its own metrics are samples, too: they make the file of a day
  kill -TERM "$child"
  wait "$child" || { cat "$folder/log" >&2; return 1; }
  local file name found=()
  for file in "$folder"/data/*.db "$folder"/data/identity/*.db; do
    name=${file#"$folder/data/"}
    name=${name%.db}
    case $name in
      journal*) continue ;;  # replayed by the program that wrote it, and gone when it has stopped
      *-*) name=${name%%-*}- ;;
    esac
    found+=("$name=$(od -An -tu1 -j60 -N4 "$file" | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }')")
  done
  rm -rf "$folder"
  printf '%s\n' "${found[@]}" | sed -E 's/^raw-=(.*)/raw-=\1 minute-=\1 hour-=\1/' | sort -u | xargs  # one format for all partitions
}

# shared_libraries ROOT: what dpkg-shlibdeps finds for all programs of a package.
shared_libraries() {
  local folder
  folder=$(mktemp -d)
  mkdir "$folder/debian"
  printf 'Source: vigil\n\nPackage: vigil\nArchitecture: any\n' >"$folder/debian/control"
  (cd "$folder" && find "$1" -type f -perm -u+x -path '*/usr/*' -print0 | xargs -0 dpkg-shlibdeps -O) 2> >(grep -v 'should already be installed' >&2) | sed -n 's/^shlibs:Depends=//p'
  rm -rf "$folder"
}

# fill FILE: a template with its places filled in.
fill() {
  sed -e "s|@VERSION@|$version|g; s|@DEPENDS@|$depends|g; s|@SIZE@|$size|g; s|@MAINTAINER@|$maintainer|g" \
    -e "s|@FORMATS@|$formats|g" "$1"
}

make_deb() {
  local package root depends size script formats=''
  formats=$(formats)
  rm -f "$out"/vigil*_amd64.deb
  for package in vigil vigil-agent vigil-aggregator; do
    root=$roots/$package
    depends=$(shared_libraries "$root")
    size=$(du -k -s --apparent-size "$root" | cut -f1)
    mkdir "$root/DEBIAN"
    fill "packaging/deb/control.$package" >"$root/DEBIAN/control"
    for script in preinst postinst prerm postrm; do
      [ -f "packaging/deb/$package.$script" ] || continue
      fill "packaging/deb/$package.$script" >"$root/DEBIAN/$script"
      chmod 755 "$root/DEBIAN/$script"
    done
    if [ -f "packaging/deb/$package.triggers" ]; then install -m 644 "packaging/deb/$package.triggers" "$root/DEBIAN/triggers"; fi
    if [ -d "$root/etc" ]; then (cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"; fi
    if [ -f "packaging/deb/$package.lintian-overrides" ]; then put 644 "packaging/deb/$package.lintian-overrides" "usr/share/lintian/overrides/$package"; fi
    (cd "$root" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz -z3 --build "$root" "$out/${package}_${version}_amd64.deb" >/dev/null
    rm -rf "$root/DEBIAN" "$root/usr/share/lintian"
  done
}
