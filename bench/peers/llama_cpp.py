"""llama.cpp beside our worker: one line of JSON in, one run, one line of JSON out.

usage: llama_cpp.py MODEL.gguf THREADS CONTEXT
in:    {"prompt_tokens": 128, "tokens": 32}
out:   {"prefill_s": 1.5, "decode_s": 1.2, "tokens": 31}
"""

import json
import sys
import time

sys.path.pop(0)  # This folder: this file has the name of the module that it needs.
from llama_cpp import Llama  # noqa: E402


def main():
    model, threads, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    llama = Llama(
        model_path=model, n_ctx=context, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        prompt = [300 + (i * 7919) % 30000 for i in range(asked["prompt_tokens"])]
        llama.reset()
        started = time.perf_counter()
        llama.eval(prompt)
        token = llama.sample(temp=0.0)
        prefilled = time.perf_counter()
        steps = asked["tokens"] - 1
        for _ in range(steps):
            llama.eval([token])
            token = llama.sample(temp=0.0)
        done = time.perf_counter()
        answer = {"prefill_s": prefilled - started, "decode_s": done - prefilled, "tokens": steps}
        print(json.dumps(answer), flush=True)


main()
