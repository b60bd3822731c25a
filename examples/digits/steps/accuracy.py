from stepwell import Evaluator, Measure


class Accuracy(Evaluator):
    """The share of images that are read right, of all and of each digit."""

    reads = {"digit": "int64", "prediction": "int64"}

    def evaluate(self, candidate, baseline, slices):
        pairs = list(zip(candidate["digit"], candidate["prediction"]))
        measures = [Measure("accuracy", share(pairs))]
        for digit in sorted(set(candidate["digit"])):
            of_digit = [pair for pair in pairs if pair[0] == digit]
            measures.append(Measure("accuracy", share(of_digit), slice=f"digit={digit}"))
        return measures


def share(pairs):
    """How many of the pairs are equal, of 1."""
    return sum(digit == prediction for digit, prediction in pairs) / len(pairs)
