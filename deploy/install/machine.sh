# What this machine is, and which Node runs on it.

find_tools() {
  missing=''
  for tool in uname id mktemp tar gzip tr cut od df head tail sed grep sort; do
    if ! has "$tool"; then missing="$missing $tool"; fi
  done
  if [ -n "$missing" ]; then fail "this machine lacks$missing: install that and run this again."; fi
  if has curl; then
    FETCH=curl
  elif has wget; then
    FETCH=wget
  else
    fail 'this machine has neither curl nor wget: install one of them and run this again.'
  fi
  if has sha256sum; then
    SUM=sha256sum
  elif has shasum; then
    SUM='shasum -a 256'
  else
    fail 'this machine has no sha256sum, so that nothing can be checked: install coreutils and run this again.'
  fi
}

find_machine() {
  if [ "$(uname -s)" != Linux ]; then
    fail "this script installs on Linux; on $(uname -s) install Node 20.11 or newer and the agent by npm."
  fi
  # A 32-bit system on a 64-bit kernel, as many a Raspberry Pi has: byte 5 of a program says which (ELF).
  WIDTH=$(od -An -tx1 -j4 -N1 /bin/sh | tr -d ' \n')
  case $(uname -m)-$WIDTH in
    x86_64-02) ARCH=x64 ;;
    aarch64-02) ARCH=arm64 ;;
    aarch64-01 | armv7*-01 | armv8*-01) ARCH=armv7l ;;
    *) ARCH=other ;;
  esac
  NODE_MISSING='' NODE_VERSION='' NODE_SHA256='' NODE_SIZE=0
  case $ARCH in
    x64)
      NODE_MISSING=${NODE_MISSING_X64:-} NODE_VERSION=${NODE_VERSION_X64:-}
      NODE_SHA256=${NODE_SHA256_X64:-} NODE_SIZE=${NODE_SIZE_X64:-0}
      ;;
    arm64)
      NODE_MISSING=${NODE_MISSING_ARM64:-} NODE_VERSION=${NODE_VERSION_ARM64:-}
      NODE_SHA256=${NODE_SHA256_ARM64:-} NODE_SIZE=${NODE_SIZE_ARM64:-0}
      ;;
    armv7l)
      NODE_MISSING=${NODE_MISSING_ARMV7L:-} NODE_VERSION=${NODE_VERSION_ARMV7L:-}
      NODE_SHA256=${NODE_SHA256_ARMV7L:-} NODE_SIZE=${NODE_SIZE_ARMV7L:-0}
      ;;
    *) NODE_MISSING="There is none for $(uname -m)$(if [ "$WIDTH" = 01 ]; then echo ', 32 bits'; fi)." ;;
  esac
  # Node's own builds need glibc.
  if [ -z "$NODE_MISSING" ] && ! has_glibc; then NODE_MISSING='This system has no glibc, which it needs.'; fi
  NODE_FROM=supervisor
  if [ -n "$NODE_MISSING" ]; then
    if ! find_own_node; then
      fail "the supervisor has no Node for this machine ($NODE_MISSING) Install Node 20.11 or newer here ($(node_hint)) and run this again."
    fi
    NODE_FROM=machine
  fi
}

has_glibc() {
  for loader in /lib/ld-linux* /lib64/ld-linux* /lib/*/ld-linux*; do
    if [ -e "$loader" ]; then return 0; fi
  done
  return 1
}

node_hint() { if has apk; then echo 'apk add nodejs'; else echo 'from your distribution or nodejs.org'; fi; }

# Node 20.11 or newer that is here already.
find_own_node() {
  NODE=$(command -v node 2>/dev/null) || return 1
  case $NODE in *[!A-Za-z0-9/._@+-]*) return 1 ;; /*) ;; *) return 1 ;; esac
  owner=$(owner_of "$NODE")
  if [ "$owner" != 0 ] && [ "$owner" != "$(id -u)" ]; then
    fail "$NODE belongs to another user, who could change what runs here: install Node 20.11 or newer for the whole machine and run this again."
  fi
  NODE_VERSION=$("$NODE" --version 2>/dev/null) || return 1
  NODE_VERSION=${NODE_VERSION#v}
  major=${NODE_VERSION%%.*}
  minor=${NODE_VERSION#*.}
  minor=${minor%%.*}
  case $major$minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -ge 11 ]; }
}
