"""A rival that runs a pipeline whenever it is told to: `python flows.py RIVAL PIPELINE`.

RIVAL is `luigi`, which keeps a file a step; `dagster`, which keeps everything in its database; or `dagster-memory`, which keeps
nothing. PIPELINE is `linear` (10 steps, each adds 1), `fan` (a step, 100 beside each other, one that joins them), or `first`:
says `step` as soon as the first step runs, once, and ends. Otherwise says `ready`, runs it once for the caches, and answers
each line of its input with the seconds that a run took, as a JSON line.
"""

import json
import os
import sys
import tempfile
import time

RIVAL, PIPELINE = sys.argv[1], sys.argv[2]
FOLDER = tempfile.TemporaryDirectory(prefix="flows-")


def body(number):
    if PIPELINE == "first":
        print("step", flush=True)
    return number + 1


def luigi():
    """Every run in a folder of its own: Luigi takes a step whose file is there as done."""
    import luigi

    class Base(luigi.Task):
        folder = luigi.Parameter()
        number = luigi.IntParameter()

        def output(self):
            return luigi.LocalTarget(f"{self.folder}/{type(self).__name__}{self.number}")

        def put(self, value):
            with self.output().open("w") as file:
                file.write(str(value))

        def value(self):
            with self.output().open() as file:
                return int(file.read())

    class Step(Base):
        def requires(self):
            return [Step(folder=self.folder, number=self.number - 1)] if self.number else []

        def run(self):
            self.put(body(self.requires()[0].value() if self.number else 0))

    class Leaf(Base):
        def requires(self):
            return Step(folder=self.folder, number=0)

        def run(self):
            self.put(body(self.requires().value()))

    class Total(Base):
        def requires(self):
            return [Leaf(folder=self.folder, number=number) for number in range(100)]

        def run(self):
            self.put(sum(leaf.value() for leaf in self.requires()))

    def run():
        folder = tempfile.mkdtemp(dir=FOLDER.name)
        last = Total(folder=folder, number=0) if PIPELINE == "fan" else Step(folder=folder, number=9)
        assert luigi.build([last], local_scheduler=True, workers=1, log_level="WARNING")
        return last.value()

    return run


def dagster():
    """In this process, as its own tests and notebooks run a job: a process a step takes it many times as long."""
    os.environ.update(DAGSTER_DISABLE_TELEMETRY="1", DAGSTER_HOME=FOLDER.name)
    open(f"{FOLDER.name}/dagster.yaml", "w").close()
    import logging

    from dagster import DagsterInstance, graph, op

    logging.disable(logging.CRITICAL)

    @op
    def start() -> int:
        return body(0)

    def made(name):
        @op(name=name)
        def step(value: int) -> int:
            return body(value)

        return step

    @op
    def total(values: list[int]) -> int:
        return sum(values)

    steps = [made(f"step_{number}") for number in range(9)]
    leaves = [made(f"leaf_{number}") for number in range(100)]

    @graph
    def pipeline():
        value = start()
        if PIPELINE == "fan":
            return total([leaf(value) for leaf in leaves])
        for step in steps:
            value = step(value)
        return value

    job = pipeline.to_job()
    instance = DagsterInstance.ephemeral() if RIVAL == "dagster-memory" else DagsterInstance.get()

    def run():
        result = job.execute_in_process(instance=instance)
        assert result.success
        return result.output_value()

    return run


def main():
    run = {"luigi": luigi, "dagster": dagster, "dagster-memory": dagster}[RIVAL]()
    expected = 200 if PIPELINE == "fan" else 10
    if PIPELINE == "first":
        run()
        return
    assert run() == expected
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        got = run()
        seconds = time.perf_counter() - begin
        assert got == expected, got
        print(json.dumps({"seconds": seconds}), flush=True)


main()
