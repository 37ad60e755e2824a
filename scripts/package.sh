# Sourced by ./x: `./x package` builds what is shipped and packs it for this system: .deb and .rpm on Linux, a disk
# image on macOS, an archive on Windows. The same commit, built on the same machine, gives the same .deb and .rpm.

APP_ID=org.lull.Lull
ICON_SIZES=(16 22 24 32 48 64 128 256 512)

# What is packed; each can be set from outside, to pack what was built elsewhere.
package_paths() {
  LULL_BIN="${LULL_BIN:-$CARGO_TARGET_DIR/release/lull$EXE}"
  LULL_APP="${LULL_APP:-$CARGO_TARGET_DIR/release/lull-app$EXE}"
  LULL_WINDOW="${LULL_WINDOW:-$WINDOW_TARGET_DIR/release/lull-window$EXE}"
  LULL_WORKERS="${LULL_WORKERS:-$LULL_WORKER_DIR}"
  LULL_PACKAGES="${LULL_PACKAGES:-$LULL_CACHE/packages}"
  VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
  SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
}

# package_twins ENGINE: every build of a worker on x86-64; which one runs is decided on the machine.
package_twins() {
  case "$1 $(uname -m)" in
    "llama x86_64" | "llama amd64") echo baseline v3 v4 ;;
    *x86_64 | *amd64) echo baseline v3 ;;
    *) echo baseline ;;
  esac
}

build_shipped() {
  local engine twin
  for engine in $ENGINES; do for twin in $(package_twins "$engine"); do build_engine "$engine" "$twin"; done; done
  build_ui
  say "building lull and lull-app"
  cargo build --locked --release -p lull-cli -p lull-app
  build_window
}

