"""A second program for the partitioners: prints the deals that partition.rs expects.

It shares nothing with the Rust code; the streams are those of the core's own reference.py.

    python3 reference.py
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[3] / "core/tests/it/random"))
from reference import Stream  # noqa: E402

ROWS, CLASSES, CLIENTS = 40, 4, 4


def shuffled(stream, items):
    return [items[i] for i in stream.permutation(len(items))]


def pieces(rows, count):
    return [rows[i * len(rows) // count : (i + 1) * len(rows) // count] for i in range(count)]


def iid(stream):
    return pieces(shuffled(stream, list(range(ROWS))), CLIENTS)


def shards(stream, per_client):
    by_label = sorted(range(ROWS), key=lambda row: row % CLASSES)
    dealt = shuffled(stream, pieces(by_label, CLIENTS * per_client))
    return [sum(dealt[i * per_client : (i + 1) * per_client], []) for i in range(CLIENTS)]


def dirichlet(stream, alpha, least):
    for draw in range(1, 1001):
        parts = [[] for _ in range(CLIENTS)]
        for label in range(CLASSES):
            rows = [row for row in range(ROWS) if row % CLASSES == label]
            shares = stream.dirichlet(alpha, CLIENTS)
            cuts = [0] + [int(sum(shares[:i]) * len(rows)) for i in range(1, CLIENTS)] + [len(rows)]
            for i in range(CLIENTS):
                parts[i] += rows[cuts[i] : cuts[i + 1]]
        if min(map(len, parts)) >= least:
            print("draws:", draw)
            return parts
    raise SystemExit("no draw is good enough")


for parts in (
    iid(Stream(0, "partition")),
    shards(Stream(0, "partition"), 2),
    dirichlet(Stream(0, "partition"), 0.5, 5),
):
    print([sorted(part) for part in parts])
print("held out:", Stream(0, "held-out").sample(100, 20))
