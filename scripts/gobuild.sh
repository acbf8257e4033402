#!/bin/sh
# Build programs in Go for the tests into the cache folder, once for each version. Each is a folder beside this
# script. Ours are built as they lie there and known by a checksum; somebody else's are built by the recipe
# 'build' in the folder (which ends with what it made in 'built') and known by the version that go.mod requires.
#   scripts/gobuild.sh NAME...           build what is not there yet; only the result stays
#   scripts/gobuild.sh --built NAME...   only tell, by the status, whether all are there
#   scripts/gobuild.sh --path NAME       only tell where it is, or would be
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/crosscurrent
room=""
trap '[ -z "$room" ] || { chmod -R u+w "$room" && rm -rf "$room"; }' EXIT # Go's module cache is read-only

path() {
    if [ -e "$here/$1/build" ]; then
        mark=$(sed -n 's/^require [^ ]* v//p' "$here/$1/go.mod")
    else
        mark=$(cat "$here/$1"/* | cksum | cut -d ' ' -f 1)
    fi
    echo "$cache/$1-$mark"
}

build() {
    to=$(path "$1")
    [ ! -e "$to" ] || return 0
    echo "crosscurrent: building $1 into $to (some minutes, this once)"
    mkdir -p "$cache"
    room=$(mktemp -d "$to.XXXXXX")
    cp "$here/$1"/* "$room"
    cd "$room"
    [ -d "$(go env GOMODCACHE)" ] || export GOMODCACHE="$room/modules" GOCACHE="$room/cache"
    export GOFLAGS="-mod=mod -buildvcs=false"
    recipe="env CGO_ENABLED=0 go build -ldflags -s\ -w -o built ."
    [ ! -e build ] || recipe="sh -eu build"
    if ! eval "$recipe" >build.log 2>&1; then
        tail -n 40 build.log >&2
        echo "crosscurrent: $1 could not be built (above); it wants Go 1.24, the Go module proxy or your mirror in reach, and what scripts/$1/ says" >&2
        exit 1
    fi
    mv -T built "$to" || [ -e "$to" ] # somebody else was quicker
    cd "$here"
    chmod -R u+w "$room"
    rm -rf "$room"
    room=""
}

case "$1" in
--path) path "$2" ;;
--built)
    shift
    for name in "$@"; do [ -e "$(path "$name")" ] || exit 1; done
    ;;
*) for name in "$@"; do build "$name"; done ;;
esac
