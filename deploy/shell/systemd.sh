# The service manager of the machine, or of the user.

# "su" and "sudo" do not tell a user where the user's own one is.
find_user_manager() {
  if [ -z "${XDG_RUNTIME_DIR:-}" ] && [ -d "/run/user/$(id -u)" ]; then
    XDG_RUNTIME_DIR=/run/user/$(id -u)
    export XDG_RUNTIME_DIR
  fi
}

user_name() { id -un 2>/dev/null || id -u; }

systemctl_here() {
  if [ "$USER_MODE" = yes ]; then systemctl --user "$@"; else systemctl "$@"; fi
}
