import start from "app";

start({ module_or_path: WASM });
