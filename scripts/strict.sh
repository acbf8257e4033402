#!/bin/sh
# Build the reader that checks boards and rules by Grafana's own models (scripts/strict/) into the cache folder,
# once for each version of them. Takes a minute; wants Go, which scripts/servers.sh looks after. With --built it
# only tells (by its status) whether it is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/.*grafana-foundation-sdk\/go v//p' "$here/strict/go.mod")
binary=${XDG_CACHE_HOME:-$HOME/.cache}/crosscurrent/strict-$version-$(cksum <"$here/strict/strict.go" | cut -d ' ' -f 1)
[ ! -x "$binary" ] || exit 0
[ "${1:-}" != --built ] || exit 1

echo "crosscurrent: building the reader by Grafana's models into $binary (a minute, this once)"
mkdir -p "$(dirname "$binary")"
room=$(mktemp -d "$binary.XXXXXX")
trap 'chmod -R u+w "$room" && rm -rf "$room"' EXIT # Go's module cache is read-only
cp "$here"/strict/* "$room"
cd "$room"
[ -d "$(go env GOMODCACHE)" ] || export GOMODCACHE="$room/modules" GOCACHE="$room/cache"
if ! GOFLAGS=-mod=mod CGO_ENABLED=0 go build -ldflags "-s -w" -o strict . >build.log 2>&1; then
    tail -n 20 build.log >&2
    echo "crosscurrent: the reader could not be built (above); it wants Go 1.21 and the Go module proxy, or your mirror, in reach" >&2
    exit 1
fi
mv strict "$binary"
