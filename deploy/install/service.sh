# What starts the agent with the machine.

find_init() {
  if [ "$USER_MODE" = yes ]; then
    find_user_manager
    case $INIT in
      openrc) fail 'OpenRC starts nothing for users: leave --init openrc out.' ;;
      none) ;;
      *)
        if has systemctl && systemctl --user show-environment >/dev/null 2>&1; then
          INIT=systemd
        elif [ "$INIT" = systemd ] && [ "$IMAGE" = no ]; then
          fail "no systemd runs for this user: \"loginctl enable-linger $(user_name)\", as root, starts one; or leave --init systemd out."
        else
          INIT=${INIT:-none}
        fi
        ;;
    esac
  elif [ -z "$INIT" ]; then
    if [ -d /run/systemd/system ] && has systemctl; then
      INIT=systemd
    elif [ -x /sbin/openrc-run ] && has rc-service; then
      INIT=openrc
    elif [ "$IMAGE" = yes ] && has systemctl; then
      INIT=systemd
    elif [ "$IMAGE" = yes ] && has rc-update; then
      INIT=openrc
    else
      INIT=none
    fi
  fi
  UNIT=''
  case $INIT in
    systemd)
      UNITS=/etc/systemd/system TARGET=multi-user.target
      if [ "$USER_MODE" = yes ]; then UNITS=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user TARGET=default.target; fi
      UNIT=$UNITS/hearth-agent.service
      ;;
    openrc) UNIT=/etc/init.d/hearth-agent ;;
  esac
}

# KillMode, because services outlive their agent; Delegate, because it makes control groups for them.
write_systemd() {
  make_folder "$UNITS" 755
  make_folder "$UNITS/$TARGET.wants" 755
  cat >"$SCRATCH/unit" <<END
[Unit]
Description=Hearth agent: this machine as a node of its cluster
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart="$BIN/hearth-agent" run
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
KillMode=process
Delegate=yes
TimeoutStopSec=10

[Install]
WantedBy=$TARGET
END
  mv -f "$SCRATCH/unit" "$UNIT"
  # What "systemctl enable" does, and works on an image, too.
  ln -sf "$UNIT" "$UNITS/$TARGET.wants/hearth-agent.service"
  if [ "$IMAGE" = no ]; then systemctl_here daemon-reload; fi
}

write_openrc() {
  cat >"$SCRATCH/unit" <<END
#!/sbin/openrc-run
# Written by Hearth's install script; "hearth-agent uninstall" takes it away.
description="Hearth agent: this machine as a node of its cluster"
supervisor=supervise-daemon
command="$BIN/hearth-agent"
command_args=run
output_log="$VAR/run/log"
error_log="$VAR/run/log"
respawn_delay=5
respawn_max=0
retry="TERM/10/KILL/5"

depend() {
  use localmount net
}
END
  chmod 755 "$SCRATCH/unit"
  mv -f "$SCRATCH/unit" "$UNIT"
  rc-update -q add hearth-agent default
}

write_crontab() {
  if [ "$USER_MODE" = yes ] && [ -d /run/systemd/system ]; then
    say "no systemd runs for this user: \"loginctl enable-linger $(user_name)\", as root, starts one; run this again then"
  fi
  if ! has crontab; then
    say 'nothing here starts programs with the machine: after a restart run "hearth-agent start"'
    return
  fi
  crontab -l 2>/dev/null | grep -v '# hearth-agent$' >"$SCRATCH/crontab" || true
  printf '@reboot %s start # hearth-agent\n' "'$BIN/hearth-agent'" >>"$SCRATCH/crontab"
  if ! crontab "$SCRATCH/crontab"; then say 'the crontab may not be changed: after a restart run "hearth-agent start"'; fi
}
