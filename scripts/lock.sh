#!/bin/sh
# Write requirements.lock: the versions that a plain install with the tools for tests chooses today.
# The oldest Python that we support chooses, so that the newer ones can take the same versions.
set -eu

python=$(PYTHON="${PYTHON:-python3.11}" scripts/python.sh)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"$python" -m venv "$room/venv"
URLLIB3_NO_OVERRIDE=1 "$room/venv/bin/pip" install --quiet --no-binary urllib3-future ".[dev]" # as the Makefile
{
    echo "# The tested set: make installs with it as constraints. 'make lock' writes it anew."
    "$room/venv/bin/pip" freeze --exclude crosscurrent
} >"$room/lock"
mv "$room/lock" requirements.lock
echo "requirements.lock: $(grep -c == requirements.lock) versions"
