# What both scripts say, and how.

say() { printf '%s\n' "hearth: $*"; }

fail() {
  printf '%s\n' "hearth: $*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }
