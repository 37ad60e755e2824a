# Sourced by ./x and by scripts/test.sh: the long campaigns, one function each; a summary of each is committed under
# docs/soak/.

run_soak() {
  local name="${1:-}"
  [ $# = 0 ] || shift
  case "$name" in
    fuzz) soak_fuzz "$@" ;;
    fuzz-corpus) fuzz_corpus ;;
    privacy) soak_privacy "$@" ;;
    integrity) soak_integrity "$@" ;;
    *) die "'$name' is no campaign: fuzz [SECONDS], fuzz-corpus, privacy [JOBS] [CRASHES], integrity [SEEDS]" ;;
  esac
}

# What every summary says of where its figures come from.
soak_origin() {
  local cpu commit
  cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1)
  commit=$(git rev-parse --short HEAD)
  [ -z "$(git status --porcelain)" ] || commit="$commit, with changes that are not committed"
  echo "Machine: ${cpu:-$(uname -m)}, $(nproc) cores, $(uname -sr). Commit: $commit. Date: $(date -u +%F)."
}

# The same as in `./x test`, longer: words from prompts are looked for wherever a machine could have written them.
soak_privacy() {
  local jobs="${1:-1000}" crashes="${2:-50}" log found
  log=$(mktemp)
  build_worker
  cargo build --locked -p lull-cli -p lull-tests --bins
  # Not nextest, whose guard against hanging is for the everyday count.
  LULL_PRIVACY_JOBS=$jobs LULL_PRIVACY_CRASHES=$crashes \
    cargo test --locked -p lull-tests --test at_rest -- --nocapture 2>&1 | tee "$log"
  found=$(grep -E '^(control|dumps|[0-9]+ jobs)' "$log")
  rm -f "$log"
  {
    printf '# Nothing at rest: `./x soak privacy`\n\n'
    soak_origin
    printf '\nAn organisation on one machine: relay, a machine that asks, one that lends with the real worker, every log\n'
    printf 'at its most talkative. What is searched, and the controls: `tests/tests/at_rest.rs`.\n\n```text\n%s\n```\n' "$found"
  } >docs/soak/privacy.md
  say "written to docs/soak/privacy.md"
}

# Years of honest and cheating lenders under the relay's judge, simulated.
soak_integrity() {
  local seeds="${1:-20}" log
  log=$(mktemp)
  LULL_INTEGRITY_SEEDS=$seeds cargo test --release --locked -p lull-core --lib integrity::tests_simulation::long -- \
    --ignored --nocapture --test-threads=1 2>&1 | tee "$log"
  grep -q '^test result: ok' "$log"
  {
    printf '# Checked answers: `./x soak integrity`\n\n'
    soak_origin
    printf '\nSeeds: %s. What is simulated, and what is asserted: `crates/lull-core/src/integrity/tests_simulation.rs`.\n' "$seeds"
    printf '\n```text\n%s\n```\n' "$(grep -vE '^(warning|running|test |failures|$| *(Compiling|Finished|Running))' "$log")"
  } >docs/soak/integrity.md
  rm -f "$log"
  say "written to docs/soak/integrity.md"
}

FUZZ_TARGET_DIR="$LULL_CACHE/fuzz-target"
# Inputs that long runs have found, and crashes: kept outside the clone.
FUZZ_FOUND="$LULL_CACHE/fuzz-found"
# Seconds for one input, MiB of resident memory, and bytes of an input: beyond them it counts as a crash.
FUZZ_LIMITS="-timeout=10 -rss_limit_mb=1024 -max_len=8192"
# What a target exits with where a worker would end because it is refused memory: EXIT_REFUSED in fuzz/src/memory.rs.
FUZZ_REFUSED=71
# What one target's committed corpus may hold, and what is added to it, in bytes.
FUZZ_FILES_MAX=200
FUZZ_BYTES_MAX=65536

