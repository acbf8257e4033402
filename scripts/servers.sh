#!/bin/sh
# Provide what the tests need and pip can't bring: mosquitto (a broker that is not ours), Chromium (which reads
# the console's pages), Alertmanager, Kafka and InfluxDB. Kafka's jars come from Maven Central into the cache
# folder; InfluxDB is built there (scripts/gobuild.sh), as are readers of Grafana's files and of what we deploy;
# Java, Maven, Go and the rest are Debian packages. What is there already stays untouched.
set -eu

pom=$(dirname "$0")/kafka/pom.xml
version=$(sed -n 's/.*<artifactId>kafka_2.13<.*<version>\(.*\)<\/version>.*/\1/p' "$pom")
jars=${XDG_CACHE_HOME:-$HOME/.cache}/crosscurrent/kafka-$version

missing=""
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v chromium >/dev/null || missing="$missing chromium"
command -v prometheus-alertmanager >/dev/null || missing="$missing prometheus-alertmanager"
command -v java >/dev/null || missing="$missing default-jre-headless"
[ -d "$jars" ] || command -v mvn >/dev/null || missing="$missing maven"
gobuild=$(dirname "$0")/gobuild.sh
"$gobuild" --built strict deploy || command -v go >/dev/null || missing="$missing golang-go"
if ! "$gobuild" --built influxd; then
    command -v go >/dev/null || missing="$missing golang-go" # apt-get takes a name twice
    command -v cargo >/dev/null || missing="$missing cargo"
    command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
    command -v pkg-config >/dev/null || missing="$missing pkg-config"
fi

fetch_kafka() {
    [ ! -d "$jars" ] || return 0
    echo "crosscurrent: fetching Kafka $version from Maven Central into $jars"
    mkdir -p "$(dirname "$jars")"
    room=$(mktemp -d "$jars.XXXXXX")
    if ! mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$room" >&2; then
        rm -rf "$room"
        echo "crosscurrent: Maven could not fetch Kafka (above); is Maven Central, or your mirror in ~/.m2/settings.xml, in reach?" >&2
        exit 1
    fi
    mv -T "$room" "$jars" || { rm -rf "$room"; [ -d "$jars" ]; } # somebody else was quicker
}

if [ -z "$missing" ]; then
    fetch_kafka
    exec "$gobuild" strict deploy influxd
fi

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null; then
    echo "crosscurrent: the tests need$missing; install them (Debian, Ubuntu: apt-get install$missing) and try again" >&2
    exit 1
fi

# Debian starts mosquitto and Alertmanager as services as soon as they are installed. The tests start their own
# on free ports, so while we install, services stay down, and these stay off after the next boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
echo "crosscurrent: installing$missing for the tests"
$as_root apt-get -qq update
# shellcheck disable=SC2086  # a list of package names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
for service in mosquitto prometheus-alertmanager; do
    case "$missing" in
    *$service*)
        if command -v systemctl >/dev/null; then
            $as_root systemctl disable $service.service >/dev/null 2>&1 || true # no systemd at work: nothing to turn off
        fi
        ;;
    esac
done
fetch_kafka
"$gobuild" strict deploy influxd
