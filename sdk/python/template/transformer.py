from stepwell import Transformer


class Distinct(Transformer):
    """Keeps the first row of each value of a column; nulls are a value of their own."""

    parameters = {"column": {"type": "string", "description": "Column whose values are to come once."}}
    subset_of = {"table": "table"}

    @property
    def takes(self):
        return {"table": {}}

    def gives(self, inputs):
        return inputs

    def run(self, inputs):
        table = inputs["table"]
        first = {}
        for row, value in enumerate(table[self.params()["column"]]):
            first.setdefault(value, row)
        return {"table": table.take(first.values())}
