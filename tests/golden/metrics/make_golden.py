"""Golden values of the metrics and of Story Cloze's split, from scikit-learn, SciPy and NumPy.

    python make_golden.py        writes metrics.json and storycloze_split.json beside itself

Made with scikit-learn 1.9.1, SciPy 1.17.1. Where SciPy gives NaN (a constant side), the value here is null.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import scipy.stats
import sklearn.metrics
from sklearn.model_selection import train_test_split

warnings.simplefilter("ignore")
rng = np.random.default_rng(20180611)
here = pathlib.Path(__file__).parent


def classes(name, predictions, targets):
    p, t = np.asarray(predictions, dtype=int), np.asarray(targets, dtype=int)
    binary = set(p) | set(t) <= {0, 1}
    return {
        "name": name,
        "predictions": p.tolist(),
        "targets": t.tolist(),
        "accuracy": float(sklearn.metrics.accuracy_score(t, p)),
        "f1": float(sklearn.metrics.f1_score(t, p)) if binary else None,
        "matthews": float(sklearn.metrics.matthews_corrcoef(t, p)),
    }


def numbers(name, x, y):
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    value = lambda r: None if math.isnan(r) else float(r)
    return {
        "name": name,
        "x": x.tolist(),
        "y": y.tolist(),
        "pearson": value(scipy.stats.pearsonr(x, y).statistic),
        "spearman": value(scipy.stats.spearmanr(x, y).statistic),
    }


class_cases = [
    classes("one right", [1], [1]),
    classes("one wrong", [1], [0]),
    classes("all right", [0, 1, 1, 0], [0, 1, 1, 0]),
    classes("all wrong", [1, 0, 0, 1], [0, 1, 1, 0]),
    classes("always 1", [1] * 9, [0, 1, 1, 0, 1, 1, 0, 1, 1]),
    classes("always 0", [0] * 9, [0, 1, 1, 0, 1, 1, 0, 1, 1]),
    classes("only class 0 on both sides", [0] * 5, [0] * 5),
    classes("only class 1 on both sides", [1] * 5, [1] * 5),
    classes("only class 0 is gold", [0, 1, 0, 1], [0] * 4),
    classes("only class 1 is gold", [0, 1, 0, 1], [1] * 4),
]
for n_classes in (2, 2, 2, 2, 2, 2, 3, 3, 4, 4):
    n = int(rng.integers(2, 300))
    skew = rng.dirichlet(np.ones(n_classes))
    targets = rng.choice(n_classes, size=n, p=skew)
    guesses = rng.choice(n_classes, size=n)
    predictions = np.where(rng.random(n) < rng.random(), targets, guesses)
    class_cases.append(classes(f"random, {n} of {n_classes} classes", predictions, targets))

number_cases = [
    numbers("two points", [1, 2], [3, 5]),
    numbers("two points, falling", [1, 2], [5, 3]),
    numbers("constant predictions", [0.1] * 7, rng.random(7)),
    numbers("constant targets", rng.random(7), [2.5] * 7),
    numbers("both constant", [1.0] * 4, [1.0] * 4),
    numbers("exact line", np.arange(20), 3 * np.arange(20) - 7),
    numbers("monotone, not a line", np.arange(1, 15), np.arange(1, 15) ** 3.0),
    numbers("two values only", [0, 1, 1, 0, 1, 0, 0, 1], [1, 5, 5, 1, 1, 1, 5, 5]),
    # In steps of 1/256, which 15 digits hold exactly: the offset would magnify a JSON reader's rounding of longer ones.
    numbers("large offset", 1e6 + rng.integers(0, 256, 50) / 256, rng.random(50)),
    numbers("zeros of both signs", [0.0, -0.0, 1.0, -1.0], [1.0, 1.0, 2.0, 0.0]),
]
for _ in range(6):
    n = int(rng.integers(3, 300))
    x = rng.normal(size=n)
    number_cases.append(numbers(f"normal, {n}", x, rng.normal() * x + rng.normal(size=n)))
for _ in range(6):
    n = int(rng.integers(10, 300))
    gold = np.round(rng.random(n) * 25) / 5
    number_cases.append(numbers(f"scores with ties, {n}", np.clip(np.round(gold + rng.normal(size=n), 1), 0, 5), gold))

train, dev = train_test_split(list(range(1871)), test_size=374, random_state=3535999445)
(here / "metrics.json").write_text(json.dumps({"classes": class_cases, "numbers": number_cases}) + "\n")
(here / "storycloze_split.json").write_text(json.dumps({"train": train, "dev": dev}) + "\n")
print(len(class_cases), "class cases,", len(number_cases), "number cases")
