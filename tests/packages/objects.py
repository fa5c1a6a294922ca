"""Gives torch's, pandas' and numpy's objects to a function, and says what each is to be shown as.

objects.py FILE  writes the texts, a JSON list, to FILE.
"""

import json
import sys

import numpy
import pandas
import torch

TEXTS = []


def take(value):
    """What is traced."""


def show(text, value):
    TEXTS.append(text)
    take(value)


def dimensions(shape):
    return str(tuple(map(int, shape)))


def tensor(value, name="Tensor"):
    dtype = str(value.dtype).replace("torch.", "")
    shape = f" {dimensions(value.shape)}" if value.dim() <= 5 else ""
    show(f"<torch.{name} {dtype}{shape} {value.device}>", value)


def frame(value):
    show(f"<pandas.{type(value).__name__} {dimensions(value.shape)}>", value)


def tensors():
    for name in (
        "uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128 bool bfloat16 "
        "float8_e5m2 float8_e4m3fn uint16 uint32 uint64"
    ).split():
        if hasattr(torch, name):
            show(f"torch.{name}", getattr(torch, name))
            tensor(torch.empty(2, 3, dtype=getattr(torch, name)))
    for shape in ((), (0,), (7,), (1, 2, 3, 4, 5), (1,) * 6, (2,) * 12):
        tensor(torch.zeros(shape))
    tensor(torch.zeros(8, 6).t()[1:3])
    tensor(torch.zeros(3).expand(4, 3))
    tensor(torch.eye(3).to_sparse())
    tensor(torch.zeros(3, requires_grad=True) * 2)
    tensor(torch.nn.Parameter(torch.zeros(4, 4)), "Parameter")
    tensor(torch.empty(5, 5, device="meta"))
    for device in ("cpu", "cuda:1", "mps:0", "meta"):
        show(f"<torch.device {device}>", torch.device(device))
    two = torch.zeros(2)
    show("list[2] [<torch.Tensor float32 (2,) cpu>, <torch.Tensor float32 (2,) cpu>]", [two, two])


def frames():
    value = pandas.DataFrame({"a": range(4), "b": [1.0, 2.0, 3.0, 4.0], "c": list("wxyz")})
    frame(value)
    frame(value["c"])
    frame(value.set_index("a"))
    frame(value.set_index("c"))
    frame(value.set_index(pandas.date_range("2020-01-01", periods=4)))
    frame(value[["a", "b"]].T)
    frame(value.iloc[1:3])
    frame(value["c"].astype("category"))
    frame(pandas.DataFrame())
    frame(pandas.DataFrame(numpy.zeros((5, 3))))
    frame(pandas.DataFrame(numpy.zeros((10, 2)), index=range(30, 0, -3)))
    # How many labels some indices have is not told.
    show("<pandas.DataFrame (?, 1)>", value.set_index(["a", "b"]))
    show("dict[1] {'k': <pandas.DataFrame (4, 3)>}", {"k": value})


def arrays():
    for shape in ((), (0,), (3, 4), (1,) * 8):
        show(f"<numpy.ndarray float64 {dimensions(shape)}>", numpy.zeros(shape))
    show("<numpy.int64 5>", numpy.int64(5))
    show("<numpy.float32 0.5>", numpy.float32(0.5))
    show("0.5", numpy.float64(0.5))


tensors()
frames()
arrays()
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(TEXTS, file)
print("torch", torch.__version__, "pandas", pandas.__version__, "numpy", numpy.__version__)
