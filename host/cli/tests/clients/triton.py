"""NVIDIA's `tritonclient`, unchanged, against a server: every method there is a counterpart of, over HTTP and over gRPC.

    triton.py ADDRESS ROWS.json

ROWS.json has the rows that the endpoint `tumour` is asked about and the probabilities that the batch gave for them, which
the clients must read bit for bit. Ends with 0 and a line a check, or with the first check that failed.
"""

import asyncio
import json
import queue
import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.grpc.aio as over_grpc_aio
import tritonclient.http as over_http
import tritonclient.http.aio as over_http_aio
from tritonclient.utils import InferenceServerException

MODEL = "tumour"


def same(got, expected, what):
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"


def refused(call, status, says):
    """Holds that a call fails as the protocol has it: the status, and why."""
    try:
        call()
    except InferenceServerException as error:
        assert error.status() in status, f"status {error.status()} is none of {status}: {error}"
        assert says in error.message(), f"`{says}` is not in: {error.message()}"
        return
    raise AssertionError(f"was not refused: {says}")


class Asked:
    """The rows as inputs of a client's module, and the answer that they must have."""

    def __init__(self, module, metadata, rows):
        self.module, self.rows = module, rows
        self.columns = metadata["inputs"]

    def inputs(self, rows=None, **options):
        rows = self.rows if rows is None else rows
        made = []
        for column in self.columns:
            values = np.array([row[column["name"]] for row in rows], dtype=np.float64)
            tensor = self.module.InferInput(column["name"], list(values.shape), column["datatype"])
            tensor.set_data_from_numpy(values, **options)
            made.append(tensor)
        return made


def bits(result):
    return result.as_numpy("probability").view(np.int64).tolist()


def about(client, get):
    """What is said of the server and the model, alike in both forms."""
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
    server = get(client.get_server_metadata)
    same(server["name"], "stepwell", "the server's name")
    same(server["extensions"], ["binary_tensor_data", "model_configuration", "model_repository", "statistics"], "extensions")
    metadata = get(client.get_model_metadata, MODEL)
    same((metadata["name"], metadata["versions"]), (MODEL, ["1"]), "the model's name and versions")
    same(len(metadata["inputs"]), 30, "inputs")
    same([output["datatype"] for output in metadata["outputs"]], ["BYTES", "FP64"], "datatypes of outputs")
    same([int(length) for length in metadata["outputs"][1]["shape"]], [-1], "the shape of an output")
    config = get(client.get_model_config, MODEL)
    config = config.get("config", config)
    same((config["name"], config["output"][1]["data_type"]), (MODEL, "TYPE_FP64"), "the configuration")
    refused(lambda: client.get_model_metadata("absent"), ("404", "StatusCode.NOT_FOUND"), "there is no endpoint `absent`")
    refused(lambda: client.get_model_metadata(MODEL, "2"), ("404", "StatusCode.NOT_FOUND"), "does not serve version `2`")
    return metadata


def infers(client, asked, expected):
    """Answers, with and without names of outputs, an id and a version; many at once; and what the caller gets wrong."""
    module, classes = asked.module, {b"malignant", b"benign"}
    result = client.infer(MODEL, asked.inputs())
    same(bits(result), expected, "probabilities")
    predictions = set(result.as_numpy("prediction").tolist())
    assert predictions <= classes or {text.encode() for text in predictions if isinstance(text, str)}, predictions
    wanted = [module.InferRequestedOutput("probability")]
    result = client.infer(MODEL, asked.inputs(), model_version="1", outputs=wanted, request_id="request 7", timeout=10_000_000)
    same(bits(result), expected, "the output that was asked for")
    response = result.get_response()
    told = response if isinstance(response, dict) else {
        "id": response.id, "model_name": response.model_name, "model_version": response.model_version,
    }
    same((told["id"], told["model_name"], told["model_version"]), ("request 7", MODEL, "1"), "what is echoed")
    assert result.as_numpy("prediction") is None, "an output that nobody asked for"
    wrong = ("400", "StatusCode.INVALID_ARGUMENT")
    missing = ("404", "StatusCode.NOT_FOUND")
    refused(lambda: client.infer("absent", asked.inputs()), missing, "there is no endpoint `absent`")
    refused(lambda: client.infer(MODEL, asked.inputs(), model_version="2"), missing, "does not serve version `2`")
    refused(lambda: client.infer(MODEL, asked.inputs()[1:]), wrong, "is missing")
    refused(lambda: client.infer(MODEL, asked.inputs(), outputs=[module.InferRequestedOutput("x")]), wrong, "output `x` is unknown")
    whole = module.InferInput(asked.columns[0]["name"], [1], "INT64")
    whole.set_data_from_numpy(np.array([2**60]))
    refused(lambda: client.infer(MODEL, [whole] + asked.inputs(asked.rows[:1])[1:]), wrong, "has datatype `INT64`")
    not_a_number = module.InferInput(asked.columns[0]["name"], [1], "FP64")
    not_a_number.set_data_from_numpy(np.array([np.nan]))
    refused(lambda: client.infer(MODEL, [not_a_number] + asked.inputs(asked.rows[:1])[1:]), wrong, "is NaN")
    top = [module.InferRequestedOutput("probability", class_count=1)]
    refused(lambda: client.infer(MODEL, asked.inputs(), outputs=top), wrong, "extension classification")


