"""The numbers that the tests of the evaluators expect, from scikit-learn 1.9.1 and statsmodels 0.15.0: `python3 reference.py`.

Where neither has such a measure, NumPy computes it by its definition. The rows are small and made up.
"""

import numpy as np
import statsmodels.api as sm
from sklearn import metrics as m
from sklearn.calibration import calibration_curve


def show(name, values):
    print(f"{name}:")
    for key, value in values.items():
        print(f"    {key} = {float(value)!r}")


def line(y, p):
    """Slope and intercept of the calibration (Cox, 1958)."""
    eps = np.finfo(float).eps
    p = np.clip(p, eps, 1 - eps)
    fitted = sm.Logit(y, sm.add_constant(np.log(p / (1 - p)))).fit(disp=0, maxiter=200, tol=1e-14)
    return {"calibration_slope": fitted.params[1], "calibration_intercept": fitted.params[0]}


def calibration():
    i = np.arange(200)
    p = (i * 7919 % 1000 + 0.5) / 1000
    chance = ((i * 104_729 + 13) % 997 + 0.5) / 997
    return line((chance < 1 / (1 + np.exp(-(0.3 + 0.6 * np.log(p / (1 - p)))))).astype(int), p)


def classification():
    y = np.array([0, 0, 1, 1, 1, 0, 1, 0, 1, 0])
    p = np.array([0.1, 0.4, 0.35, 0.8, 0.8, 0.8, 0.65, 0.2, 1.0, 0.5])
    d = (p >= 0.5).astype(int)
    tn, fp, fn, tp = m.confusion_matrix(y, d).ravel()
    # Bins as those of `calibration_curve`, which gives no counts.
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], p)
    true, said = calibration_curve(y, p, n_bins=10)
    rows = np.bincount(bins, minlength=10)
    rows = rows[rows > 0]
    return {
        "accuracy": m.accuracy_score(y, d),
        "precision": m.precision_score(y, d),
        "recall": m.recall_score(y, d),
        "f1": m.f1_score(y, d),
        "roc_auc": m.roc_auc_score(y, p),
        "log_loss": m.log_loss(y, p),
        "brier": m.brier_score_loss(y, p),
        "pr_auc": m.average_precision_score(y, p),
        "balanced_accuracy": m.balanced_accuracy_score(y, d),
        "tnr": tn / (tn + fp),
        "fpr": fp / (tn + fp),
        "fnr": fn / (fn + tp),
        "ece": np.sum(rows * np.abs(true - said)) / len(y),
        "brier_reliability": np.sum(rows * (true - said) ** 2) / len(y),
        "brier_resolution": np.sum(rows * (true - y.mean()) ** 2) / len(y),
    } | line(y, p) | {f"fbeta@{beta}": m.fbeta_score(y, d, beta=beta) for beta in [2, 0.5]}


def multiclass():
    classes = np.array(["a", "b", "c", "d"])
    y = np.array(list("aabbbccabcab"))
    d = np.array(list("ababbcaaccad"))
    p = np.array([
        [0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.6, 0.2, 0.1],
        [0.2, 0.6, 0.1, 0.1], [0.1, 0.1, 0.8, 0.0], [0.5, 0.1, 0.3, 0.1], [0.9, 0.05, 0.05, 0.0],
        [0.1, 0.3, 0.5, 0.1], [0.2, 0.2, 0.5, 0.1], [0.6, 0.2, 0.1, 0.1], [0.1, 0.3, 0.2, 0.4],
    ])
    places = np.searchsorted(classes, y)
    sure, right = p.max(axis=1), p.argmax(axis=1) == places
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], sure)
    ece = sum(abs(sure[bins == b].sum() - right[bins == b].sum()) for b in range(10)) / len(y)
    values = {"accuracy": m.accuracy_score(y, d), "balanced_accuracy": np.mean([(d[y == c] == c).mean() for c in "abc"])}
    for mean in ["macro", "weighted"]:
        scores = m.precision_recall_fscore_support(y, d, average=mean, zero_division=0)
        values |= {f"{kind}_{mean}": score for kind, score in zip(["precision", "recall", "f1"], scores)}
        values[f"fbeta_{mean}@2"] = m.fbeta_score(y, d, beta=2, average=mean, zero_division=0)
    aucs = {c: m.roc_auc_score(y == c, p[:, i]) for i, c in enumerate("abc")}
    values |= {
        "log_loss": m.log_loss(y, p, labels=classes),
        "ece": ece,
        "roc_auc_macro": np.mean(list(aucs.values())),
        "top@1": m.top_k_accuracy_score(places, p, k=1, labels=range(4)),
        "top@2": m.top_k_accuracy_score(places, p, k=2, labels=range(4)),
    }
    scores = m.precision_recall_fscore_support(y, d, labels=["a", "b", "c"], zero_division=0)
    for i, c in enumerate("abc"):
        values |= {f"{kind}:{c}": scores[j][i] for j, kind in enumerate(["precision", "recall", "f1"])}
    scores = m.fbeta_score(y, d, beta=2, labels=["a", "b", "c"], average=None, zero_division=0)
    values |= {f"fbeta@2:{c}": score for c, score in zip("abc", scores)}
    return values | {f"roc_auc:{c}": auc for c, auc in aucs.items()}


