"""Chooses what a committed corpus keeps: choose.py CONTROL FILES_MAX BYTES_MAX prints the chosen files.

CONTROL is the control file of libFuzzer's set-cover merge: the files, and for each the features that it reaches. Chosen
is, again and again, the file with the most features that no other has brought yet for its size. Files named seed-* and
crash-* always stay.
"""

import os
import sys


def read(path):
    with open(path, encoding="utf-8") as control:
        lines = control.read().splitlines()
    files = lines[2 : 2 + int(lines[0])]
    features = {}
    for line in lines[2 + len(files) :]:
        kind, number, *rest = line.split()
        if kind == "FT":
            features[files[int(number)]] = set(map(int, rest))
    return features


def main():
    features, files_max, bytes_max = read(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    size = {file: os.path.getsize(file) for file in features}
    chosen = [file for file in features if os.path.basename(file).startswith(("seed-", "crash-"))]
    reached = set().union(*(features.pop(file) for file in chosen))
    left = bytes_max - sum(size[file] for file in chosen)
    # A fixed cost for each file, so that few rather than many are kept.
    worth = lambda file: (len(features[file] - reached) / (64 + size[file]), file)
    while features and len(chosen) < files_max:
        best = max(features, key=worth)
        new = features.pop(best) - reached
        if not new:
            break
        if size[best] <= left:
            left -= size[best]
            reached |= new
            chosen.append(best)
    print("\n".join(chosen))


main()
