# Sourced by ./x: the tiers of `./x test`. Each is one function; CI runs them in this order.

tier() { local start=$SECONDS; say "test: $1"; "$@"; say "test: $1 done in $((SECONDS - start)) s"; }

# Formatting, house rules, licences: what needs no build of the project.
tidy() {
  cargo fmt --all --check
  (cd "$WORKER" && cargo fmt --check)
  cargo run --quiet --locked -p xtask -- tidy
}

lint() {
  cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
}

# The worker is linted with the flags it is built with, so that its large tree is compiled only once.
worker() {
  # shellcheck disable=SC2046
  (cd "$WORKER" && env $(worker_env "$(cpu_twin)") RUSTC_WORKSPACE_WRAPPER=clippy-driver \
    cargo rustc --quiet --release --locked --bin lull-worker-mistral -- --emit=metadata -Dwarnings)
  build_worker
}

unit() {
  cargo build --locked --workspace --bins
  cargo nextest run --locked --workspace --exclude lull-tests --no-fail-fast
  cargo test --quiet --locked --workspace --doc
}

# Real processes: relay, nodes, workers with the demo model.
e2e() {
  cargo build --locked -p lull-cli -p lull-tests --bins
  cargo nextest run --locked -p lull-tests --no-fail-fast
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

# The committed demo model, read by its own trainer's code: it still answers docs/faq.md as it stands.
model() {
  cargo nextest run --locked --release -p xtask --features train
  cargo run --quiet --locked --release -p xtask --features train -- demo-model --check
}

run_tests() {
  local tiers=("$@")
  [ ${#tiers[@]} -gt 0 ] || tiers=(tidy worker lint unit e2e clients model)
  local name; for name in "${tiers[@]}"; do
    case "$name" in
      tidy | lint | worker | unit | e2e | clients | model) tier "$name" ;;
      *) die "'$name' is no tier of tests: tidy, worker, lint, unit, e2e, clients, model" ;;
    esac
  done
  say "all tests passed"
}
