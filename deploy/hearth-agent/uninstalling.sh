# Away with all of it.

uninstall() {
  need_rights
  say 'stopping the agent and its services'
  leave_service
  stop_services
  put_files_back
  if [ "$LINGER" = yes ]; then loginctl disable-linger "$(user_name)" >/dev/null 2>&1 || true; fi
  made=$(sort -r "$LIB/made" 2>/dev/null) || made=''
  rm -f "$BIN/hearth-agent"
  rm -rf "$CONF" "$VAR" "$LIB"
  # Folders that the installation made, if nobody else has put anything there.
  printf '%s\n' "$made" | while IFS= read -r folder; do
    if [ -d "$folder" ]; then rmdir "$folder" 2>/dev/null || true; fi
  done
  say 'nothing of it is left on this machine; on the supervisor, "hearth revoke NODE" takes its certificate back'
}

# Nothing starts it with the machine any more. Its services run on.
leave_service() {
  need_rights
  case $INIT in
    none) stop ;;
    *) if [ -e "$UNIT" ]; then stop || true; fi ;;
  esac
  case $INIT in
    systemd)
      rm -f "$UNIT" "${UNIT%/*}/$TARGET.wants/hearth-agent.service"
      systemctl_here daemon-reload 2>/dev/null || true
      systemctl_here reset-failed hearth-agent 2>/dev/null || true
      ;;
    openrc)
      rc-update -q del hearth-agent default || true
      rm -f "$UNIT"
      ;;
    none) drop_crontab ;;
  esac
}

# Services outlive their agent. One that is told to end them when it ends finds all of them, whoever started them: it is started
# without a network to ask, and ended as soon as it holds its folder.
stop_services() {
  if [ ! -e "$VAR/data/identity.json" ] || [ ! -x "$NODE" ]; then return; fi
  environment
  unset HEARTH_SUPERVISOR HEARTH_NODE HEARTH_CLUSTER
  export HEARTH_STOP_SERVICES=true
  "$NODE" "$AGENT/agent.js" </dev/null >/dev/null 2>&1 &
  agent=$!
  tries=0
  until grep -qs "\"pid\":$agent," "$VAR/data/agent.lock" || ! kill -0 "$agent" 2>/dev/null || [ "$tries" -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
  done
  kill -TERM "$agent" 2>/dev/null || true
  wait "$agent" || say 'some services may still run'
}

# What was at files' paths before Hearth lies in the folder that goes. Packages stay, as whoever wanted them may say elsewhere.
put_files_back() {
  if [ ! -e "$VAR/data/items/files.json" ] || [ ! -x "$NODE" ]; then return; fi
  say 'putting back what was there before'
  if "$NODE" "$AGENT/agent.js" --take-back --data "$VAR/data" </dev/null; then return; fi
  kept=$VAR.originals
  if [ ! -e "$kept" ] && mv "$VAR/data/items" "$kept" 2>/dev/null; then
    say "some of it could not be put back: it is kept in $kept"
  fi
}

drop_crontab() {
  if ! has crontab || ! crontab -l 2>/dev/null | grep -q '# hearth-agent$'; then return; fi
  rest=$(crontab -l | grep -v '# hearth-agent$') || rest=''
  if [ -n "$rest" ]; then printf '%s\n' "$rest" | crontab -; else crontab -r; fi
}
