#!/bin/sh
# Make the passwords that docker-compose.yml needs, each in a file of secrets/, which git ignores. Those that are
# there stay. The folder is closed to others; the files are not, for each container reads its own under a user of
# its own.
set -eu

folder=$(dirname "$0")/../secrets
mkdir -p "$folder"
chmod 700 "$folder"
for name in mqtt_sensors mqtt_crosscurrent grafana_admin; do
    [ ! -s "$folder/$name" ] || continue
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$folder/$name"
    chmod 444 "$folder/$name"
    echo "crosscurrent: made secrets/$name"
done
