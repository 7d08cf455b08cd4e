# The service manager of the machine, or of the user.

systemctl_here() {
  if [ "$USER_MODE" = yes ]; then systemctl --user "$@"; else systemctl "$@"; fi
}
