from stepwell import Finding, Validator


class Nulls(Validator):
    """Checks that a column lacks few enough of its values."""

    parameters = {
        "column": {"type": "string", "description": "Column to check."},
        "most": {"type": "number", "minimum": 0, "maximum": 1, "default": 0, "description": "Share that may be null."},
    }

    def check(self, rows, reference):
        column, most = self.params()["column"], self.params()["most"]
        nulls = [row for row, value in enumerate(rows[column]) if value is None]
        share = len(nulls) / max(len(rows), 1)
        # An `error`, which a finding is if nothing else is said, stops the run if it did not pass.
        return [Finding("nulls", share <= most, share, f"at most {most}", column=column, sample=nulls)]