fuzz_names() { local file; for file in fuzz/targets/*.rs; do basename "$file" .rs; done; }

# Coverage counters in every crate of the tree, by stable means alone; not in build scripts, hence the named target.
fuzz_build() {
  local host flags
  host=$(rustc -vV | sed -n 's/^host: //p')
  flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
  flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
  flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
  (cd fuzz && CARGO_TARGET_DIR="$FUZZ_TARGET_DIR" RUSTFLAGS="$flags" \
    cargo "${1:-build}" --release --locked --target "$host" --bins "${@:2}")
  FUZZ_BIN="$FUZZ_TARGET_DIR/$host/release"
}

# fuzz_one NAME SECONDS FOLDER: every input that is known, then new ones for so long; what it said is FOLDER/NAME.log,
# and its line of the table FOLDER/NAME.row. Fails on a crash.
fuzz_one() {
  local name=$1 seconds=$2 folder=$3 status=$FUZZ_REFUSED refused=-1 found="$FUZZ_FOUND/$1" log="$3/$1.log"
  local left=$2 end=$((SECONDS + $2))
  mkdir -p "$found" "$FUZZ_FOUND/crashes"
  : >"$log"
  # One that ended where a worker would, for want of memory, goes on with what it has found.
  while [ "$status" = "$FUZZ_REFUSED" ] && [ "$left" -gt 0 ]; do
    status=0
    refused=$((refused + 1))
    # shellcheck disable=SC2086
    LULL_FUZZ_SCRATCH="$folder" "$FUZZ_BIN/$name" "$found" "fuzz/corpus/$name" $FUZZ_LIMITS \
      -max_total_time="$left" -reload=0 -print_final_stats=1 \
      -artifact_prefix="$FUZZ_FOUND/crashes/$name-" >>"$log" 2>&1 || status=$?
    # What refers to itself, or nests too deeply, uses up the stack: that ends a worker in the same way.
    [ "$name-$status" != template-139 ] || status=$FUZZ_REFUSED
    left=$((end - SECONDS))
  done
  [ "$status" != "$FUZZ_REFUSED" ] || { status=0; refused=$((refused + 1)); }
  local runs cov first crashes=0
  runs=$(awk '/^INFO: Seed/ { all += n; n = 0 } /^#[0-9]/ { n = substr($1, 2) } /^stat::number_of_exec/ { n = $2 }
    END { print all + n }' "$log")
  first=$(sed -n 's/^#[0-9]*[[:space:]]*INITED cov: \([0-9]*\).*/\1/p' "$log" | head -n1)
  cov=$(sed -n 's/^#[0-9]*.*[[:space:]]cov: \([0-9]*\).*/\1/p' "$log" | tail -n1)
  [ "$status" = 0 ] || crashes=1
  echo "| $name | ${runs:-?} | ${first:-?} | ${cov:-?} | $(fuzz_files "fuzz/corpus/$name") | $(fuzz_files "$found") |" \
    "$seconds | $refused | $crashes |" >"$folder/$name.row"
  if [ "$status" != 0 ]; then
    say "$name broke its promise:"
    tail -n 40 "$log" >&2
    return 1
  fi
  say "$name: ${runs:-?} inputs, coverage ${first:-?} -> ${cov:-?}"
}

fuzz_files() { find "$1" -type f 2>/dev/null | wc -l | tr -d ' '; }

