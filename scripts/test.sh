# Sourced by ./x: the tiers of `./x test`. Each is one function; CI runs them in this order.

tier() { local start=$SECONDS; say "test: $1"; "$@"; say "test: $1 done in $((SECONDS - start)) s"; }

# Formatting, house rules, licences: what needs no build of the project.
tidy() {
  cargo fmt --all --check
  local engine; for engine in $ENGINES; do (cd "crates/lull-worker-$engine" && cargo fmt --check); done
  cargo run --quiet --locked -p xtask -- tidy
}

lint() {
  cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
}

# The window's pages: types and words that come from Rust are those that are committed, and what a browser does not need.
pages() {
  cargo run --quiet --locked -p xtask -- bindings --check
  build_ui
  ui_modules
  (cd ui && npm run --silent check && npm test --silent)
}

# The workers are linted with the flags they are built with, so that their large trees are compiled only once.
worker() {
  local engine twin
  for engine in $ENGINES; do
    twin=$(cpu_twin "$engine")
    (cd "crates/lull-worker-$engine" && export RUSTC_WORKSPACE_WRAPPER=clippy-driver && for_worker "$engine" "$twin" \
      cargo rustc --quiet --release --locked --bin "lull-worker-$engine" -- --emit=metadata -Dwarnings)
  done
  build_worker
  (cd crates/lull-worker-llama && for_worker llama "$(cpu_twin llama)" cargo test --quiet --release --locked)
  # Our renderings of chat templates beside mistral.rs's own.
  (cd crates/lull-worker-mistral && for_worker mistral "$(cpu_twin)" cargo test --quiet --release --locked --test templates)
}

unit() {
  cargo build --locked --workspace --bins
  # What needs screens and buses runs in the tier `owner`, as the user whose machine it is.
  cargo nextest run --locked --workspace --exclude lull-tests --no-fail-fast \
    -E 'not (package(lull-presence) & kind(test))'
  # What every engine must do, and hostile files, once more with the other engine.
  LULL_TEST_ENGINE=llama cargo nextest run --locked -p lull-engine --no-fail-fast \
    -E 'binary(conformance) | binary(hostile) | binary(broken_models)'
  cargo test --quiet --locked --workspace --doc
}

# Real processes: relay, nodes, workers with the demo model.
e2e() {
  cargo build --locked -p lull-cli -p lull-tests --bins
  cargo nextest run --locked -p lull-tests --no-fail-fast -E 'not (binary(owner) | binary(desktop) | binary(login))'
}

# The test executables that a cargo test of these arguments would run.
test_executables() {
  cargo test --quiet --locked --no-run --message-format json "$@" | python3 -c 'import json, sys
for line in sys.stdin:
    built = json.loads(line)
    if built.get("profile", {}).get("test") and built.get("executable"):
        print(built["executable"])'
}

# Presence, priorities, freezing and a whole desk, as an ordinary user with a delegated control group: what root may do
# says nothing about what people's machines do.
owner() {
  [ "$(uname)" = Linux ] || { say "the sensors' tests are for Linux"; return 0; }
  stage_packages
  cargo build --locked -p lull-cli -p lull-tests --bins
  local exes exe
  exes=$(test_executables -p lull-sandbox
    test_executables -p lull-presence --test input --test machine
    test_executables -p lull-tests --test owner --test confined)
  for exe in $exes; do scripts/as-user.sh "$exe" --test-threads=1; done
  # The same attempts to escape once more, from inside each worker that is shipped.
  exe=$(test_executables -p lull-sandbox --test escape)
  local engine; for engine in $ENGINES; do
    LULL_ESCAPE_PROGRAM="$LULL_WORKER_DIR/$(worker_name "$engine" "$(cpu_twin "$engine")")" scripts/as-user.sh "$exe" --test-threads=1
  done
}

# Clients that people use, against `./x demo --serve`.
clients() {
  local venv="$LULL_CACHE/venv-clients" bin=bin
  [ -z "$EXE" ] || bin=Scripts
  [ -x "$venv/$bin/python$EXE" ] || python3 -m venv "$venv"
  "$venv/$bin/python" -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
  cargo build --locked -p lull-cli -p lull-tests --bins
  "$CARGO_TARGET_DIR/debug/lull-pool-demo$EXE" --serve --then "$venv/$bin/python" tests/clients/openai_client.py
}

# The window in a browser, beside a real relay, a real node and a real worker.
browser() {
  desktop_packages chromium:chromium
  build_ui
  modules tests/browser
  cargo build --locked -p lull-cli -p lull-tests --bins
  node --test --test-concurrency=1 tests/browser/
}

# Signing in at a real OpenID provider: the crate alone, then relay, node and command line.
login() {
  modules tests/oidc
  cargo build --locked -p lull-cli -p lull-tests --bins
  LULL_LOGIN_TESTS="$PWD/tests/oidc" cargo nextest run --locked -p lull-oidc -p lull-tests --no-fail-fast --run-ignored all \
    -E '(package(lull-oidc) & kind(test)) | binary(login)'
}

# The app itself: a tray on a real bus, a window on a real screen, as an ordinary user.
desktop() {
  [ "$(uname)" = Linux ] || { say "the desktop's tests are for Linux"; return 0; }
  desktop_packages Xvfb:xvfb dbus-daemon:dbus WebKitWebDriver:webkit2gtk-driver
  local driver="$LULL_CACHE/tools/bin/tauri-driver" exe
  if [ ! -x "$driver" ]; then
    say "installing tauri-driver (once)"
    cargo install --locked --quiet --version 2.1.0 --root "$LULL_CACHE/tools" tauri-driver
  fi
  build_window
  build_window clippy -- -D warnings
  cargo build --locked -p lull-app -p lull-cli -p lull-tests --bins
  exe=$(test_executables -p lull-tests --test desktop)
  LULL_WINDOW="$WINDOW_TARGET_DIR/release/lull-window" LULL_TAURI_DRIVER="$driver" \
    scripts/as-user.sh "$exe" --test-threads=1
}

# The committed demo model, read by its own trainer's code: it still answers docs/faq.md as it stands.
model() {
  cargo nextest run --locked --release -p xtask --features train
  cargo run --quiet --locked --release -p xtask --features train -- demo-model --check
}

# Every parser of foreign bytes: the committed inputs again, then ten seconds of new ones for each.
fuzz() {
  . scripts/soak.sh
  test_fuzz
}

run_tests() {
  local tiers=("$@")
  [ ${#tiers[@]} -gt 0 ] || tiers=(tidy worker lint pages unit e2e owner desktop browser login clients model fuzz)
  local name; for name in "${tiers[@]}"; do
    case "$name" in
      tidy | lint | pages | worker | unit | e2e | owner | desktop | browser | login | clients | model | fuzz) tier "$name" ;;
      *) die "'$name' is no tier of tests: tidy, worker, lint, pages, unit, e2e, owner, desktop, browser, login, clients, model, fuzz" ;;
    esac
  done
  say "all tests passed"
}
