# Sourced by ./x and by scripts/test.sh: what the desktop app is built from.

# The engine of the window, and what tests of it need. Debian's and Ubuntu's names.
desktop_packages() {
  [ "$(uname)" = Linux ] || return 0
  local missing=() pair
  pkg-config --exists webkit2gtk-4.1 2>/dev/null || missing+=(libwebkit2gtk-4.1-dev)
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  install_packages "${missing[@]}"
}

# The window's pages: ui/dist, which programs embed when they are built. Made again only when something has changed.
build_ui() {
  command -v npm >/dev/null || die "Node $NODE_MIN or newer is needed for the window's pages: https://nodejs.org"
  local have want=ui/dist/.made-from
  list_licences
  have=$(ui_inputs | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
  [ -f "$want" ] && [ "$(cat "$want")" = "$have" ] && return 0
  say "building the window's pages"
  ui_modules
  (cd ui && npm run --silent build)
  echo "$have" >"$want"
}

# What About shows; without it the window is whole but for that.
list_licences() {
  local list=ui/public/licences.json lock
  for lock in Cargo.lock src-tauri/Cargo.lock crates/lull-worker-{mistral,llama}/Cargo.lock ui/package-lock.json; do
    [ "$list" -nt "$lock" ] && continue
    ui_modules
    python3 scripts/licences.py --json "$list" >&2 || say "note: the list of licences could not be made"
    return 0
  done
}

ui_inputs() {
  find ui/src ui/public -type f -print0
  printf '%s\0' ui/index.html ui/package.json ui/package-lock.json ui/vite.config.ts ui/svelte.config.js ui/tsconfig.json
}

# modules FOLDER: what its package-lock.json names, installed if it is not
modules() {
  local mark="$1/node_modules/.package-lock.json"
  [ -f "$mark" ] && [ "$mark" -nt "$1/package-lock.json" ] && return 0
  (cd "$1" && npm ci --silent --no-audit --no-fund)
}
ui_modules() { modules ui; }

WINDOW_TARGET_DIR="$LULL_CACHE/window-target"

# The window's program, a workspace of its own: its tree is large, and nothing else waits for it.
build_window() {
  desktop_packages
  build_ui
  say "building the window"
  (cd src-tauri && CARGO_TARGET_DIR="$WINDOW_TARGET_DIR" cargo "${1:-build}" --release --locked "${@:2}")
}
