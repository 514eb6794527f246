"""The likeliest answers of exported adapters: `peft|merged|gguf DIR PROMPTS ANSWER` prints the tokens of every answer as JSON.

Prompt N has N + 4 tokens. All compute in fp32.
"""

import json
import pathlib
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from generate_peer import to_gguf


def ids(length: int, first: int) -> list[int]:
    return [3 + (first * 37 + index) % 1000 for index in range(length)]


@torch.inference_mode()
def answers(model: torch.nn.Module, prompts: list[list[int]], answer: int) -> list[list[int]]:
    said = []
    for prompt in prompts:
        output = model(input_ids=torch.tensor([prompt]), use_cache=True)
        said.append([])
        for _ in range(answer):
            token = output.logits[:, -1:].argmax(-1)
            said[-1].append(token.item())
            output = model(input_ids=token, past_key_values=output.past_key_values, use_cache=True)
    return said


def load(path: pathlib.Path) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


def llama(directory: pathlib.Path, prompts: list[list[int]], answer: int) -> list[list[int]]:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(to_gguf(directory, "F32"))
    parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(directory / "gguf" / "adapter.gguf"), 1.0)]
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(parameters)
    said = []
    for prompt in prompts:
        request = {
            "prompt": prompt, "n_predict": answer, "temperature": 0, "top_k": 1, "cache_prompt": False, "ignore_eos": True,
        }
        words = server.handle_completions(request)["choices"][0]["text"].split()
        said.append([int(word[1:]) for word in words])
    return said


def main() -> None:
    form, directory, count, answer = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    prompts = [ids(4 + index, index) for index in range(count)]
    if form == "gguf":
        said = llama(directory, prompts, answer)
    elif form == "merged":
        said = answers(load(directory / "merged"), prompts, answer)
    else:
        said = answers(PeftModel.from_pretrained(load(directory / "base"), directory / "peft"), prompts, answer)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
