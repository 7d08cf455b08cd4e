# What the install script wrote down.

# What the install script found and decided; read line by line, since a shell that ran it would run anything in it.
read_layout() {
  if [ ! -f "$LIB/layout" ]; then fail "$LIB/layout is missing: run the install script again."; fi
  VERSION='' AGENT='' NODE='' BIN='' CONF='' VAR='' INIT='' UNIT='' TARGET='' USER_MODE='' LINGER=''
  while IFS= read -r line; do
    value=${line#*=}
    case ${line%%=*} in
      VERSION) VERSION=$value ;;
      AGENT) AGENT=$value ;;
      NODE) NODE=$value ;;
      BIN) BIN=$value ;;
      CONF) CONF=$value ;;
      VAR) VAR=$value ;;
      INIT) INIT=$value ;;
      UNIT) UNIT=$value ;;
      TARGET) TARGET=$value ;;
      USER_MODE) USER_MODE=$value ;;
      LINGER) LINGER=$value ;;
    esac
  done <"$LIB/layout"
  if [ "$USER_MODE" = yes ]; then find_user_manager; fi
  PID_FILE=$VAR/run/pid LOG=$VAR/run/log READY=$VAR/run/ready
}

need_rights() {
  if [ "$USER_MODE" = no ] && [ "$(id -u)" != 0 ]; then fail "only root may do this: put \"sudo\" before it."; fi
}

# The agent's settings are its environment, and what the shell that starts it was told of other clusters is not.
environment() {
  unset HEARTH_BROKER HEARTH_BASE HEARTH_CLUSTER HEARTH_NODE HEARTH_SUPERVISOR HEARTH_STOP_SERVICES
  if [ -f "$CONF/settings" ]; then
    while IFS= read -r line; do
      case ${line%%=*} in
        HEARTH_SUPERVISOR) export HEARTH_SUPERVISOR="${line#*=}" ;;
        # Wishes, until a supervisor has let it in: then the node goes by what it said.
        HEARTH_NODE) if [ ! -f "$VAR/data/membership.json" ]; then export HEARTH_NODE="${line#*=}"; fi ;;
        HEARTH_CLUSTER) if [ ! -f "$VAR/data/membership.json" ]; then export HEARTH_CLUSTER="${line#*=}"; fi ;;
      esac
    done <"$CONF/settings"
  fi
  unset HEARTH_TRIAL
  export HEARTH_DATA="$VAR/data" HEARTH_READY_FILE="$READY" HEARTH_LIB="$LIB"
}
