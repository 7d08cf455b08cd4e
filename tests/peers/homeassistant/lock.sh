#!/bin/sh
# Writes requirements.txt from requirements.in: every package with its version, and with the hashes of the files for
# Linux on x86-64 and arm64. Needs Python 3.11 or newer with venv, and PyPI.
set -eu
cd "$(dirname "$0")"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
pip=$place/venv/bin/pip
"$pip" install -q --upgrade pip uv
release=$(sed -n 's/^homeassistant==//p' requirements.in)
# What Home Assistant itself holds back: a file in its wheel.
"$pip" download -q --no-deps --only-binary=:all: --python-version 3.14.99 -d "$place" "homeassistant==$release"
python3 -c 'import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read("homeassistant/package_constraints.txt").decode())' \
  "$place"/homeassistant-*.whl >"$place/constraints.txt"
UV_SYSTEM_CERTS=1 "$place/venv/bin/uv" pip compile -q --no-cache --no-annotate --no-header --python-version 3.14.2 \
  --python-platform linux -c "$place/constraints.txt" -o "$place/pinned.txt" requirements.in
for machine in x86_64 aarch64; do
  "$pip" install -q --dry-run --ignore-installed --no-deps --target "$place/none" --python-version 3.14.99 \
    --platform "manylinux_2_34_$machine" --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" \
    --platform "manylinux2014_$machine" --report "$place/report-$machine.json" -r "$place/pinned.txt"
done
python3 - "$place" >"$place/requirements.txt" <<'END'
import json, sys
hashes = {}
for machine in ('x86_64', 'aarch64'):
    with open(f'{sys.argv[1]}/report-{machine}.json') as report:
        for item in json.load(report)['install']:
            pin = f"{item['metadata']['name'].lower()}=={item['metadata']['version']}"
            hashes.setdefault(pin, {})[item['download_info']['archive_info']['hashes']['sha256']] = True
print('# Written by lock.sh from requirements.in.')
for pin in sorted(hashes):
    print(' \\\n    '.join([pin, *(f'--hash=sha256:{one}' for one in hashes[pin])]))
END
mv "$place/requirements.txt" requirements.txt
