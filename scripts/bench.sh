# Sourced by ./x: measurements. They print a table for people and, with --json FILE, the same as JSON.

run_bench() {
  local name="${1:-}"
  case "$name" in
    engine) build_worker; if [[ " $* " != *" --quick "* ]] && [ "$(uname -m)" = x86_64 ]; then build_worker v3; build_worker baseline; fi ;;
    pool) build_worker ;;
    *) die "'$name' is no bench: engine, pool" ;;
  esac
  cargo build --locked --release -p lull-bench -p lull-cli -p lull-engine --bins
  "$CARGO_TARGET_DIR/release/lull-bench" "$@"
}
