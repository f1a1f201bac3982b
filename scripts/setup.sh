#!/usr/bin/env bash
# Installs what .ci/run needs on a Debian or Ubuntu machine that has Rust. Safe to run again.
# A C compiler is for the cryptography (aws-lc and ring build with it alone; no cmake), valgrind for
# scripts/gates.sh.
set -euo pipefail

readonly CARGO_DENY=0.20.2

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root or sudo for: $*"
  fi
}

# The OpenID provider and the TypeScript SDK's client, of the suite's identity tests, run on Node.js.
readonly NODE_MAJOR=20
has_node() {
  local version
  command -v npm >/dev/null || return 1
  version=$(node --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "$NODE_MAJOR" ]
}

missing=()
command -v curl >/dev/null || missing+=(curl ca-certificates)
command -v jq >/dev/null || missing+=(jq)
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v valgrind >/dev/null || missing+=(valgrind)
command -v redis-server >/dev/null || missing+=(redis-server)
# The server's programs alone, and no server that runs: the tests start their own. Debian keeps them out of the path.
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
has_node || missing+=(nodejs npm)
if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || die "no apt-get here; please install: ${missing[*]}"
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  # Debian's PostgreSQL makes a cluster and starts it, unless it is told not to.
  readonly NO_CLUSTER=/etc/postgresql-common/createcluster.d/bartizan.conf
  if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    as_root mkdir -p "${NO_CLUSTER%/*}"
    echo 'create_main_cluster = false' | as_root tee "$NO_CLUSTER" >/dev/null
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  as_root rm -f "$NO_CLUSTER"
fi

has_node || die "needs Node.js $NODE_MAJOR or later with npm, and the system's packages have none; please install it"
identity=$(cd "$(dirname "$0")/../tests/identity" && pwd)
installed=$identity/node_modules/.installed
if ! cmp -s "$identity/package-lock.json" "$installed"; then
  say "installing the OpenID provider and the TypeScript client"
  npm ci --prefix "$identity" --ignore-scripts --no-audit --no-fund --loglevel=error
  cp "$identity/package-lock.json" "$installed"
fi

command -v cargo >/dev/null || die "no cargo here; please install Rust (https://rustup.rs)"
for part in fmt clippy; do
  cargo "$part" --version >/dev/null 2>&1 && continue
  command -v rustup >/dev/null || die "no cargo $part here; please install it with your Rust"
  say "installing $part"
  case $part in fmt) rustup component add rustfmt ;; *) rustup component add "$part" ;; esac
done

if [ "$(cargo deny --version 2>/dev/null || true)" != "cargo-deny $CARGO_DENY" ]; then
  say "building cargo-deny $CARGO_DENY"
  # A target directory of its own: the workspace's may be elsewhere, and is not for tools. Not optimized: that takes
  # a third of the time, and a check a second longer.
  env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug "cargo-deny@$CARGO_DENY"
fi

say "ready"
