# What the agent and its command read.

settings_step() {
  # A node that is of this cluster keeps what it has.
  if [ "$THERE" = yes ]; then return; fi
  if [ "$IMAGE" = yes ]; then
    act "write $CONF/settings, without a supervisor: an image finds it by itself" write_settings
  elif [ -n "$TOKEN" ]; then
    act "write the token into $VAR/data/join-token (0600), from where the agent takes it" write_settings
  else
    act "write the supervisor's address into $CONF/settings (0600)" write_settings
  fi
}

write_settings() {
  old_umask=$(umask)
  umask 077
  {
    if [ "$IMAGE" = no ] && [ -n "$SAID_ADDRESS" ]; then printf 'HEARTH_SUPERVISOR=%s\n' "$SAID_ADDRESS"; fi
    if [ -n "$SAID_CLUSTER" ]; then printf 'HEARTH_CLUSTER=%s\n' "$SAID_CLUSTER"; fi
    if [ -n "$NODE_ID" ]; then printf 'HEARTH_NODE=%s\n' "$NODE_ID"; fi
  } >"$SCRATCH/settings"
  mv -f "$SCRATCH/settings" "$CONF/settings"
  if [ "$IMAGE" = no ] && [ -n "$TOKEN" ]; then
    make_folder "$VAR/data" 700
    printf '%s\n' "$TOKEN" >"$SCRATCH/token"
    mv -f "$SCRATCH/token" "$VAR/data/join-token"
  fi
  umask "$old_umask"
}

write_command() {
  LINGER=no
  if [ -f "$LIB/layout" ] && grep -q '^LINGER=yes$' "$LIB/layout"; then LINGER=yes; fi
  if [ "$INIT$USER_MODE" = systemdyes ] && [ ! -e "/var/lib/systemd/linger/$(user_name)" ]; then
    # Without it a user's agent ends when the user logs out.
    if loginctl enable-linger "$(user_name)" >/dev/null 2>&1; then
      LINGER=yes
    else
      say "this agent ends when you log out: \"loginctl enable-linger $(user_name)\", as root, keeps it running"
    fi
  fi
  cat >"$SCRATCH/layout" <<END
VERSION=$VERSION
AGENT=$LIB/$AGENT
NODE=$NODE
BIN=$BIN
CONF=$CONF
VAR=$VAR
INIT=$INIT
UNIT=$UNIT
TARGET=${TARGET:-}
USER_MODE=$USER_MODE
LINGER=$LINGER
END
  rm -f "$LIB/trial" "$LIB/put-back"
  mv -f "$SCRATCH/layout" "$LIB/layout"
  cat >"$SCRATCH/command" <<END
#!/bin/sh
# Written by Hearth's install script; "hearth-agent uninstall" takes it away.
# The one that is installed also looks after another that is on trial ($LIB/trial).
agent=\$(sed -n 's/^AGENT=//p' '$LIB/layout')
exec "\$agent/hearth-agent" '$LIB' "\$@"
END
  chmod 755 "$SCRATCH/command"
  mv -f "$SCRATCH/command" "$BIN/hearth-agent"
}
