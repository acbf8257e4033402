#!/bin/sh
# Build the reader that checks docker-compose.yml and the Kubernetes manifests (scripts/deploy/) into the cache
# folder, once for each version of it. Takes some two minutes; wants Go, which scripts/servers.sh looks after. With
# --built it only tells (by its status) whether it is there, with --path where.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
binary=${XDG_CACHE_HOME:-$HOME/.cache}/crosscurrent/deploy-$(cat "$here"/deploy/* | cksum | cut -d ' ' -f 1)
[ "${1:-}" != --path ] || exec echo "$binary"
[ ! -x "$binary" ] || exit 0
[ "${1:-}" != --built ] || exit 1

echo "crosscurrent: building the reader of what we deploy into $binary (two minutes, this once)"
mkdir -p "$(dirname "$binary")"
room=$(mktemp -d "$binary.XXXXXX")
trap 'chmod -R u+w "$room" && rm -rf "$room"' EXIT # Go's module cache is read-only
cp "$here"/deploy/* "$room"
cd "$room"
[ -d "$(go env GOMODCACHE)" ] || export GOMODCACHE="$room/modules" GOCACHE="$room/cache"
if ! GOFLAGS=-mod=mod CGO_ENABLED=0 go build -ldflags "-s -w" -o deploy . >build.log 2>&1; then
    tail -n 20 build.log >&2
    echo "crosscurrent: the reader could not be built (above); it wants Go 1.24 and the Go module proxy, or your mirror, in reach" >&2
    exit 1
fi
mv deploy "$binary"
