#!/bin/sh
# Build InfluxDB 2 from its Go module into the cache folder, once for each version: there is no package of it.
# Takes some four minutes and 3 GB of temporary room; only the binary (90 MB) stays. Wants Go, Rust, gcc and
# pkg-config, which scripts/servers.sh looks after. With --built it only tells (by its status) whether it is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^require github.com\/influxdata\/influxdb\/v2 v//p' "$here/influxd/go.mod")
binary=${XDG_CACHE_HOME:-$HOME/.cache}/crosscurrent/influxd-$version
[ ! -x "$binary" ] || exit 0
[ "${1:-}" != --built ] || exit 1

echo "crosscurrent: building InfluxDB $version into $binary (some minutes, this once)"
mkdir -p "$(dirname "$binary")"
room=$(mktemp -d "$binary.XXXXXX")
trap 'chmod -R u+w "$room" && rm -rf "$room"' EXIT # Go's module cache is read-only
cp "$here"/influxd/* "$room"
cd "$room"

[ -d "$(go env GOMODCACHE)" ] || export GOMODCACHE="$room/modules" GOCACHE="$room/cache"
# A part of it is Rust, which asks for a toolchain of its own and takes warnings for errors: neither is needed.
if command -v rustup >/dev/null; then
    RUSTUP_TOOLCHAIN=$(rustup show active-toolchain | cut -d ' ' -f 1)
    export RUSTUP_TOOLCHAIN
fi
cat >rustc <<'WRAPPER'
#!/bin/sh
case "$*" in *--cap-lints*) exec "$@" ;; *) exec "$@" --cap-lints warn ;; esac
WRAPPER
chmod +x rustc
export RUSTC_WRAPPER="$room/rustc" GOBIN="$room" GOFLAGS="-mod=mod -buildvcs=false" CGO_ENABLED=1
if ! {
    go install github.com/influxdata/pkg-config@v0.2.14 &&
        PKG_CONFIG="$room/pkg-config" go build -tags sqlite_foreign_key,sqlite_json \
            -ldflags "-s -w -X main.version=v$version" -o influxd github.com/influxdata/influxdb/v2/cmd/influxd
} >build.log 2>&1; then
    tail -n 40 build.log >&2
    echo "crosscurrent: InfluxDB could not be built (above); it wants Go 1.22 and Rust 1.72 or newer, and the Go module proxy and crates.io, or your mirrors, in reach" >&2
    exit 1
fi
mv influxd "$binary"
