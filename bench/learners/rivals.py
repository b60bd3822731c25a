"""The same rows -> what scikit-learn and PyTorch make of them."""

import numpy
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge


def linear(data, l1, l2):
    """Predictions of the test rows; the penalties are Stepwell's, on half the sum of the squared errors."""
    train, test = data.parts["train"], data.parts["test"]
    count = len(train.label)
    if l1 and l2:
        model = ElasticNet(alpha=(l1 + l2) / count, l1_ratio=l1 / (l1 + l2), tol=1e-12, max_iter=1_000_000)
    elif l1:
        model = Lasso(alpha=l1 / count, tol=1e-12, max_iter=1_000_000)
    elif l2:
        model = Ridge(alpha=l2, solver="cholesky")
    else:
        model = LinearRegression()
    return model.fit(train.numbers, train.label).predict(test.numbers)


def logistic(data, l1, l2, balanced=False):
    """Probabilities of the test rows' classes."""
    train, test = data.parts["train"], data.parts["test"]
    weight = "balanced" if balanced else None
    if l1:
        model = LogisticRegression(
            C=1 / (l1 + l2), l1_ratio=l1 / (l1 + l2), solver="saga", tol=1e-9, max_iter=200_000, class_weight=weight
        )
    else:
        model = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=100_000, class_weight=weight)
    return model.fit(train.numbers, train.label).predict_proba(test.numbers)


def kmeans(data, clusters):
    """The inertia of the training rows."""
    return KMeans(clusters, n_init=10, random_state=0).fit(data.parts["train"].numbers).inertia_


def pca(data, components, whiten):
    """The components of the test rows."""
    return PCA(components, whiten=whiten, svd_solver="full").fit(data.parts["train"].numbers).transform(data.parts["test"].numbers)


class Network(torch.nn.Module):
    """Stepwell's layers, begun as PyTorch begins them."""

    def __init__(self, rows, numbers, outputs, hidden):
        super().__init__()
        widths = [min(600, round(1.6 * (count - 1) ** 0.56)) for count in rows]
        self.embeddings = torch.nn.ModuleList(torch.nn.Embedding(*shape) for shape in zip(rows, widths))
        layers, width = [], numbers + sum(widths)
        for size in hidden:
            layers += [torch.nn.Linear(width, size), torch.nn.ReLU()]
            width = size
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(width, outputs))

    def forward(self, numbers, places):
        embedded = [embedding(places[:, i]) for i, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([numbers, *embedded], 1))


def mlp(data, seed, hidden, epochs, patience, rate=0.001, batch=128):
    """Predictions of the test rows: numbers, or probabilities of the classes. The best of the epochs is kept."""
    torch.manual_seed(seed)
    known = {name: sorted(set(texts)) for name, texts in data.parts["train"].categories.items()}
    mean, deviation = data.parts["train"].label.mean(), data.parts["train"].label.std()

    def tensors(part):
        numbers = torch.tensor(part.numbers, dtype=torch.float32)
        place = {name: {text: place + 1 for place, text in enumerate(texts)} for name, texts in known.items()}
        places = [[place[name].get(text, 0) for text in texts] for name, texts in part.categories.items()]
        places = torch.tensor(numpy.array(places, dtype=numpy.int64).reshape(len(places), len(part.label)).T.copy())
        if data.classes:
            return numbers, places, torch.tensor(part.label)
        return numbers, places, torch.tensor((part.label - mean) / deviation, dtype=torch.float32)[:, None]

    train, validation, test = (tensors(data.parts[part]) for part in ("train", "validation", "test"))
    outputs = len(data.classes) if data.classes else 1
    network = Network([len(texts) + 1 for texts in known.values()], train[0].shape[1], outputs, hidden)
    loss_of = torch.nn.CrossEntropyLoss() if data.classes else torch.nn.MSELoss()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    best, best_epoch, kept = float("inf"), 0, None
    for epoch in range(epochs):
        for places in torch.randperm(len(train[0])).split(batch):
            optimiser.zero_grad()
            loss_of(network(train[0][places], train[1][places]), train[2][places]).backward()
            optimiser.step()
        with torch.no_grad():
            loss = loss_of(network(*validation[:2]), validation[2]).item()
        if loss < best:
            best, best_epoch = loss, epoch
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        if epoch - best_epoch >= patience:
            break
    network.load_state_dict(kept)
    with torch.no_grad():
        scores = network(*test[:2])
    return scores.softmax(1).numpy() if data.classes else scores[:, 0].numpy() * deviation + mean
