#!/usr/bin/env bash
# Creates a Debian package of existing programs.
#
#   scripts/deb.sh [--programs FOLDER] [--notice FILE] [--output FOLDER]
#
# FOLDER is target/release by default. The same programs make the same package, byte for byte: SOURCE_DATE_EPOCH is the
# time of all its files, by default that of the newest commit.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

programs=target/release notice='' output=target/package
while (($#)); do
  case $1 in
    --programs) programs=$2 ;;
    --notice) notice=$2 ;;
    --output) output=$2 ;;
    *) fail "usage: scripts/deb.sh [--programs FOLDER] [--notice FILE] [--output FOLDER]" ;;
  esac
  shift 2
done
has dpkg-deb || fail "dpkg-deb is missing; it is part of Debian's package dpkg."
for program in fanfare fanfare-relay; do
  [[ -x $programs/$program ]] || fail "$programs/$program is missing: cargo build --release -p fanfare-fanout -p fanfare-relay makes it"
done

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
architecture=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
umask 022

# put FILE PLACE [MODE]: adds a file to the package.
put() { install -D -m "${3:-0644}" "$1" "$tree/$2"; }

for program in fanfare fanfare-relay; do
  put "$programs/$program" "usr/bin/$program" 0755
  if has strip; then strip "$tree/usr/bin/$program"; fi
done
for unit in fanfare fanfare-relay; do
  put "deploy/systemd/$unit.service" "usr/lib/systemd/system/$unit.service"
done
put deploy/systemd/fanfare.sysusers usr/lib/sysusers.d/fanfare.conf
put deploy/deb/fanfare.toml etc/fanfare/fanfare.toml
put deploy/deb/routes.toml etc/fanfare/routes/routes.toml
install -d -m 0750 "$tree/etc/fanfare/secrets"
for document in docs/*.md; do
  put "$document" "usr/share/doc/fanfare/${document##*/}"
done
put LICENSE usr/share/doc/fanfare/copyright
[[ -z $notice ]] || put "$notice" usr/share/doc/fanfare/NOTICE
gzip -9n <CHANGELOG.md >"$tree/usr/share/doc/fanfare/changelog.gz"

# The C library with which the programs were linked, or a newer one; and OpenSSL, if Kafka's client is included.
glibc=$(objdump -T "$tree"/usr/bin/* 2>/dev/null | grep -o 'GLIBC_2\.[0-9]*' | sort -uV | tail -n 1 | cut -d _ -f 2)
depends="libc6 (>= ${glibc:-2.36}), libgcc-s1, ca-certificates"
# Read whole: with `grep -q` the pipe breaks now and then, and the package would lack the line.
if [[ $(ldd "$tree/usr/bin/fanfare") == *libssl.so.3* ]]; then
  depends+=", libssl3 | libssl3t64, zlib1g"
fi
install -d "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: fanfare
Version: $version
Architecture: $architecture
Maintainer: Fanfare <maintainers@fanfare.invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
Depends: $depends
Section: net
Priority: optional
Description: notification fan-out for SignalR clients
 Fanfare turns the events of services into notifications in every open browser
 tab. Browsers keep the official SignalR client. Events come from NATS
 JetStream, Apache Kafka or a log inside of the node.
CONTROL
printf '%s\n' /etc/fanfare/fanfare.toml /etc/fanfare/routes/routes.toml >"$tree/DEBIAN/conffiles"
for script in postinst prerm postrm; do
  install -m 0755 "deploy/deb/$script" "$tree/DEBIAN/$script"
done
(cd "$tree" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

mkdir -p "$output"
package=$output/fanfare_${version}_$architecture.deb
dpkg-deb --build --root-owner-group -Zgzip -z6 "$tree" "$package" >/dev/null
say "$package"
