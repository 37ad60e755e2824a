#!/usr/bin/env python3
"""Lists what Lull is made with: the crates and npm packages that end up in what is shipped, and their licences.

scripts/licences.py --json ui/public/licences.json      for the window: [{name, version, licence, url?}]
scripts/licences.py --text licences.txt                 the same for people, with the licences' texts, each once

Left out: what only builds or tests Lull. A licence's text is there where the package brings its file along."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A workspace, and the programs in it that are shipped (none named: all of it).
WORKSPACES = [
    ("Cargo.toml", ("lull-cli", "lull-app")),
    ("crates/lull-worker-mistral/Cargo.toml", ()),
    ("crates/lull-worker-llama/Cargo.toml", ()),
    ("src-tauri/Cargo.toml", ()),
]
# A development dependency whose style sheet is in the bundle all the same.
IN_THE_BUNDLE = {"node_modules/tailwindcss"}
TEXT_FILES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense|ofl)([-._].*)?$", re.IGNORECASE)
# How the texts of licences begin, for packages that do not name theirs.
TITLES = [("MIT License", "MIT"), ("The MIT License", "MIT"), ("ISC License", "ISC"), ("BSD 3-Clause", "BSD-3-Clause")]
# The longest licence file that is taken over, in bytes: a longer one is no licence.
TEXT_BYTES_MAX = 64 * 1024


def spdx(expression, folder):
    """A licence's name as SPDX writes it: old manifests have a slash for OR, and some have only the licence's text."""
    if not expression:
        expression = next((name for text in texts(folder) for start, name in TITLES if text.startswith(start)), None)
    return re.sub(r"\s*/\s*", " OR ", expression or "see its text")


def link(url):
    """A page for people, or None."""
    if isinstance(url, dict):
        url = url.get("url")
    if not url:
        return None
    short = re.fullmatch(r"(?:github:)?([\w.-]+/[\w.-]+)", url)
    if short:
        return f"https://github.com/{short[1]}"
    url = re.sub(r"^(git\+)?(https?|git|ssh)://(git@)?", "https://", url)
    url = re.sub(r"\.git(?=$|#)", "", url).split("#")[0]
    return url if url.startswith("https://") else None


def texts(folder):
    """The licence files of a package's folder, in a fixed order."""
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if TEXT_FILES.match(path.name) and path.is_file() and path.stat().st_size <= TEXT_BYTES_MAX:
            yield path.read_text(encoding="utf-8", errors="replace").strip()


def metadata(manifest, target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    found = subprocess.run([*command, "--manifest-path", manifest], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        sys.exit(f"licences.py: cargo metadata failed for {manifest}; its own words are above")
    return json.loads(found.stdout)


def crates(manifest, programs, target):
    """What the programs of one workspace are linked with, Lull's own crates left out."""
    data = metadata(manifest, target)
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    ways = [i for i in data["workspace_members"] if not programs or packages[i]["name"] in programs]
    seen = set(ways)
    while ways:
        for dep in nodes[ways.pop()]["deps"]:
            linked = any(kind["kind"] is None for kind in dep["dep_kinds"])
            if linked and dep["pkg"] not in seen:
                seen.add(dep["pkg"])
                ways.append(dep["pkg"])
    for package in (packages[i] for i in seen if packages[i]["source"]):
        url = link(package["repository"]) or link(package["homepage"])
        folder = Path(package["manifest_path"]).parent
        yield package["name"], package["version"], spdx(package["license"], folder), url, folder


def modules():
    """The npm packages of the window's bundle."""
    lock = json.loads((ROOT / "ui/package-lock.json").read_text())
    for path, entry in lock["packages"].items():
        aside = entry.get("dev") or entry.get("devOptional") or entry.get("peer") or entry.get("optional")
        if not path or (aside and path not in IN_THE_BUNDLE):
            continue
        name, folder = path.split("node_modules/")[-1], ROOT / "ui" / path
        own = folder / "package.json"
        about = json.loads(own.read_text()) if own.is_file() else {}
        url = link(about.get("repository")) or link(about.get("homepage"))
        yield name, entry["version"], spdx(entry.get("license"), folder), url, folder


def toolchain():
    """The compiler's version and the target it builds for on this machine."""
    about = subprocess.run(["rustc", "-vV"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [re.search(rf"^{key}: (\S+)$", about, re.MULTILINE)[1] for key in ("release", "host")]


def shipped(target, rust):
    """Every package once, by name and version."""
    std = ("Rust's standard library", rust, "MIT OR Apache-2.0", "https://github.com/rust-lang/rust", None)
    found = {std[:2]: std}
    for manifest, programs in WORKSPACES:
        if not (ROOT / manifest).is_file():
            print(f"licences.py: note: there is no {manifest}", file=sys.stderr)
            continue
        for package in crates(manifest, programs, target):
            found[package[:2]] = package
    for package in modules():
        found[package[:2]] = package
    return [found[key] for key in sorted(found)]


def as_json(packages):
    rows = []
    for name, version, licence, url, _ in packages:
        row = {"name": name, "version": version, "licence": licence}
        rows.append({**row, "url": url} if url else row)
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + "\n"


def as_text(packages):
    lines = ["Lull is made with the following, each under its own licence.", ""]
    lines += [f"{name} {version}: {licence}" for name, version, licence, _, _ in packages]
    whose = {}
    for name, version, _, _, folder in packages:
        for text in texts(folder):
            # The same words, wrapped or indented otherwise, are the same licence.
            whose.setdefault(" ".join(text.split()), (text, []))[1].append(f"{name} {version}")
    for text, names in whose.values():
        lines += ["", "=" * 80, ", ".join(dict.fromkeys(names)), "", text]
    return "\n".join(lines) + "\n"


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--json", type=Path, metavar="FILE")
    asked.add_argument("--text", type=Path, metavar="FILE")
    asked.add_argument("--target", help="a Rust target triple (default: this machine's)")
    args = asked.parse_args()
    if not (args.json or args.text):
        asked.error("say what to write: --json FILE, --text FILE or both")
    rust, host = toolchain()
    packages = shipped(args.target or host, rust)
    if args.json:
        args.json.write_text(as_json(packages), encoding="utf-8")
    if args.text:
        args.text.write_text(as_text(packages), encoding="utf-8")
    print(f"licences.py: {len(packages)} packages", file=sys.stderr)


if __name__ == "__main__":
    main()
