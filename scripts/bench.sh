# Sourced by ./x: measurements. They print a table for people and, with --json FILE, the same as JSON.

run_bench() {
  local name="${1:-}" programs=(-p lull-bench -p lull-cli -p lull-engine)
  case "$name" in
    engine) build_worker; if [[ " $* " != *" --quick "* ]] && [ "$(uname -m)" = x86_64 ]; then
      build_engine mistral v3; build_engine mistral baseline; build_engine llama v3
    fi ;;
    pool | sandbox) build_worker ;;
    trust) ;;
    yield) stage_packages; build_worker ;;
    app) desktop_packages Xvfb:xvfb dbus-daemon:dbus chromium:chromium; build_worker; build_window; programs+=(-p lull-app) ;;
    *) die "'$name' is no bench: engine, pool, sandbox, trust, yield, app" ;;
  esac
  cargo build --locked --release "${programs[@]}" --bins
  if [ "$name" = yield ]; then
    yield_bench "$@"
  else
    LULL_WINDOW="$WINDOW_TARGET_DIR/release/lull-window" "$CARGO_TARGET_DIR/release/lull-bench" "$@"
  fi
}

# As an ordinary user, whose promise it is; that user cannot write where the caller's FILE is, so it comes back on
# descriptor 3.
yield_bench() {
  local args=() file=
  while [ $# -gt 0 ]; do
    if [ "$1" = --json ]; then file="${2:-}"; shift 2 || die "--json needs a FILE"; else args+=("$1"); shift; fi
  done
  "$CARGO_TARGET_DIR/release/lull-bench" yield-part-model
  scripts/as-user.sh bash -c '"$@" --json "$TMPDIR/yield.json" && cat "$TMPDIR/yield.json" >&3' yield \
    "$CARGO_TARGET_DIR/release/lull-bench" "${args[@]}" 3>"${file:-/dev/null}"
}
