"""A rival that does one task whenever it is told to: `python rival.py TASK THREADS FOLDER`.

Draws its data and leaves them in the folder, so that ours works on the same; says `ready`; then answers each line of its
input with the seconds that the task took and what is compared, as a JSON line. The benchmark takes turns with it, so that
both meet the same machine.
"""

import json
import os
import sys
import time
from pathlib import Path

TASK, THREADS, FOLDER = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import numpy as np  # noqa: E402  the threads are set first


def leave(name, array):
    """Writes an array, row by row; the file's ending says of what."""
    array.tofile(FOLDER / f"{name}.{array.dtype}")


def mlp():
    """An epoch of 784-512-256-10 in PyTorch: 12,800 rows, batches of 128, Adam, cross-entropy."""
    import torch
    from torch import nn

    torch.set_num_threads(THREADS)
    draw = np.random.default_rng(0)
    rows = torch.tensor(draw.standard_normal((12_800, 784), dtype=np.float32))
    labels = torch.tensor(draw.integers(0, 10, 12_800))
    leave("train.x", rows.numpy())
    leave("train.y", labels.numpy())
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    optimiser, loss = torch.optim.Adam(net.parameters(), 1e-3), nn.CrossEntropyLoss()

    def epoch():
        order = torch.randperm(len(rows))
        for batch in order.split(128):
            optimiser.zero_grad()
            value = loss(net(rows[batch]), labels[batch])
            value.backward()
            optimiser.step()
        return {"loss": float(value)}

    return epoch


def binary():
    """500k x 28, seeded: a nonlinear score and noise, about half positive; a fifth to be judged by."""
    draw = np.random.default_rng(0)
    count = 500_000
    x = draw.standard_normal((count, 28)).astype(np.float32)
    score = x @ draw.standard_normal(28) * 0.3 + x[:, 0] * x[:, 1] + 0.7 * np.sin(2 * x[:, 2])
    score = score + 0.5 * (x[:, 3] > 0.5) * x[:, 4] + 0.8 * draw.standard_normal(count)
    return x, (score > 0).astype(np.int64), count * 4 // 5


def gbdt():
    """LightGBM on the table of `binary`: 100 trees of 31 leaves."""
    import lightgbm
    from sklearn.metrics import roc_auc_score

    x, y, cut = binary()
    for name, part in {"train": slice(cut), "judged": slice(cut, None)}.items():
        leave(f"{name}.x", x[part])
        leave(f"{name}.y", y[part])

    def fit():
        model = lightgbm.LGBMClassifier(
            n_estimators=100, learning_rate=0.1, num_leaves=31, n_jobs=THREADS, verbose=-1, random_state=0
        )
        model.fit(x[:cut], y[:cut])
        begin = time.perf_counter()
        auc = roc_auc_score(y[cut:], model.predict_proba(x[cut:])[:, 1])
        return {"auc": auc, "not_counted_s": time.perf_counter() - begin}

    return fit


SQL = {
    "groupby": "select k, count(*) n, sum(a) sa, avg(b) mb, min(a) mi, max(b) ma, stddev_samp(a) sd from facts group by k",
    "window": "select k, ts, a, lag(a) over w as la, avg(a) over (partition by k order by ts rows between 6 preceding and"
    " current row) as rm from facts window w as (partition by k order by ts)",
    "join": "select g, count(*) n, sum(a * w) s from facts join dim using (k) group by g",
}


def sql(query):
    """DuckDB on 5M rows in memory; the result becomes a table, too."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {THREADS}")
    draw, count = np.random.default_rng(0), 5_000_000
    facts = {
        "k": draw.integers(0, 10_000, count),
        "ts": np.arange(count),
        "a": draw.standard_normal(count),
        "b": draw.standard_normal(count),
        "c": draw.integers(0, 100, count),
    }
    dim = {"k": np.arange(10_000), "w": draw.standard_normal(10_000), "g": draw.integers(0, 50, 10_000)}
    (FOLDER / "query.sql").write_text(SQL[query])
    for table, columns in {"facts": facts, "dim": dim}.items():
        for name, column in columns.items():
            leave(f"{table}.{name}", column)
    connection.execute("create table facts as select * from facts")
    connection.execute("create table dim as select * from dim")

    def run():
        connection.execute(f"create or replace table out as {SQL[query]}")
        begin = time.perf_counter()
        rows = connection.execute("select count(*) from out").fetchone()[0]
        return {"rows": rows, "not_counted_s": time.perf_counter() - begin}

    return run


def main():
    tasks = {"mlp": mlp, "gbdt": gbdt} | {name: lambda name=name: sql(name) for name in SQL}
    task = tasks[TASK]()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        said = task()
        seconds = time.perf_counter() - begin - said.pop("not_counted_s", 0)
        print(json.dumps(said | {"seconds": seconds}), flush=True)


main()
