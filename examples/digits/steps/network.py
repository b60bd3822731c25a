import json

from stepwell import Predictor, Trained, Trainer, metric, progress, seed
from stepwell.tensor import Variable, adamw, cosine_decay, cross_entropy, from_safetensors, full, normal, permutation
from stepwell.tensor import tensor, to_safetensors

INK_MAX = 16
WIDTHS = (256, 128)
EPOCHS, BATCH, DROPOUT = 60, 64, 0.3


def answers(pixels, weights, dropped=None):
    """Logits [rows, 10] of a network whose layers are `weights`, pairs of a matrix and a bias. In training, `dropped`
    gives the seed of the next layer's dropout."""
    for matrix, bias in weights[:-1]:
        pixels = pixels.linear(matrix, bias).relu()
        if dropped:
            pixels = pixels.dropout(DROPOUT, next(dropped))
    return pixels.linear(*weights[-1])


class NetworkTrainer(Trainer):
    """Trains a network of two hidden layers on the host's cores: the images never enter this step."""

    parameters = {"epochs": {"type": "integer", "minimum": 1, "default": EPOCHS}}
    gives = {"prediction": "int64", "confidence": "float32"}

    def train(self, training):
        pixels = tensor(training.train, training.features) / INK_MAX
        digits = tensor(training.train, [training.label], "int64")[:, 0]
        layers = self.layers(len(training.features), digits.max().item() + 1)
        variables = [variable for layer in layers for variable in layer]
        optimiser = adamw(variables, weight_decay=0.05)
        epochs, batches = self.params()["epochs"], max(len(training.train) // BATCH, 1)
        rate = cosine_decay(0.003, epochs * batches)
        dropped = iter(range(seed(), seed() + 2 * epochs * batches))
        for epoch in range(epochs):
            order = permutation(len(training.train), seed() + epoch)
            for batch in range(batches):
                rows = order[batch * BATCH : (batch + 1) * BATCH]
                weights = [(matrix.value(), bias.value()) for matrix, bias in layers]
                loss = cross_entropy(answers(pixels.take(0, rows), weights, dropped), digits.take(0, rows))
                optimiser.step(loss, rate(epoch * batches + batch))
            metric("loss", loss.item(), epoch)
            progress(epoch + 1, epochs)
        saved = {variable.name: variable.value() for variable in variables}
        types = training.train.types
        return Trained(
            files={"network.safetensors": to_safetensors(saved), "features.json": json.dumps(training.features).encode()},
            inputs={name: types[name] for name in training.features},
            outputs=self.gives,
            measures={"loss": loss.item()},
        )

    def layers(self, inputs, outputs):
        """Variables of each layer; weights start as He et al. (2015) advise for relu."""
        made = []
        for i, (width, next_width) in enumerate(zip((inputs, *WIDTHS), (*WIDTHS, outputs))):
            start = normal([width, next_width], seed() + i) * (2 / width) ** 0.5
            made.append((Variable(f"weights.{i}", start), Variable(f"bias.{i}", full([next_width], 0.0))))
        return made


class NetworkPredictor(Predictor):
    """Reads digits."""

    def load(self, files):
        saved = from_safetensors(files["network.safetensors"])
        self.weights = [(saved[f"weights.{i}"], saved[f"bias.{i}"]) for i in range(len(WIDTHS) + 1)]
        self.features = json.loads(files["features.json"])

    def predict(self, rows):
        shares = answers(tensor(rows, self.features) / INK_MAX, self.weights).softmax(1)
        digits = shares.argmax(1)[:, None].to_table(["prediction"])
        return digits.with_columns(confidence=shares.max(1).values())
