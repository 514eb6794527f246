#!/usr/bin/env python3
"""The inference process against PyTorch transformers and llama.cpp, and many adapters against one, on a random base of
SmolLM-135M's shape, whose weights are in bf16 for all of them.

    benches/generate.py PATH/TO/cerebros-trainer

CEREBROS_BENCH_VENV names a virtual environment with torch, transformers, peft, gguf and xllamacpp (llama.cpp); it is made
when it is absent. All use half of the processors and the likeliest token. Ours computes as exactly as fp32. Figures are medians; on
a machine that does other work, too, the ratio of CPU time tells more than that of wall time.
"""

import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from train import PEER as MAKER, cpu_seconds, python

PEER = pathlib.Path(__file__).with_name("generate_peer.py")
PREFILL, PROMPT, ANSWER, ROUNDS, ADAPTERS = 512, 16, 64, 3, 100


class Server:
    def __init__(self, binary: str, directory: pathlib.Path) -> None:
        self.directory, self.path = directory, directory / "infer.sock"
        self.child = subprocess.Popen([binary, "infer", self.path], stdin=subprocess.PIPE)
        while not self.path.exists():
            time.sleep(0.01)

    def ask(self, prompt: int, answer: int, adapter: str | None = None, first: int = 0) -> tuple[float, float, list[int]]:
        """Seconds and CPU seconds of the whole, and the tokens said. `first` sets prompts apart."""
        words = " ".join(f"w{3 + (first * 37 + index) % 1000}" for index in range(prompt))
        request = {
            "type": "generate", "base_dir": str(self.directory / "base"), "max_tokens": answer, "temperature": 0,
            "top_p": 1, "messages": [{"role": "user", "content": words}],
        }
        if adapter is not None:
            request["adapter_dir"] = str(self.directory / adapter)
        start, cpu = time.perf_counter(), cpu_seconds(self.child.pid)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            events = [json.loads(line) for line in connection.makefile()]
        if events[-1]["type"] != "done":
            sys.exit(f"no answer: {events[-1]}")
        words = "".join(event["text"] for event in events if event["type"] == "token").split()
        said = [int(word[1:]) for word in words]
        return time.perf_counter() - start, cpu_seconds(self.child.pid) - cpu, said

    def figures(self) -> dict:
        """The same that the peer measures: a first token alone is all prefill, and an answer is that and the rest."""
        whole = {"prefill": [], "prefill_cpu": [], "decode": [], "decode_cpu": []}
        self.ask(PROMPT, 1)
        for _ in range(ROUNDS):
            seconds, cpu, _ = self.ask(PREFILL, 1)
            whole["prefill"].append(seconds)
            whole["prefill_cpu"].append(cpu)
            first, first_cpu, _ = self.ask(PROMPT, 1)
            seconds, cpu, tokens = self.ask(PROMPT, ANSWER + 1)
            whole["decode"].append((seconds - first) / ANSWER)
            whole["decode_cpu"].append((cpu - first_cpu) / ANSWER)
        return {**{name: statistics.median(values) for name, values in whole.items()}, "answer": tokens[:ANSWER]}

    def peak_bytes(self) -> int:
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) * 1024

    def round(self, names: list[str]) -> list[float]:
        return [self.ask(4, 4, name)[0] for name in names]


def compare(server: Server, interpreter: str) -> None:
    ours = server.figures()
    sizes = [str(PREFILL), str(PROMPT), str(ANSWER)]
    print(f"Cerebros: prefill {PREFILL / ours['prefill']:.1f} tokens/s, decode {1 / ours['decode']:.1f}, peak {server.peak_bytes() / 1e6:.0f} MB")
    for name, peer in [
        ("llama.cpp bf16", ["llama", server.directory]),
        ("transformers fp32", ["transformers", server.directory, "float32"]),
        ("transformers bf16", ["transformers", server.directory, "bfloat16"]),
    ]:
        theirs = json.loads(subprocess.check_output([interpreter, PEER, *peer, *sizes], stderr=subprocess.DEVNULL))
        same = next((place for place, pair in enumerate(zip(ours["answer"], theirs["answer"])) if pair[0] != pair[1]), ANSWER)
        print(f"{name}: the first {same} of {ANSWER} tokens are the same", end="")
        for figure, tokens in [("prefill", PREFILL), ("decode", 1)]:
            wall, cpu = theirs[figure] / ours[figure], theirs[f"{figure}_cpu"] / ours[f"{figure}_cpu"]
            print(f"; {figure} {tokens / theirs[figure]:.1f} tokens/s, ours {wall:.2f} times by wall time, {cpu:.2f} by CPU time", end="")
        print(flush=True)


def switch(server: Server) -> None:
    names = [f"adapter-{index}" for index in range(ADAPTERS)]
    alone = server.round(names[:1] * 31)[1:]
    first, second = server.round(names), server.round(names)
    mean, median = statistics.mean, statistics.median
    print(
        f"{ADAPTERS} adapters on one base: switching to one takes {1000 * (median(second) - median(alone)):.1f} ms in "
        f"memory, {1000 * (median(first) - median(alone)):.1f} ms from disk; short answers come at "
        f"{mean(alone) / mean(second):.2f} times the rate of one adapter"
    )


def main() -> None:
    interpreter = python()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        subprocess.check_call([interpreter, MAKER, "make", directory, "dense", "1"], **quiet)
        subprocess.check_call([interpreter, PEER, "adapters", directory, str(ADAPTERS)], **quiet)
        server = Server(sys.argv[1], directory)
        compare(server, interpreter)
        switch(server)
        server.child.stdin.close()
        server.child.wait()


if __name__ == "__main__":
    main()
