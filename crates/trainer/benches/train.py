#!/usr/bin/env python3
"""Trainer against PyTorch PEFT, both in fp32 and in bf16: speed, peak memory, losses, on a random base of SmolLM-135M's shape.

    benches/train.py PATH/TO/cerebros-trainer [STEPS]

CEREBROS_BENCH_VENV names a virtual environment with torch, transformers, peft, gguf and xllamacpp (llama.cpp); it is made
when it is absent. Dense rows and a mix of lengths are trained on for STEPS steps (8) with one thread each; the figures are
medians over all steps but the first. Losses are compared over 200 steps of short rows. On a machine that does other work,
too, the ratio of CPU time tells more than that of wall time.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv

PEER = pathlib.Path(__file__).with_name("peft_peer.py")
PACKAGES = ["torch", "transformers", "peft", "gguf", "xllamacpp"]
PRECISIONS = ["fp32", "bf16"]


def python() -> str:
    directory = pathlib.Path(os.environ.get("CEREBROS_BENCH_VENV", "~/.cache/cerebros/bench-venv")).expanduser()
    program = directory / "bin" / "python"
    if not program.exists():
        venv.create(directory, with_pip=True)
    # An installation that was cut off is finished.
    if subprocess.run([program, "-c", f"import {', '.join(PACKAGES)}"], stderr=subprocess.DEVNULL).returncode:
        subprocess.check_call([program, "-m", "pip", "install", "--quiet", *PACKAGES], stdout=sys.stderr)
    return str(program)


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has taken so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(binary: str, job: pathlib.Path, precision: str) -> dict:
    for name in ["checkpoints", "adapter"]:
        shutil.rmtree(job / name, ignore_errors=True)
    (job / "result.json").unlink(missing_ok=True)
    spec = json.loads((job / "job.json").read_text())
    spec["parameters"]["precision"] = precision
    (job / "job.json").write_text(json.dumps(spec))
    child = subprocess.Popen([binary, "train", job], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    events, cpu = [], []
    for line in child.stdout:
        events.append(json.loads(line))
        if events[-1]["type"] == "metric":
            cpu.append(cpu_seconds(child.pid))
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"the trainer failed: {events[-1]}")
    metrics = [event for event in events if event["type"] == "metric"]
    return {
        "losses": [metric["loss"] for metric in metrics],
        # The first step's cannot be told from the loading before it, and is left out below.
        "cpu_seconds": [0.0] + [after - before for before, after in zip(cpu, cpu[1:])],
        "peak_bytes": usage.ru_maxrss * 1024,
    }


class Bench:
    def __init__(self, binary: str):
        self.binary, self.python = binary, python()

    def run(self, kind: str, steps: int, ours: list[str], theirs: list[str]) -> tuple[dict, dict]:
        with tempfile.TemporaryDirectory() as directory:
            job = pathlib.Path(directory)
            make = [self.python, PEER, "make", job, kind, str(steps)]
            subprocess.check_call(make, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            order = subprocess.check_output([self.binary, "order", job], text=True)
            peer = lambda dtype: json.loads(subprocess.check_output(
                [self.python, PEER, "train", job, dtype], stderr=subprocess.DEVNULL, input=order, text=True,
            ))
            return {name: train(self.binary, job, name) for name in ours}, {name: peer(name) for name in theirs}


def main() -> None:
    bench = Bench(sys.argv[1])
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    speed = lambda run: 1 / statistics.median(run["cpu_seconds"][1:])
    print("SmolLM-135M's shape, one thread. Load of the machine:", *(f"{load:.1f}" for load in os.getloadavg()))
    for kind, text in [("dense", "batches of 1 x 512 tokens, all learned"), ("mix", "batches of 8 rows of mixed length")]:
        ours, theirs = bench.run(kind, steps, PRECISIONS, PRECISIONS)
        print(text)
        for who, runs in [("Cerebros", ours), ("PEFT", theirs)]:
            for name, run in runs.items():
                ratios = ", ".join(
                    f"{speed(run) / speed(peer):.2f} x steps and {run['peak_bytes'] / peer['peak_bytes']:.2f} x memory of PEFT {other}"
                    for other, peer in theirs.items() if who != "PEFT"
                )
                print(f"  {who:<9} {name}  {speed(run):6.3f} steps/CPU s  peak {run['peak_bytes'] / 1e6:6.0f} MB  {ratios}")
    ours, theirs = bench.run("short", 200, PRECISIONS, ["fp32"])
    reference = theirs["fp32"]["losses"]
    for name, run in ours.items():
        furthest = max(abs(a / b - 1) for a, b in zip(run["losses"], reference))
        print(f"losses of 200 steps in {name}: within {100 * furthest:.3f} % of PEFT fp32 (target 1 %)")


if __name__ == "__main__":
    main()