def regression():
    y = np.array([3.0, -0.5, 2.0, 7.0, 4.2, 1.5, 8.0])
    p = np.array([2.5, 0.1, 2.0, 8.0, 3.9, 1.9, 6.5])
    low, high = p - 0.55, p + 0.55
    scale = np.array([0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 2.0])
    e = p - y
    return {
        "mean_error": e.mean(),
        "mae": m.mean_absolute_error(y, p),
        "rmse": m.root_mean_squared_error(y, p),
        "r2": m.r2_score(y, p),
        "mape": m.mean_absolute_percentage_error(y, p),
        "smape": np.mean(2 * np.abs(e) / (np.abs(y) + np.abs(p))),
        "wape": np.abs(e).sum() / np.abs(y).sum(),
        "bias": e.sum() / np.abs(y).sum(),
        "max_error": m.max_error(y, p),
        "median_absolute_error": m.median_absolute_error(y, p),
        "mase": np.mean(np.abs(e) / scale),
        "pinball@0.1": m.mean_pinball_loss(y, low, alpha=0.1),
        "pinball@0.9": m.mean_pinball_loss(y, high, alpha=0.9),
        "coverage": np.mean((low <= y) & (y <= high)),
        "interval_width": np.mean(high - low),
    }


def seasonal():
    series = {"first": np.array([3.0, 4.0, 5.0, 6.5, 7.0]), "second": np.array([20.0, 15.0, 10.0])}
    naive = lambda y, m: np.mean(np.abs(y[m:] - y[:-m]))
    return {f"{name}, season {m}": naive(y, m) for m in [1, 2] for name, y in series.items()}


def ranking():
    queries = [
        ([3, 2, 0, 0, 1], [0.9, 0.2, 0.8, 0.1, 0.7]),
        ([0, 0, 1, 0], [0.4, 0.3, 0.2, 0.1]),
        ([1, 0, 2, 0, 0, 1], [0.5, 0.5, 0.5, 0.9, 0.1, 0.05]),
    ]
    ranks, aps = [], []
    for relevance, scores in queries:
        # Of equal scores the less relevant first, which scikit-learn has no word for: an order without ties is given to it.
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], relevance[i]))
        ranked = np.array(relevance)[order] > 0
        ranks.append(1 / (np.argmax(ranked) + 1))
        aps.append((m.average_precision_score(ranked, -np.arange(len(ranked))), ranked))
    values = {"mrr": np.mean(ranks), "map": np.mean([ap for ap, _ in aps])}
    k = 2
    values[f"ndcg@{k}"] = np.mean([m.ndcg_score([r], [s], k=k) for r, s in queries])
    values[f"hit_rate@{k}"] = np.mean([ranked[:k].any() for _, ranked in aps])
    values[f"precision@{k}"] = np.mean([ranked[:k].sum() / k for _, ranked in aps])
    values[f"recall@{k}"] = np.mean([ranked[:k].sum() / ranked.sum() for _, ranked in aps])
    values[f"map@{k}"] = np.mean([
        sum(ranked[: i + 1].mean() for i in range(k) if ranked[i]) / min(k, ranked.sum()) for _, ranked in aps
    ])
    return values


for evaluator in [classification, calibration, multiclass, regression, seasonal, ranking]:
    show(evaluator.__name__, evaluator())
