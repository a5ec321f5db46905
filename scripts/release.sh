#!/usr/bin/env bash
# Creates the files of a release: programs with and without Kafka's client, a Debian package, the Helm chart, NOTICE and
# SBOM, and the checksums of all of them.
#
#   scripts/release.sh [--output FOLDER] [--programs FOLDER]
#
# The same commit makes the same files, byte for byte, with the same compiler, in any folder: paths are mapped away, and
# the commit's time is the time of everything. `--programs` uses existing programs, as tests do.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

output=target/release-files programs=''
while (($#)); do
  case $1 in
    --output) output=$2 ;;
    --programs) programs=$2 ;;
    *) fail "usage: scripts/release.sh [--output FOLDER] [--programs FOLDER]" ;;
  esac
  shift 2
done
if [[ -z $programs && -n $(git status --porcelain) ]]; then
  fail "There are changes that are in no commit; a release is one commit, and nothing else."
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
machine=$(uname -m)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
FANFARE_COMMIT=$(git rev-parse HEAD)
export FANFARE_COMMIT CARGO_INCREMENTAL=0
# The last one repeats .cargo/config.toml, which this variable replaces.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$ROOT=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo -Clink-arg=-Wl,--wrap=rd_kafkap_leader_discovery_set_topic"
rm -rf "$output"
mkdir -p "$output"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# archive NAME FOLDER: a folder as a tar that does not reveal who made it, and when.
archive() {
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -C "$2/.." -c "${2##*/}" |
    gzip -9n >"$output/$1.tar.gz"
}

# programs_of NAME FOLDER [CARGO OPTIONS...]: programs with a set of features, and their materials.
programs_of() {
  local name=$1 built=$2 place=$tree/$1
  shift 2
  scripts/bill-of-materials.py --page web --notice "$place/NOTICE" --sbom "$output/$name.cdx.json" -- "$@" >/dev/null
  for program in fanfare fanfare-relay; do
    install -m 0755 "$built/$program" "$place/$program"
    strip "$place/$program"
  done
  cp LICENSE CHANGELOG.md "$place"
  archive "$name" "$place"
}

whole=fanfare-$version-linux-$machine small=fanfare-nats-$version-linux-$machine
if [[ -n $programs ]]; then
  programs_of "$whole" "$programs"
else
  scripts/web.sh
  cargo build --release --locked -p fanfare-fanout -p fanfare-relay
  programs_of "$whole" target/release
  cargo build --release --locked --target-dir target/release-nats --no-default-features --features nats -p fanfare-fanout -p fanfare-relay
  programs_of "$small" target/release-nats/release --no-default-features --features nats
fi
scripts/deb.sh --programs "$tree/$whole" --notice "$tree/$whole/NOTICE" --output "$output" >/dev/null

if [[ -x $TOOLS/helm/helm ]] || has helm; then
  # Helm dates its packages; the chart is packed here, as `helm package` would.
  cp -rL deploy/helm/fanfare "$tree/chart"
  rm -rf "$tree/chart/ci"
  mv "$tree/chart" "$tree/fanfare"
  archive "fanfare-chart-$version" "$tree/fanfare"
  mv "$output/fanfare-chart-$version.tar.gz" "$output/fanfare-chart-$version.tgz"
else
  warn "There is no Helm to check the chart with; it is left out."
fi

(cd "$output" && sha256sum -- * >SHA256SUMS)
say "$version at $FANFARE_COMMIT:"
cat "$output/SHA256SUMS"
