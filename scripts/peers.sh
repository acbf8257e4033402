#!/bin/sh
# Provide the peers that benchmarks measure us against, in the cache folder, so that the project's own
# environment stays as it is. What is there already stays untouched.
#   scripts/peers.sh telegraf      built by Go with the four plugins that benchmarks/collector.py needs; Go keeps
#                                  some 1.4 GB of its own caches ('go clean -cache -modcache' frees them)
#   scripts/peers.sh telegraf_influx   the same with those that benchmarks/influx.py needs
#   scripts/peers.sh quixstreams   in a virtual environment of its own: it wants older versions than we test with
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/crosscurrent
mkdir -p "$cache"
room=""
trap '[ -z "$room" ] || rm -rf "$room"' EXIT

telegraf() {
    build_telegraf telegraf "inputs.mqtt_consumer,outputs.kafka,parsers.value,serializers.json"
}

telegraf_influx() {
    build_telegraf telegraf-influx "inputs.file,outputs.influxdb_v2,parsers.influx,serializers.influx"
}

build_telegraf() {
    version=v1.37.2
    binary=$cache/$1-$version
    [ ! -x "$binary" ] || return 0
    if ! command -v go >/dev/null; then
        echo "crosscurrent: the benchmarks of collector and sink build Telegraf, which needs Go (Debian, Ubuntu: apt-get install golang; or https://go.dev/dl)" >&2
        exit 1
    fi
    room=$(mktemp -d "$binary.XXXXXX")
    echo "crosscurrent: building Telegraf $version into $binary (some minutes)"
    GOBIN=$room go install -tags "custom,$2" \
        "github.com/influxdata/telegraf/cmd/telegraf@$version"
    mv "$room/telegraf" "$binary"
}

quixstreams() {
    version=3.28.1
    folder=$cache/quixstreams-$version
    [ ! -e "$folder/complete" ] || return 0
    python=$("$(dirname "$0")/python.sh")
    echo "crosscurrent: installing Quix Streams $version into $folder"
    "$python" -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "quixstreams==$version"
    touch "$folder/complete"
}

for peer in "$@"; do "$peer"; done
