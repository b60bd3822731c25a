"""Writes `tumour.csv` beside this file from scikit-learn's copy of the data set: `python make.py`, with scikit-learn
installed.

The numbers are written as Python's shortest text that reads back as the same float, so that nothing is lost or rounded.
"""

from pathlib import Path

from sklearn.datasets import load_breast_cancer

COLUMN_COUNT, ROW_COUNT = 30, 569


def lines(data):
    """The file's lines: a header, then a sample a line, numbered from 1 in the source's order."""
    features = [name.replace(" ", "_") for name in data.feature_names]
    assert len(features) == COLUMN_COUNT and len(data.data) == ROW_COUNT, (
        "the source is not the data set this was made for"
    )
    yield ["sample", *features, "diagnosis"]
    for number, (values, target) in enumerate(zip(data.data, data.target), start=1):
        yield [str(number), *(repr(float(value)) for value in values), str(data.target_names[target])]


if __name__ == "__main__":
    text = "".join(",".join(line) + "\n" for line in lines(load_breast_cancer()))
    Path(__file__).with_name("tumour.csv").write_bytes(text.encode())
