from math import sqrt

from stepwell import RowWise


class ZScore(RowWise):
    """Scales a column to zero mean and unit variance, as learnt from the training rows; nulls stay nulls."""

    parameters = {"column": {"type": "string", "description": "Column of numbers to scale."}}

    @property
    def reads(self):
        return {self.params()["column"]: "float64?"}

    @property
    def adds(self):
        return self.reads

    def fit(self, rows):
        values = [value for value in rows[self.params()["column"]] if value is not None]
        count = max(len(values), 1)
        mean = sum(values) / count
        variance = sum((value - mean) ** 2 for value in values) / count
        # A constant column is moved, not scaled. What is kept here is saved, and used for training rows and requests.
        self.state = {"mean": mean, "deviation": sqrt(variance) if variance > 0 else 1.0}

    def apply(self, rows):
        column, mean, deviation = self.params()["column"], self.state["mean"], self.state["deviation"]
        scaled = [None if value is None else (value - mean) / deviation for value in rows[column]]
        return rows.with_columns({column: scaled}, types={column: "float64?"})
