from math import sqrt

from stepwell import Transformer, metric
from stepwell.tensor import Variable, adamw, cross_entropy, full, normal, permutation, uniform

ROWS, BATCH = 12_800, 128
WIDTHS = (784, 512, 256, 10)
RATE = 0.001


class Kernels(Transformer):
    """Sums of small tensors, products of matrices, epochs of training: `host/cli/tests/guests/kernels` in Python."""

    parameters = {"task": {"enum": ["sum", "product", "epoch"]}, "times": {"type": "integer", "minimum": 1}}

    def run(self, inputs):
        task, times = self.params()["task"], self.params()["times"]
        if task == "sum":
            x = full([16], 0.5)
            repeat(times, lambda: x + x)
        elif task == "product":
            x = full([256, 256], 0.5)
            repeat(times, lambda: x @ x)
        else:
            training = Training()
            training.epoch()
            repeat(times, training.epoch)
        return {}


def repeat(times, act):
    """Says when it begins and when it is done, and what it made."""
    metric("begun", 0)
    for _ in range(times):
        made = act()
    metric("done", times)
    metric("made", made.mean().item())


class Training:
    """A network of dense layers, and what trains it."""

    def __init__(self):
        self.rows = normal([ROWS, WIDTHS[0]], 0)
        self.classes = (uniform([ROWS], 1) * WIDTHS[3]).cast("int64")
        ends = zip(WIDTHS, WIDTHS[1:])
        self.layers = [layer(inputs, outputs, seed) for seed, (inputs, outputs) in enumerate(ends, 2)]
        self.optimiser = adamw([variable for pair in self.layers for variable in pair], weight_decay=0.0)
        self.epochs = 0

    def epoch(self):
        """One pass over the rows in an order of its own; the last loss."""
        order = permutation(ROWS, self.epochs)
        self.epochs += 1
        for start in range(0, ROWS, BATCH):
            chosen = order[start : start + BATCH]
            loss = cross_entropy(self.scores(self.rows.take(0, chosen)), self.classes.take(0, chosen))
            self.optimiser.step(loss, RATE)
        return loss

    def scores(self, values):
        for weights, bias in self.layers[:-1]:
            values = values.linear(weights.value(), bias.value()).relu()
        weights, bias = self.layers[-1]
        return values.linear(weights.value(), bias.value())


def layer(inputs, outputs, seed):
    start = normal([inputs, outputs], seed) * sqrt(2 / inputs)
    return Variable(f"weights.{seed}", start), Variable(f"bias.{seed}", full([outputs], 0.0))
