"""PyTorch PEFT as the peer of the trainer: the same base, rows, order, initial adapter and schedule.

`make DIR KIND STEPS` writes a random base of SmolLM-135M's shape in bf16, rows and an initial adapter; `train DIR DTYPE`
reads the steps' batches from stdin, trains on them and prints one JSON object: losses, gradient norms, seconds and CPU
seconds a step, peak memory. One thread. Kinds:

    dense   batches of one row of 512 tokens; every token but the first is learned
    short   the same with 128 tokens
    mix     batches of eight rows of many lengths, most of them short, at most 512 tokens; the second half is learned
"""

import contextlib
import json
import math
import pathlib
import random
import resource
import sys
import time

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

RATE = 2e-4
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def lengths(kind: str, chooser: random.Random) -> tuple[int, int]:
    """Tokens of a row, and how many of them are its prompt."""
    if kind == "mix":
        length = min(512, max(24, round(chooser.lognormvariate(4.6, 0.8))))
        return length, length // 2
    return {"dense": 512, "short": 128}[kind], 1


def make(directory: pathlib.Path, kind: str, steps: int) -> None:
    torch.manual_seed(0)
    base = directory / "base"
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.bfloat16().save_pretrained(base)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules=MODULES, task_type="CAUSAL_LM")
    peft = get_peft_model(model.float(), lora)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            # Not zero, so that every factor has a gradient from the first step on.
            parameter.data.normal_(0, 0.01, generator=generator)
    peft.save_pretrained(directory / "initial")

    words = [f"w{index}" for index in range(49152)]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: index for index, word in enumerate(words)}, "unk_token": "w0"},
    }
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    chooser = random.Random(2)
    batch = 8 if kind == "mix" else 1
    with open(directory / "data.jsonl", "w") as rows:
        for _ in range(steps * batch):
            tokens, prompt = lengths(kind, chooser)
            # Words of a small set, so that there is something to learn.
            text = [f"w{chooser.randrange(3, 1000)}" for _ in range(tokens)]
            question, answer = " ".join(text[:prompt]), " ".join(text[prompt:])
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            rows.write(json.dumps({"messages": messages}) + "\n")
    parameters = {
        "rank": 16, "alpha": 32, "learning_rate": RATE, "epochs": 1, "batch_size": batch, "max_seq_length": 512,
        "warmup_ratio": 0.1, "weight_decay": 0.01, "validation_fraction": 0.0, "checkpoint_every_steps": 10000,
        "seed": 7, "threads": 1,
    }
    job = {
        "version": 1, "job_id": "bench", "base_dir": "base", "dataset": "data.jsonl", "initial_adapter": "initial",
        "parameters": parameters,
    }
    (directory / "job.json").write_text(json.dumps(job))


def batch_of(rows: list[tuple[list[int], int]]) -> dict:
    """Padded to the longest, as transformers' collators do."""
    longest = max(len(tokens) for tokens, _ in rows)
    pad = lambda values, filler: values + [filler] * (longest - len(values))
    labels = [[-100] * prompt + tokens[prompt:] for tokens, prompt in rows]
    return {
        "input_ids": torch.tensor([pad(tokens, 0) for tokens, _ in rows]),
        "attention_mask": torch.tensor([pad([1] * len(tokens), 0) for tokens, _ in rows]),
        "labels": torch.tensor([pad(row, -100) for row in labels]),
    }


def train(directory: pathlib.Path, dtype: str, steps: list[list[list[int]]]) -> None:
    torch.set_num_threads(1)
    ids = lambda message: [int(word[1:]) for word in message["content"].split()]
    chats = [json.loads(line)["messages"] for line in open(directory / "data.jsonl")]
    rows = [(ids(question) + ids(answer), len(ids(question))) for question, answer in chats]
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=DTYPES[dtype])
    model = PeftModel.from_pretrained(model, directory / "initial", is_trainable=True)
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01)
    warmup = math.ceil(0.1 * len(steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: step / warmup if step < warmup
        else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (len(steps) - warmup))),
    )
    # What transformers' Trainer does with bf16=True: the adapter, too, is multiplied in bf16.
    mixed = torch.autocast("cpu", dtype=torch.bfloat16) if dtype == "bf16" else contextlib.nullcontext()
    losses, norms, seconds, cpu_seconds = [], [], [], []
    for [batch] in steps:
        start, cpu_start = time.perf_counter(), time.process_time()
        inputs = batch_of([rows[row] for row in batch])
        with mixed:
            loss = model(**inputs).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        norms.append(norm.item())
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "losses": losses, "grad_norms": norms, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak,
    }))


if __name__ == "__main__":
    command, target = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "make":
        make(target, sys.argv[3], int(sys.argv[4]))
    else:
        train(target, sys.argv[3], json.load(sys.stdin))