def repository(client, get, asked):
    """Loading and unloading, as seen by all that is said of the model."""

    def index():
        listed = get(client.get_model_repository_index)
        listed = listed if isinstance(listed, list) else listed["models"]
        return [(entry["name"], entry["version"], entry["state"]) for entry in listed]

    same(index(), [(MODEL, "1", "READY")], "the index")
    client.unload_model(MODEL)
    same(index(), [(MODEL, "1", "UNAVAILABLE")], "the index after unloading")
    assert not client.is_model_ready(MODEL) and client.is_server_ready()
    gone = ("503", "StatusCode.UNAVAILABLE")
    refused(lambda: client.infer(MODEL, asked.inputs()), gone, "was unloaded")
    client.load_model(MODEL)
    same(index(), [(MODEL, "1", "READY")], "the index after loading")
    assert client.is_model_ready(MODEL)
    refused(lambda: client.load_model("absent"), ("404", "StatusCode.NOT_FOUND"), "there is no endpoint `absent`")
    refused(lambda: client.load_model(MODEL, config="{}"), ("400", "StatusCode.INVALID_ARGUMENT"), "no parameters")


def statistics(client, get):
    def counted(*arguments):
        told = get(client.get_inference_statistics, *arguments)["model_stats"]
        same([(entry["name"], entry["version"]) for entry in told], [(MODEL, "1")], "whose statistics")
        parts = told[0]["inference_stats"]
        return int(told[0]["inference_count"]), int(parts["success"]["count"]), int(parts["fail"].get("count", 0))

    rows, answered, failed = counted(MODEL)
    assert rows > answered > 0 and failed > 0, (rows, answered, failed)
    same(counted(), (rows, answered, failed), "statistics of all models")


def http(address, rows, expected):
    client = over_http.InferenceServerClient(address, concurrency=4)
    metadata = about(client, lambda method, *arguments: method(*arguments))
    asked = Asked(over_http, metadata, rows)
    infers(client, asked, expected)
    # Each half of the extension without the other.
    in_json = [over_http.InferRequestedOutput("probability", binary_data=False)]
    for binary_data in (True, False):
        result = client.infer(MODEL, asked.inputs(binary_data=binary_data), outputs=in_json)
        same(bits(result), expected, "probabilities in JSON")
        same(bits(client.infer(MODEL, asked.inputs(binary_data=binary_data))), expected, "binary probabilities")
    under_way = [client.async_infer(MODEL, asked.inputs()) for _ in range(8)]
    for answer in under_way:
        same(bits(answer.get_result()), expected, "async_infer")
    repository(client, lambda method, *arguments: method(*arguments), asked)
    statistics(client, lambda method, *arguments: method(*arguments))
    client.close()
    print("http: as expected")


def grpc(address, rows, expected):
    client = over_grpc.InferenceServerClient(address)
    get = lambda method, *arguments: method(*arguments, as_json=True)
    metadata = about(client, get)
    asked = Asked(over_grpc, metadata, rows)
    infers(client, asked, expected)
    answers = queue.Queue()
    for _ in range(8):
        client.async_infer(MODEL, asked.inputs(), callback=lambda result, error: answers.put((result, error)))
    for _ in range(8):
        result, error = answers.get(timeout=60)
        assert error is None, error
        same(bits(result), expected, "async_infer")
    streamed(client, asked, expected, answers)
    repository(client, get, asked)
    statistics(client, get)
    tenant = {"stepwell-tenant": "default"}
    same(bits(client.infer(MODEL, asked.inputs(), headers=tenant)), expected, "the tenant that is named")
    stranger = {"stepwell-tenant": "nobody"}
    refused(lambda: client.infer(MODEL, asked.inputs(), headers=stranger), ("StatusCode.NOT_FOUND",), "there is no tenant `nobody`")
    refused(client.get_log_settings, ("StatusCode.UNIMPLEMENTED",), "no method `LogSettings`")
    refused(
        lambda: client.infer(MODEL, asked.inputs(), compression_algorithm="gzip"), ("StatusCode.UNIMPLEMENTED",), "gzip"
    )
    huge = over_grpc.InferInput(asked.columns[0]["name"], [5_000_000], "FP64")
    huge.set_data_from_numpy(np.zeros(5_000_000))
    refused(lambda: client.infer(MODEL, [huge]), ("StatusCode.OUT_OF_RANGE",), "too large")
    client.close()
    print("grpc: as expected")


def streamed(client, asked, expected, answers):
    """Answers in the requests' order; one that fails ends nothing."""
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for model in (MODEL, "absent", MODEL):
        client.async_stream_infer(model, asked.inputs())
    (first, none), (no_answer, error), (last, nothing) = (answers.get(timeout=60) for _ in range(3))
    assert none is None and nothing is None and no_answer is None
    assert "there is no endpoint `absent`" in error.message(), error
    same((bits(first), bits(last)), (expected, expected), "a stream's answers")
    client.stop_stream()


async def asynchronous(address, rows, expected):
    for module, aio in ((over_http, over_http_aio), (over_grpc, over_grpc_aio)):
        client = aio.InferenceServerClient(address)
        assert await client.is_server_live()
        metadata = await (client.get_model_metadata(MODEL) if module is over_http else client.get_model_metadata(MODEL, as_json=True))
        asked = Asked(module, metadata, rows)
        results = await asyncio.gather(*(client.infer(MODEL, asked.inputs()) for _ in range(8)))
        for result in results:
            same(bits(result), expected, "aio")
        await client.close()
    print("aio: as expected")


def main():
    address, path = sys.argv[1:]
    with open(path) as file:
        told = json.load(file)
    rows, expected = told["rows"], np.array(told["probabilities"]).view(np.int64).tolist()
    http(address, rows, expected)
    grpc(address, rows, expected)
    asyncio.run(asynchronous(address, rows, expected))


main()
