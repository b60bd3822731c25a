"""The models that Stepwell serves, trained by scikit-learn on the same rows and served by FastAPI, for `bench/src/serve.rs`.

    serve.py TABLE PORT

One process, answers on the event loop (`async def`): of what people deploy in Python the quickest by far. It says `ready`
on its standard output once it listens. `POST /predict/MODEL` with `{"x": [[..]]}` gives `{"y": [..]}`.
"""

import csv
import sys
from contextlib import asynccontextmanager

import numpy
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

table, port = sys.argv[1], int(sys.argv[2])

with open(table, newline="") as file:
    rows = list(csv.DictReader(file))
features = [name for name in rows[0] if name not in ("sample", "diagnosis")]
x = numpy.array([[float(row[name]) for name in features] for row in rows])
y = numpy.array([row["diagnosis"] for row in rows])

LEARNERS = {
    "logistic": LogisticRegression(max_iter=1000),
    "gbdt": HistGradientBoostingClassifier(random_state=0),
    "mlp": MLPClassifier((64, 64), random_state=0, max_iter=300),
}
models = {name: make_pipeline(StandardScaler(), learner).fit(x, y) for name, learner in LEARNERS.items()}


@asynccontextmanager
async def lifespan(_):
    print("ready", flush=True)
    yield


app = FastAPI(lifespan=lifespan)


class Asked(BaseModel):
    x: list[list[float]]


@app.post("/predict/{model}")
async def predict(model: str, asked: Asked):
    return {"y": models[model].predict(numpy.asarray(asked.x)).tolist()}


uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