package_tools() {
  [ "$(uname)" = Linux ] || return 0
  local missing=()
  command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
  command -v rpmbuild >/dev/null || missing+=(rpm)
  # Nothing missing, nothing asked: an empty array is no argument in every bash.
  [ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"
}

# put MODE FILE TARGET: one file of the tree, its folders made
put() { mkdir -p "$(dirname "$3")" && install -m "$1" "$2" "$3"; }

# squeezed FILE TARGET: gzip without name and time
squeezed() { mkdir -p "$(dirname "$2")" && gzip -9nc "$1" >"$2" && chmod 644 "$2"; }

programs_there() {
  local file; for file in "$LULL_BIN" "$LULL_APP" "$LULL_WINDOW" "$LULL_WORKERS/lull-worker-mistral$EXE"; do
    [ -s "$file" ] || die "there is no $file to pack: run ./x package without --no-build"
  done
}

# put_workers FOLDER
put_workers() {
  local engine twin; for engine in $ENGINES; do for twin in $(package_twins "$engine"); do
    put 755 "$LULL_WORKERS/$(worker_name "$engine" "$twin")" "$1/$(worker_name "$engine" "$twin")"
  done; done
}

put_licences() {
  put 644 LICENSE-MIT "$1/LICENSE-MIT"
  put 644 LICENSE-APACHE "$1/LICENSE-APACHE"
  python3 scripts/licences.py --text "$1/THIRD-PARTY.txt"
}

# The tree of files as Linux wants them, below the folder $1.
stage_linux() {
  local usr="$1/usr" size shell doc="$1/usr/share/doc/lull"
  put 755 "$LULL_BIN" "$usr/bin/lull"
  put 755 "$LULL_APP" "$usr/bin/lull-app"
  put 755 "$LULL_WINDOW" "$usr/lib/lull/lull-window"
  put_workers "$usr/lib/lull"
  put 644 "packaging/$APP_ID.desktop" "$usr/share/applications/$APP_ID.desktop"
  for size in "${ICON_SIZES[@]}"; do
    put 644 "icons/png/lull-$size.png" "$usr/share/icons/hicolor/${size}x$size/apps/$APP_ID.png"
  done
  put 644 icons/lull.svg "$usr/share/icons/hicolor/scalable/apps/$APP_ID.svg"
  mkdir -p "$usr/share/metainfo"
  sed -e "s/@VERSION@/$VERSION/" -e "s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)/" \
    "packaging/$APP_ID.metainfo.xml.in" >"$usr/share/metainfo/$APP_ID.metainfo.xml"
  put 644 packaging/lull-node.service "$usr/lib/systemd/user/lull-node.service"
  squeezed packaging/lull.1 "$usr/share/man/man1/lull.1.gz"
  ln -s lull.1.gz "$usr/share/man/man1/lull-app.1.gz"
  for shell in bash:bash-completion/completions/lull zsh:zsh/site-functions/_lull \
    fish:fish/vendor_completions.d/lull.fish; do
    mkdir -p "$usr/share/$(dirname "${shell#*:}")"
    "$LULL_BIN" completions "${shell%%:*}" >"$usr/share/${shell#*:}"
  done
  put_licences "$doc"
  squeezed "$doc/THIRD-PARTY.txt" "$doc/THIRD-PARTY.txt.gz"
  rm "$doc/THIRD-PARTY.txt"
  put 644 packaging/copyright "$doc/copyright"
  put 644 docs/install.md "$doc/install.md"
  squeezed CHANGELOG.md "$doc/changelog.gz"
}

# Whatever the umask of whoever packs, and whenever it was written.
settle() {
  find "$1" -type d -exec chmod 755 {} +
  find "$1" -type f -perm /111 -exec chmod 755 {} +
  find "$1" -type f ! -perm /111 -exec chmod 644 {} +
  find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# The Debian packages that the programs in the tree $1 are linked with.
depends() {
  local scratch="$1/../shlibs"
  mkdir -p "$scratch/debian"
  printf 'Source: lull\n\nPackage: lull\nArchitecture: any\n' >"$scratch/debian/control"
  local elves=() file
  for file in "$1"/usr/bin/* "$1"/usr/lib/lull/*; do
    [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] && elves+=("-e$file")
  done
  (cd "$scratch" && dpkg-shlibdeps -O "${elves[@]}") | sed -n 's/^shlibs:Depends=//p'
}

# pack_deb TREE OUT
pack_deb() {
  local arch size needs tree="$1/../deb"
  arch=$(dpkg --print-architecture)
  cp -a "$1" "$tree"
  # Debian's zsh looks elsewhere than everybody else's.
  mkdir -p "$tree/usr/share/zsh/vendor-completions"
  mv "$tree/usr/share/zsh/site-functions/_lull" "$tree/usr/share/zsh/vendor-completions/_lull"
  rmdir "$tree/usr/share/zsh/site-functions"
  # Their texts are in `copyright`, or with Debian already.
  rm "$tree/usr/share/doc/lull/LICENSE-APACHE" "$tree/usr/share/doc/lull/LICENSE-MIT"
  size=$(du -sk --apparent-size "$tree" | cut -f1)
  (cd "$tree" && find usr -type f | LC_ALL=C sort | xargs -d '\n' md5sum) >"$1/../md5sums"
  put 644 "$1/../md5sums" "$tree/DEBIAN/md5sums"
  put 755 packaging/prerm "$tree/DEBIAN/prerm"
  needs=$(depends "$tree")
  [ -n "$needs" ] || die "dpkg-shlibdeps found no packages that the programs need: its own words are above"
  sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$arch/" -e "s/@SIZE_KIB@/$size/" -e "s/@DEPENDS@/$needs/" \
    packaging/control.in >"$tree/DEBIAN/control"
  settle "$tree"
  # xz's blocks depend on whether it has threads at all: two, everywhere.
  dpkg-deb --root-owner-group --threads-max=2 -Zxz --build "$tree" "$2/lull_${VERSION}_$arch.deb" >&2
}

# pack_rpm TREE OUT
pack_rpm() {
  local top="$1/../rpm" tree
  tree=$(cd "$1" && pwd)
  mkdir -p "$top"
  {
    echo '%dir /usr/lib/lull'
    echo '%dir /usr/share/doc/lull'
    (cd "$tree" && find usr ! -type d -printf '/%p\n' | LC_ALL=C sort)
  } >"$top/files"
  sed -e "s/@VERSION@/$VERSION/" -e "s|@TREE@|$tree|" -e "s|@FILES@|$(cd "$top" && pwd)/files|" \
    -e '/^@PREUN@$/{r packaging/prerm' -e 'd}' packaging/lull.spec.in >"$top/lull.spec"
  # Packed as it was staged: nothing stripped, recompressed or added, and no trace of who packed it.
  rpmbuild -bb --quiet --target "$(uname -m)" --define "_topdir $top" --define "_rpmdir $2" \
    --define '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' --define 'debug_package %{nil}' \
    --define '__os_install_post %{nil}' --define '_build_id_links none' --define '_buildhost lull' \
    --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' \
    --define '_binary_payload w12.zstdio' "$top/lull.spec" >&2
}

# Never run yet. The programs look for each other and for workers in their own folder.
package_macos() {
  local app="$1/Lull.app/Contents"
  put 755 "$LULL_BIN" "$app/MacOS/lull"
  put 755 "$LULL_APP" "$app/MacOS/lull-app"
  put 755 "$LULL_WINDOW" "$app/MacOS/lull-window"
  put_workers "$app/MacOS"
  put 644 icons/lull.icns "$app/Resources/lull.icns"
  put_licences "$app/Resources/licences"
  sed "s/@VERSION@/$VERSION/" packaging/Info.plist.in >"$app/Info.plist"
  # No identity: it runs where it was built, and elsewhere after the person or their IT allowed it.
  codesign --force --deep --sign - "$1/Lull.app"
  hdiutil create -quiet -ov -fs HFS+ -volname Lull -srcfolder "$1/Lull.app" "$2/lull-$VERSION-$(uname -m).dmg"
}

# Never run yet.
package_windows() {
  local tree="$1/Lull"
  put 755 "$LULL_BIN" "$tree/lull.exe"
  put 755 "$LULL_APP" "$tree/lull-app.exe"
  put 755 "$LULL_WINDOW" "$tree/lull-window.exe"
  put_workers "$tree"
  put_licences "$tree/licences"
  (cd "$1" && 7z a -bso0 -tzip "$(cygpath -w "$2/lull-$VERSION-x86_64-windows.zip")" Lull)
}

package_linux() {
  mkdir "$1/tree"
  stage_linux "$1/tree"
  settle "$1/tree"
  pack_deb "$1/tree" "$2"
  pack_rpm "$1/tree" "$2"
}

# ./x package [--no-build], after scripts/desktop.sh was sourced: the last line names the folder that holds the packages.
run_package() {
  local build=yes work
  case "${1:-}" in
    '') ;;
    --no-build) build=no ;;
    *) die "'$1' is no option of ./x package; there is --no-build" ;;
  esac
  package_paths
  package_tools
  [ "$build" = no ] || build_shipped
  # For what packs. What builds C looks at it too, and would build the whole engine again for each commit.
  export SOURCE_DATE_EPOCH
  programs_there
  work=$(mktemp -d "$LULL_CACHE/package.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  mkdir -p "$LULL_PACKAGES"
  rm -f "$LULL_PACKAGES"/lull[-_]* "$LULL_PACKAGES/SHA256SUMS"
  say "packing version $VERSION"
  case "$(uname)" in
    Linux) package_linux "$work" "$LULL_PACKAGES" ;;
    Darwin) package_macos "$work" "$LULL_PACKAGES" ;;
    *) package_windows "$work" "$LULL_PACKAGES" ;;
  esac
  (cd "$LULL_PACKAGES" && python3 -c 'import hashlib, sys
for name in sys.argv[1:]:
    print(hashlib.sha256(open(name, "rb").read()).hexdigest(), name, sep="  ")' lull[-_]*) >"$work/sums"
  put 644 "$work/sums" "$LULL_PACKAGES/SHA256SUMS"
  echo "$LULL_PACKAGES"
}
