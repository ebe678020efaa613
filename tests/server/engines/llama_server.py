"""llama.cpp's own server before the model of `tiny_gguf.py`: `llama_server.py FOLDER [port=0] [n_ctx=…] …`.

Options have the names of the package xllamacpp. Says its address on a line, and ends with its input.
"""

import sys
from pathlib import Path

import tiny_gguf
import xllamacpp


def main(folder: str, *options: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = str(tiny_gguf.make(Path(folder, "tiny.gguf")))
    params.model_alias = {"tiny"}
    params.port = 0
    params.n_gpu_layers = 0
    params.warmup = params.fit_params = params.ui = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    for option in options:
        name, _, value = option.partition("=")
        before = getattr(params, name)
        setattr(params, name, value.split(",") if isinstance(before, list) else type(before)(int(value)))
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


main(*sys.argv[1:])
