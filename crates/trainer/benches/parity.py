#!/usr/bin/env python3
"""Answers of a trained adapter, as other programs give them that read what was exported.

    benches/parity.py PATH/TO/cerebros-trainer

Trains a small while on a random base of SmolLM-135M's shape, exports the adapter in every form, and has 20 prompts answered
with the likeliest tokens: by the inference process, by PEFT (the adapter), transformers (the merged model) and llama.cpp (the
GGUF adapter over the base), all in fp32. Fails where one answer differs. CEREBROS_BENCH_VENV as in train.py.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from generate import Server
from train import PEER as MAKER, python, train

PEER = pathlib.Path(__file__).with_name("parity_peer.py")
STEPS, RATE, PROMPTS, ANSWER = 40, 3e-3, 20, 24


def main() -> None:
    binary, interpreter = sys.argv[1], python()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        subprocess.check_call(
            [interpreter, MAKER, "make", directory, "short", str(STEPS)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        job = json.loads((directory / "job.json").read_text())
        # Much is learned, so that the likeliest tokens stand out.
        job["parameters"]["learning_rate"] = RATE
        (directory / "job.json").write_text(json.dumps(job))
        losses = train(binary, directory, "fp32")["losses"]
        print(f"{STEPS} steps of training: loss {losses[0]:.3f} to {losses[-1]:.3f}")
        for form in ["peft", "merged", "gguf"]:
            command = [binary, "export", directory / "base", directory / "adapter", form, directory / form]
            # It stops when its stdin ends.
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            if child.wait() != 0:
                sys.exit(f"no export as {form}")
        server = Server(binary, directory)
        ours = [server.ask(4 + index, ANSWER, "adapter", index)[2] for index in range(PROMPTS)]
        bare = [server.ask(4 + index, ANSWER, None, index)[2] for index in range(PROMPTS)]
        server.child.stdin.close()
        server.child.wait()
        changed = sum(answer != other for answer, other in zip(ours, bare))
        print(f"the adapter changes {changed} of {PROMPTS} answers of {ANSWER} tokens")
        for peer, form in [("PEFT", "peft"), ("transformers, merged", "merged"), ("llama.cpp, GGUF adapter", "gguf")]:
            command = [interpreter, PEER, form, directory, str(PROMPTS), str(ANSWER)]
            theirs = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))
            same = sum(answer == other for answer, other in zip(ours, theirs))
            print(f"{peer}: {same} of {PROMPTS} answers are the same, token for token")
            failed |= same < PROMPTS
    sys.exit(failed)


if __name__ == "__main__":
    main()
