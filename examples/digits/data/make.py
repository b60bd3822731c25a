"""Writes `digits.csv` beside this file from scikit-learn's copy of the data set: `python make.py`, with scikit-learn
installed. Every number is whole, so nothing is lost or rounded."""

from pathlib import Path

from sklearn.datasets import load_digits

PIXEL_COUNT, ROW_COUNT = 64, 1797


def lines(data):
    """The file's lines: a header, then an image a line, numbered from 1 in the source's order, row of pixels after row."""
    assert data.data.shape == (ROW_COUNT, PIXEL_COUNT), "the source is not the data set this was made for"
    yield ["image", *(f"pixel_{row}_{column}" for row in range(8) for column in range(8)), "digit"]
    for number, (pixels, digit) in enumerate(zip(data.data, data.target), start=1):
        yield [str(number), *(str(int(pixel)) for pixel in pixels), str(digit)]


if __name__ == "__main__":
    text = "".join(",".join(line) + "\n" for line in lines(load_digits()))
    Path(__file__).with_name("digits.csv").write_bytes(text.encode())
