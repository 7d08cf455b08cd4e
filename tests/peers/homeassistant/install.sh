#!/bin/sh
# Home Assistant itself, as PyPI has it, for the tests beside this file; prints the folder it is in.
#
# Its releases want a newer Python than Debian's stable one, so it lives in a small root of the suite that has it. Made once
# per requirements.txt and kept in $HEARTH_PEERS_CACHE (/var/cache/hearth-peers). Needs root, debootstrap, about 1.2 GB.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${HEARTH_PEERS_CACHE:-/var/cache/hearth-peers}
mirror=${HEARTH_TEST_MIRROR:-http://deb.debian.org/debian}
python=python3.14
PATH=$PATH:/usr/sbin:/sbin

key=$(cat "$here/requirements.txt" "$0" | sha256sum | cut -c1-12)
kept=$cache/homeassistant-$key
if [ -d "$kept" ]; then
  echo "$kept"
  exit 0
fi

fail() {
  echo "install.sh: $1" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || fail 'only root can make a Debian root: run it as root'
command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install debootstrap'

mkdir -p "$cache"
exec 9>"$cache/homeassistant.lock"
flock 9
if [ -d "$kept" ]; then
  echo "$kept"
  exit 0
fi

making=$cache/making.$$
trap 'rm -rf "$making"' EXIT
trap 'exit 1' INT TERM HUP
log=$cache/homeassistant-install.log
scripts=${DEBOOTSTRAP_DIR:-/usr/share/debootstrap}/scripts

# Testing has it now; when testing has moved on, or not got it yet, unstable may still have it.
made=
for suite in forky sid; do
  rm -rf "$making"
  # An older debootstrap does not know a newer suite by name; all of them are made like unstable.
  if debootstrap --variant=minbase "--include=$python,$python-venv,ca-certificates" "$suite" "$making" "$mirror" \
    "$scripts/sid" >"$log" 2>&1 9>&-; then
    made=$suite
    break
  fi
done
[ -n "$made" ] || {
  tail -n 20 "$log" >&2
  fail "no Debian root with $python: see $log"
}

# What this machine needs to reach a registry: names, and the authorities that it trusts.
cp /etc/resolv.conf /etc/hosts "$making/etc/"
cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$making/etc/ssl/certs/ca-certificates.crt"
cp "$here/requirements.txt" "$making/root/requirements.txt"
awk '/^uv==/ { ours = 1; print; next } /^ / { if (ours) print; next } { ours = 0 }' "$here/requirements.txt" >"$making/root/uv.txt"
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt UV_SYSTEM_CERTS=1
unset PIP_FIND_LINKS
# shellcheck disable=SC2016 # the shell in there expands it
chroot "$making" /bin/sh -euc '
  export HOME=/root PATH=/usr/bin:/bin
  "$1" -m venv /opt/ha
  /opt/ha/bin/pip install --no-cache-dir --require-hashes --no-deps -r /root/uv.txt
  /opt/ha/bin/uv pip install --python /opt/ha/bin/python --no-cache --require-hashes --no-deps -r /root/requirements.txt
' sh "$python" >>"$log" 2>&1 9>&- || {
  tail -n 20 "$log" >&2
  fail "Home Assistant cannot be installed: see $log"
}
# Two parts of voice control would have to be compiled. Nobody talks to this one, but its pages want to import them.
site=$making/opt/ha/lib/$python/site-packages
printf 'class MicroVad:\n    pass\n' >"$site/pymicro_vad.py"
printf 'class AudioProcessor:\n    pass\n' >"$site/pyspeex_noise.py"
rm -rf "$making/var/cache/apt" "$making/var/lib/apt/lists"
# It is to reach brokers on loopback, and nobody else: no name leads anywhere.
printf 'nameserver 127.0.0.1\n' >"$making/etc/resolv.conf"
mkdir -p "$making/config"
mv "$making" "$kept"

# Those of other versions, which nobody uses now.
for other in "$cache"/homeassistant-????????????; do
  if [ "$other" != "$kept" ] && [ -d "$other" ]; then rm -rf "$other"; fi
done
echo "$kept"
