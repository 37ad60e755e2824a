#!/usr/bin/env bash
# scripts/as-user.sh CMD...: runs a command as an ordinary user, as a desktop session would.
#
# Started as root: as the system user lull-test, in a control group (cgroup v2) that is delegated to it, with a
# TMPDIR and an XDG_RUNTIME_DIR of its own. Checkout and $LULL_CACHE keep their paths and are read-only; what hides
# them from others, such as /root, is hidden itself behind an empty folder, in a mount namespace of this run alone.
# LULL_TEST_CGROUP=1 tells the tests that the control group must work.
# Started as an ordinary user: as that user, with whatever control group the session has.
set -euo pipefail

TEST_USER=lull-test
TEST_HOME=/var/lib/lull-test
# How long what is left in the control group may take to die, in tenths of a second.
LEFTOVERS_TENTHS_MAX=100

say() { printf 'as-user: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The control group of this process in the file system; fails where there is no cgroup v2.
own_group() {
  local mount own
  mount=$(awk '{ for (i = 7; i <= NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  [ -n "$mount" ] && [ -n "$own" ] && printf '%s\n' "${mount}${own%/}"
}

# delegate FOLDER: gives the user what systemd gives with Delegate=yes.
delegate() {
  mkdir "$1"
  chown "$TEST_USER:" "$1" "$1"/cgroup.{procs,threads,subtree_control}
}

make_user() {
  id "$TEST_USER" >/dev/null 2>&1 && return
  say "creating the system user $TEST_USER"
  # Another run may be quicker.
  useradd --system --user-group --create-home --home-dir "$TEST_HOME" --shell /bin/sh "$TEST_USER" ||
    id "$TEST_USER" >/dev/null
}

# Outside: makes the places, and clears them away when the command has ended, with whatever it has left running.
outside() {
  local command
  for command in useradd unshare setpriv; do
    command -v "$command" >/dev/null || die "$command is missing: install the packages passwd and util-linux"
  done
  make_user
  PLACE=$(mktemp -d /tmp/lull-test.XXXXXX)
  GROUP=
  trap clear_away EXIT
  chmod 755 "$PLACE"
  install -d -m 700 -o "$TEST_USER" -g "$TEST_USER" "$PLACE/tmp" "$PLACE/run"
  local group
  if group=$(own_group) && delegate "$group/lull-test-$$" 2>/dev/null; then
    GROUP="$group/lull-test-$$"
    delegate "$GROUP/session"
  else
    say "no control group can be made here: the tests do without"
  fi
  local status=0
  unshare --mount --propagation private scripts/as-user.sh --inside "$PLACE" "$GROUP" "$@" || status=$?
  exit "$status"
}

clear_away() {
  local tenths=0
  if [ -n "$GROUP" ] && [ -d "$GROUP" ]; then
    echo 1 >"$GROUP/cgroup.kill"
    while grep -q 'populated 1' "$GROUP/cgroup.events" && [ "$tenths" -lt "$LEFTOVERS_TENTHS_MAX" ]; do
      sleep 0.1
      tenths=$((tenths + 1))
    done
    find "$GROUP" -depth -type d -exec rmdir {} + || say "$GROUP is left over"
  fi
  rm -rf "$PLACE"
}

# hiding_folder PATH: the first folder on the way to it that others may not enter, if any.
hiding_folder() {
  local path="$1" at=
  local IFS=/
  for part in ${path#/}; do
    at="$at/$part"
    [ $((8#$(stat -c %a "$at") & 1)) = 1 ] || { printf '%s\n' "$at"; return; }
  done
}

# is_below PATH FOLDER...: whether it is one of the folders, or in one.
is_below() {
  local path="$1" folder
  shift
  for folder in "$@"; do
    [[ "$path/" != "$folder/"* ]] || return 0
  done
  return 1
}

# Inside the mount namespace: shows what the command needs, then becomes the user.
inside() {
  local place="$1" group="$2"
  shift 2
  local path hiding stage=0 shown=("$PWD")
  for path in "$LULL_CACHE" "$CARGO_TARGET_DIR" "$LULL_WORKER_DIR"; do
    is_below "$path" "${shown[@]}" || [ ! -d "$path" ] || shown+=("$path")
  done
  for path in "${shown[@]}"; do
    stage=$((stage + 1))
    mkdir "$place/stage-$stage"
    mount --bind "$path" "$place/stage-$stage"
  done
  for path in "${shown[@]}"; do
    hiding=$(hiding_folder "$path")
    # A folder that lies on the way to both is covered only once: the cover is open.
    [ -z "$hiding" ] || mount -t tmpfs -o mode=755,size=1m lull-test "$hiding"
  done
  stage=0
  for path in "${shown[@]}"; do
    stage=$((stage + 1))
    (umask 022 && mkdir -p "$path")
    mount --bind "$place/stage-$stage" "$path"
    mount -o remount,bind,ro "$path"
    umount "$place/stage-$stage"
  done
  cd "$PWD"

  local kept=() name
  for name in $(compgen -e); do
    case "$name" in LULL_* | CARGO_* | RUST_* | NEXTEST_* | TERM | LANG | NO_COLOR) kept+=("$name=${!name}") ;; esac
  done
  if [ -n "$group" ]; then
    echo $$ >"$group/session/cgroup.procs"
    kept+=(LULL_TEST_CGROUP=1)
  fi
  # As for any user: no way back from idle priority.
  ulimit -e 0
  exec setpriv --reuid "$TEST_USER" --regid "$TEST_USER" --clear-groups --inh-caps=-all \
    env -i "${kept[@]}" PATH=/usr/local/bin:/usr/bin:/bin USER="$TEST_USER" LOGNAME="$TEST_USER" \
    HOME="$TEST_HOME" SHELL=/bin/sh TMPDIR="$place/tmp" XDG_RUNTIME_DIR="$place/run" "$@"
}

[ $# -gt 0 ] || die "usage: scripts/as-user.sh CMD..."
if [ "$1" = --inside ]; then
  shift
  inside "$@"
fi
if [ "$(id -u)" != 0 ]; then
  say "no root, so the command runs as $(id -un), in the control group that this session has"
  exec "$@"
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LULL_CACHE="${LULL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lull}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$LULL_CACHE/target}" LULL_WORKER_DIR="${LULL_WORKER_DIR:-$LULL_CACHE/bin}"
mkdir -p "$LULL_CACHE"
outside "$@"
