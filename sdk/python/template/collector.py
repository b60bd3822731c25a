from stepwell import Collector, Page, Table

# Rows of a page: what is committed together, and read again if the run is interrupted.
PAGE_ROWS = 1000


class Numbers(Collector):
    """Brings whole numbers and their squares. In place of them, read your source: `open_file` reads a granted file."""

    parameters = {
        "rows": {"type": "integer", "minimum": 0, "default": 100, "description": "How many rows there are."}
    }
    gives = {"number": "int64", "square": "int64"}

    def read(self, cursor):
        rows = self.params()["rows"]
        start = int(cursor) if cursor else 0
        end = max(start, min(rows, start + PAGE_ROWS))
        numbers = range(start, end)
        columns = {"number": list(numbers), "square": [number * number for number in numbers]}
        return Page(Table(columns, self.gives), next_cursor=str(end).encode(), more=end < rows)
