"""Keys over gRPC and TLS: what a call may ask whose endpoint stands in its message alone.

    keys.py PORT CERTIFICATE ROWS.json FEW SLOW ALL

FEW is a key for one endpoint, SLOW one for three requests, ALL one without bounds. Ends with 0 and a line a key.
"""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

MODEL = "tumour"


def refused(call, status, says):
    try:
        call()
    except InferenceServerException as error:
        assert error.status() == status and says in error.message(), f"{error.status()}: {error.message()}"
        return
    raise AssertionError(f"was not refused: {says}")


def inputs(columns, rows):
    made = []
    for column in columns:
        tensor = triton.InferInput(column.name, [len(rows)], column.datatype)
        tensor.set_data_from_numpy(np.array([row[column.name] for row in rows], dtype=np.float64))
        made.append(tensor)
    return made


def slow(client, asked, headers):
    """The opening is a request, and so is each message: the third one is too many."""
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)), headers=headers)
    for _ in range(3):
        client.async_stream_infer(MODEL, asked)
    (first, _), (second, _), (none, error) = (answers.get(timeout=60) for _ in range(3))
    assert first is not None and second is not None and none is None, (first, second, none)
    assert "asks too often" in error.message(), error
    client.stop_stream()


def main():
    port, certificate, path, *keys = sys.argv[1:]
    few, few_asks, everything = ({"authorization": f"Bearer {key}"} for key in keys)
    with open(path) as file:
        rows = json.load(file)["rows"]
    client = triton.InferenceServerClient(f"localhost:{port}", ssl=True, root_certificates=certificate)
    asked = inputs(client.get_model_metadata(MODEL, headers=everything).inputs, rows)
    says = "is for some endpoints"
    refused(lambda: client.infer(MODEL, asked, headers=few), "StatusCode.PERMISSION_DENIED", says)
    refused(lambda: client.get_model_metadata("other", headers=few), "StatusCode.PERMISSION_DENIED", says)
    print("few: as expected")
    slow(client, asked, few_asks)
    print("slow: as expected")
    assert client.infer(MODEL, asked, headers=everything).as_numpy("probability").shape[0] == len(rows)
    print("all: as expected")
    client.close()


main()
