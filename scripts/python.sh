#!/bin/sh
# Print the first Python on the PATH that can carry us: 3.11 to 3.13, with venv and pip inside.
# PYTHON=... in the environment names one by hand.
set -eu

unfit=""
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$candidate"
            exit 0
        fi
        unfit="$unfit $candidate"
    fi
done

if [ -n "$unfit" ]; then
    echo "crosscurrent: found$unfit, but without venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
else
    echo "crosscurrent: needs Python 3.11, 3.12 or 3.13, and found none as ${PYTHON:-python3.13, python3.12, python3.11 or python3}" >&2
fi
exit 1
