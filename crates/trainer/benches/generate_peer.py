"""PyTorch transformers as the peer of the inference process: the same base, prompt lengths and greedy choice, fp32.

`adapters DIR COUNT` writes adapters for the base in DIR; `run DIR PREFILL PROMPT ANSWER` prints one JSON object: seconds
and CPU seconds of reading a prompt of PREFILL tokens, and of each token of an answer of ANSWER tokens to PROMPT tokens.
"""

import json
import pathlib
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROUNDS = 3


def adapters(directory: pathlib.Path, count: int) -> None:
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=torch.float32)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=MODULES, task_type="CAUSAL_LM")
    peft = get_peft_model(model, lora)
    for index in range(count):
        generator = torch.Generator().manual_seed(index)
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(0, 0.02, generator=generator)
        peft.save_pretrained(directory / f"adapter-{index}")


@torch.inference_mode()
def run(directory: pathlib.Path, prefill: int, prompt: int, answer: int) -> None:
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=torch.float32)
    tokens = lambda length: torch.tensor([[3 + index % 1000 for index in range(length)]])
    figures = {"prefill": [], "prefill_cpu": [], "decode": [], "decode_cpu": []}
    for _ in range(ROUNDS):
        start, cpu = time.perf_counter(), time.process_time()
        model(tokens(prefill), use_cache=True, logits_to_keep=1)
        figures["prefill"].append(time.perf_counter() - start)
        figures["prefill_cpu"].append(time.process_time() - cpu)
        output = model(tokens(prompt), use_cache=True, logits_to_keep=1)
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(answer):
            token = output.logits[:, -1:].argmax(-1)
            output = model(token, past_key_values=output.past_key_values, use_cache=True)
        figures["decode"].append((time.perf_counter() - start) / answer)
        figures["decode_cpu"].append((time.process_time() - cpu) / answer)
    print(json.dumps({name: statistics.median(values) for name, values in figures.items()}))


if __name__ == "__main__":
    command, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    numbers = [int(argument) for argument in sys.argv[3:]]
    adapters(directory, *numbers) if command == "adapters" else run(directory, *numbers)
