#!/usr/bin/env bash
# Makes icons/png, lull.ico and lull.icns from the drawings. Needs rsvg-convert (Debian: librsvg2-bin) and python3.
# The results are committed, so that only whoever changes a drawing needs the tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

APP_SIZES=(16 22 24 32 48 64 128 256 512)
TRAY_SIZES=(16 22 24 32 48 64)
# Up to this size the plainer drawing is clearer.
SMALL_MAX=24

rm -rf png
mkdir png
for size in "${APP_SIZES[@]}"; do
  drawing=lull
  [ "$size" -le "$SMALL_MAX" ] && drawing=lull-small
  rsvg-convert -w "$size" -h "$size" "$drawing.svg" -o "png/lull-$size.png"
done
for drawing in tray-*.svg; do
  for size in "${TRAY_SIZES[@]}"; do
    rsvg-convert -w "$size" -h "$size" "$drawing" -o "png/${drawing%.svg}-$size.png"
  done
done

python3 - <<'PY'
"""Windows' and macOS' containers: both hold PNGs as they are."""
import struct
from pathlib import Path


def png(size):
    return Path(f"png/lull-{size}.png").read_bytes()


sizes = [16, 24, 32, 48, 64, 128, 256]
at, table, body = 6 + 16 * len(sizes), b"", b""
for size in sizes:
    data = png(size)
    # A byte holds each side; 0 stands for 256. Then: no palette, 1 plane, 32 bits a pixel.
    table += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(data), at + len(body))
    body += data
Path("lull.ico").write_bytes(struct.pack("<HHH", 0, 1, len(sizes)) + table + body)

kinds = [(b"icp4", 16), (b"icp5", 32), (b"ic11", 32), (b"ic12", 64), (b"ic07", 128), (b"ic13", 256), (b"ic08", 256),
         (b"ic14", 512), (b"ic09", 512)]
parts = b"".join(kind + struct.pack(">I", 8 + len(png(size))) + png(size) for kind, size in kinds)
Path("lull.icns").write_bytes(b"icns" + struct.pack(">I", 8 + len(parts)) + parts)
PY