# fuzz_all SECONDS FOLDER: every target, two at a time. Fails when one did, after all have run.
fuzz_all() {
  local seconds=$1 folder=$2 name failed=0 pids=() pid
  for name in $(fuzz_names); do
    if [ ${#pids[@]} -ge 2 ]; then
      wait "${pids[0]}" || failed=1
      pids=("${pids[@]:1}")
    fi
    fuzz_one "$name" "$seconds" "$folder" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

# A folder in memory where there is one: some targets write a file for every input.
fuzz_folder() {
  if [ -d /dev/shm ] && [ -w /dev/shm ]; then mktemp -d /dev/shm/lull-fuzz.XXXXXX; else mktemp -d; fi
}

# ./x soak fuzz [SECONDS for each target]
soak_fuzz() {
  local seconds="${1:-300}" folder failed=0
  [[ "$seconds" =~ ^[1-9][0-9]*$ ]] || die "'$seconds' is no number of seconds: ./x soak fuzz [SECONDS FOR EACH TARGET]"
  [ "$(uname)" = Linux ] || die "the fuzzers run on Linux"
  fuzz_build
  folder=$(fuzz_folder)
  # shellcheck disable=SC2064
  trap "rm -rf '$folder'" EXIT
  fuzz_all "$seconds" "$folder" || failed=1
  {
    echo "# Fuzzing"
    echo
    echo "Written by \`./x soak fuzz $seconds\`. $(soak_origin)"
    echo
    [ "$seconds" -ge 300 ] || { echo "**A short run of $seconds s for each target, to show that it works; the campaign is 300 s.**"; echo; }
    echo "| target | inputs tried | coverage at the start | at the end | inputs committed | inputs found | seconds | ended as workers | crashes |"
    echo "|---|---|---|---|---|---|---|---|---|"
    cat "$folder"/*.row
    echo
    echo "Coverage counts edges of the target and all that it calls. *Inputs found* lie beside the committed ones in the"
    echo "build cache and are where the next run begins. *Ended as workers*: a chat template took more than"
    echo "the 256 MiB that a worker is given for it, or its whole stack; that ends a worker, whose node says so, and so it ends"
    echo "the target, which is started again."
    echo " What each target promises is in \`fuzz/README.md\`."
  } >docs/soak/fuzz.md
  [ "$failed" = 0 ] || die "a target broke its promise; its input is in $FUZZ_FOUND/crashes, what it said is above"
  say "written: docs/soak/fuzz.md"
}

# ./x soak fuzz-corpus: the best of what was found on this machine goes into the committed corpora.
fuzz_corpus() {
  local name folder file
  fuzz_build
  folder=$(fuzz_folder)
  for name in $(fuzz_names); do
    mkdir -p "$folder/$name/all" "$folder/$name/none"
    cp "fuzz/corpus/$name"/* "$folder/$name/all/"
    find "$FUZZ_FOUND/$name" -type f -size -4k -exec cp -t "$folder/$name/all" {} + 2>/dev/null || true
    # shellcheck disable=SC2086
    LULL_FUZZ_SCRATCH="$folder" "$FUZZ_BIN/$name" -set_cover_merge=1 -use_counters=0 $FUZZ_LIMITS \
      -merge_control_file="$folder/$name/control" "$folder/$name/none" "$folder/$name/all" >"$folder/$name/log" 2>&1 ||
      { tail -n 20 "$folder/$name/log" >&2; die "$name failed on what was found; try ./x soak fuzz 10"; }
    python3 fuzz/choose.py "$folder/$name/control" "$FUZZ_FILES_MAX" "$FUZZ_BYTES_MAX" >"$folder/$name/chosen"
    find "fuzz/corpus/$name" -type f ! -name 'seed-*' ! -name 'crash-*' -delete
    while read -r file; do cp "$file" "fuzz/corpus/$name/"; done <"$folder/$name/chosen"
    say "$name: $(fuzz_files "fuzz/corpus/$name") inputs of $(fuzz_files "$folder/$name/all")"
  done
  rm -rf "$folder"
}

# The tier of ./x test: what is known is tried again, then each target runs for ten seconds.
test_fuzz() {
  [ "$(uname)" = Linux ] || { say "the fuzzers run on Linux"; return 0; }
  local folder name failed=0
  (cd fuzz && cargo fmt --check)
  fuzz_build clippy -- -D warnings
  fuzz_build
  for name in $(fuzz_names); do
    [ "$(fuzz_files "fuzz/corpus/$name")" -gt 0 ] || die "fuzz/corpus/$name is empty"
    [ "$(fuzz_files "fuzz/corpus/$name")" -le "$FUZZ_FILES_MAX" ] || die "fuzz/corpus/$name holds over $FUZZ_FILES_MAX files"
  done
  folder=$(fuzz_folder)
  FUZZ_FOUND="$folder/found" fuzz_all 10 "$folder" || failed=1
  if [ "$failed" != 0 ]; then
    mkdir -p "$FUZZ_FOUND/crashes"
    cp "$folder"/found/crashes/* "$FUZZ_FOUND/crashes/" 2>/dev/null || true
  fi
  rm -rf "$folder"
  [ "$failed" = 0 ] || die "a fuzz target broke its promise; its input is in $FUZZ_FOUND/crashes, what it said is above"
}
