"""Writes `pytorch.json` beside this file: what PyTorch computes, for `tests/suite/pytorch.rs` to hold against ours.

    python pytorch.py        with torch, numpy and safetensors installed

Everything is float64 and drawn from a fixed seed, so that both sides differ by rounding alone; the tolerance stands in the test.
"""

import json
from pathlib import Path

import numpy
import torch
from safetensors.numpy import save
from torch.nn import functional as f

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)


def shown(tensor):
    return {"shape": list(tensor.shape), "values": tensor.detach().reshape(-1).tolist()}


def case(name, function, arguments, **settings):
    """The value of a function, and the gradients of the sum of its value times 1, 2, 3, .. by each argument."""
    arguments = [argument.clone().requires_grad_() for argument in arguments]
    value = function(*arguments)
    weights = torch.arange(1, value.numel() + 1, dtype=value.dtype).reshape(value.shape)
    gradients = torch.autograd.grad((value * weights).sum(), arguments)
    return {
        "name": name,
        "settings": settings,
        "arguments": [shown(argument) for argument in arguments],
        "value": shown(value),
        "gradients": [shown(gradient) for gradient in gradients],
    }


def convolutions():
    for shape, kernels, stride, padding, dilation, groups in [
        ((2, 3, 9), (4, 3, 3), [2], [1], [1], 1),
        ((2, 4, 9), (6, 2, 2), [1], [2], [3], 2),
        ((2, 3, 7, 6), (4, 3, 3, 2), [2, 1], [1, 0], [1, 2], 1),
        ((3, 4, 5, 5), (4, 1, 3, 3), [1, 1], [1, 1], [1, 1], 4),
    ]:
        function = f.conv1d if len(shape) == 3 else f.conv2d
        settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        arguments = [torch.randn(shape), torch.randn(kernels), torch.randn(kernels[0])]
        yield case("convolve", lambda x, w, b: function(x, w, b, **settings), arguments, **settings)


def poolings():
    for shape, size, stride, padding in [((2, 3, 9), [3], [2], [1]), ((2, 2, 6, 7), [3, 2], [2, 2], [1, 1])]:
        one = len(shape) == 3
        window = {"size": size, "stride": stride, "padding": padding}
        largest, average = (f.max_pool1d, f.avg_pool1d) if one else (f.max_pool2d, f.avg_pool2d)
        yield case("pool.max", lambda x: largest(x, size, stride, padding), [torch.randn(shape)], **window)
        yield case("pool.average", lambda x: average(x, size, stride, padding), [torch.randn(shape)], **window)


def elementwise():
    x = torch.linspace(-4, 4, 17)
    for name, function in [
        ("gelu", f.gelu),
        ("gelu-tanh", lambda x: f.gelu(x, approximate="tanh")),
        ("silu", f.silu),
        ("softplus", f.softplus),
        ("erf", torch.erf),
        ("expm1", torch.expm1),
    ]:
        yield case(f"unary.{name}", function, [x])


def others():
    arguments = [torch.randn(4, 3, 6), torch.randn(6), torch.randn(6)]
    yield case("layer-norm", lambda x, w, b: f.layer_norm(x, [6], w, b, 1e-5), arguments)
    yield case("linear", lambda x, w, b: x @ w + b, [torch.randn(2, 3, 5), torch.randn(5, 4), torch.randn(4)])
    yield case("log-softmax", lambda x: f.log_softmax(x, 1), [torch.randn(3, 5)])
    yield case("cumulative-sum", lambda x: torch.cumsum(x, 0), [torch.randn(4, 3)])
    yield case("reduce.variance", lambda x: x.var(1, correction=0), [torch.randn(4, 6)])
    yield case("reduce.log-sum-exp", lambda x: x.logsumexp(1), [torch.randn(4, 6)])


def losses():
    p, y, w = torch.randn(7), torch.randn(7), torch.rand(7)
    yield case("squared", lambda p, y: f.mse_loss(p, y), [p, y])
    yield case("absolute", lambda p, y: f.l1_loss(p, y), [p, y])
    yield case("huber", lambda p, y: f.huber_loss(p, y, delta=0.6), [p, y], number=0.6)
    # PyTorch has no pinball loss; this is its definition.
    pinball = lambda p, y: torch.maximum(0.3 * (y - p), 0.7 * (p - y)).mean()
    yield case("quantile", pinball, [p, y], number=0.3)
    targets = torch.rand(7)
    bce = lambda x: f.binary_cross_entropy_with_logits(x, targets, w)
    yield case("binary-cross-entropy", bce, [p], targets=targets.tolist(), weights=w.tolist())
    classes = torch.tensor([3, 0, 2])
    yield case("cross-entropy", lambda x: f.cross_entropy(x, classes), [torch.randn(3, 4)], targets=classes.tolist())


def optimiser(name, make, clip=None, **settings):
    """Ten steps on a small regression, and the parameters after each."""
    x, y = torch.randn(8, 3), torch.randn(8, 2)
    w, b = torch.randn(3, 2).requires_grad_(), torch.randn(2).requires_grad_()
    start, path = [shown(x), shown(y), shown(w), shown(b)], []
    steps = make([w, b])
    for _ in range(10):
        steps.zero_grad()
        f.mse_loss(torch.tanh(x @ w + b), y).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([w, b], clip)
        steps.step()
        path.append(torch.cat([w.reshape(-1), b]).tolist())
    return {"name": name, "settings": settings, "start": start, "clip": clip, "path": path}


def optimisers():
    sgd, adamw = torch.optim.SGD, torch.optim.AdamW
    plain = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "rate": 0.1}
    for changed in [{}, {"momentum": 0.9}, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05}]:
        settings = plain | changed
        given = {("lr" if key == "rate" else key): value for key, value in settings.items()}
        yield optimiser("sgd", lambda all: sgd(all, **given), **settings)
    yield optimiser("sgd", lambda all: sgd(all, lr=0.1), clip=0.2, **plain)
    settings = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.1, "rate": 0.03}
    yield optimiser(
        "adamw", lambda all: adamw(all, lr=0.03, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1), **settings
    )


def schedules():
    """PyTorch's rates of 25 steps."""
    from torch.optim import lr_scheduler as rates

    for name, make, settings in [
        ("step", lambda o: rates.StepLR(o, 7, 0.3), {"every": 7, "factor": 0.3}),
        ("exponential", lambda o: rates.ExponentialLR(o, 0.9), {"factor": 0.9}),
        ("cosine", lambda o: rates.CosineAnnealingLR(o, 24, 0.01), {"steps": 24, "last_rate": 0.01}),
    ]:
        steps = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        schedule, path = make(steps), []
        for _ in range(25):
            path.append(steps.param_groups[0]["lr"])
            steps.step()
            schedule.step()
        yield {"name": name, "settings": settings, "path": path}


def saved():
    """A file that Python's safetensors wrote."""
    arrays = {
        "weights": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 4,
        "half": numpy.array([0.5, -2.0, 65504.0, 6e-8, numpy.inf], dtype=numpy.float16),
        "classes": numpy.array([-1, 2**62], dtype=numpy.int64),
        "bias": numpy.array(0.1),
    }
    return save(arrays).hex()


if __name__ == "__main__":
    found = {
        "torch": torch.__version__,
        "cases": [*convolutions(), *poolings(), *elementwise(), *others(), *losses()],
        "optimisers": list(optimisers()),
        "schedules": list(schedules()),
        "safetensors": saved(),
    }
    Path(__file__).with_name("pytorch.json").write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n")
