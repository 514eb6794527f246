# What a person does with Cerebros. Needs Rust 1.95 (rustup), Node 20 and npm: `npx --yes rust-just RECIPE`.

set shell := ["bash", "-euo", "pipefail", "-c"]

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", home_directory() / ".cache/cerebros/target")
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := "1"

# Called as a binary: what `cargo run` adds to the environment makes nested builds start over.
xtask := CARGO_TARGET_DIR / "debug/xtask"
native := "--workspace --exclude cerebros-frontend"

# List the recipes
[private]
default:
    @just --list

# Install what is missing: Debian packages (as root), the wasm target, npm packages
setup: (_packages "build-essential pkg-config curl jq poppler-utils postgresql chromium") _rust _npm

# Build everything and start the server, which prints its URL; `just run dev` builds faster and runs slower
run profile="release": (_packages "build-essential poppler-utils") _rust _npm _xtask
    {{ xtask }} dist
    cargo build --profile {{ profile }} -p cerebros-api --bin cerebros
    exec "$CARGO_TARGET_DIR/{{ if profile == "dev" { "debug" } else { profile } }}/cerebros" serve

# Rebuild and restart the server and the browser app whenever a source file changes
dev: setup _xtask
    exec {{ xtask }} dev

# Run every check and every test; the last line counts the tests
test: setup _xtask
    #!/usr/bin/env bash
    set -euo pipefail
    cargo fmt --all --check
    {{ xtask }} dist
    cargo clippy {{ native }} --all-targets -- -D warnings
    cargo clippy -p cerebros-frontend --target wasm32-unknown-unknown -- -D warnings
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    status=0
    cargo build {{ native }} --bins
    {{ xtask }} with-postgres cargo test {{ native }} --no-fail-fast 2>&1 | tee "$log" || status=1
    export CEREBROS_BIN="$CARGO_TARGET_DIR/debug/cerebros"
    (cd e2e && npx playwright test --reporter=list) 2>&1 | tee -a "$log" || status=1
    awk '
        /^test result:/ { passed += $4; failed += $6 }
        /^ +[0-9]+ passed/ { passed += $1 }
        /^ +[0-9]+ (failed|flaky|did not run|interrupted)/ { failed += $1 }
        END { printf "%d passed, %d failed\n", passed, failed }
    ' "$log"
    exit "$status"

# Look for mistakes without running tests; under a minute when little has changed
check:
    cargo fmt --all --check
    cargo clippy {{ native }} --all-targets -- -D warnings
    cargo clippy -p cerebros-frontend --target wasm32-unknown-unknown -- -D warnings

# Format all Rust code
fmt:
    cargo fmt --all

# Write openapi/openapi.json anew
openapi:
    cargo build -p cerebros-api --bin cerebros
    "$CARGO_TARGET_DIR/debug/cerebros" openapi > openapi/openapi.json.new
    mv openapi/openapi.json.new openapi/openapi.json

# Measure: `train` (against PyTorch PEFT), `generate` (against transformers and llama.cpp, and 100 adapters against one), `parity` (20 answers of exported adapters, in PEFT, transformers and llama.cpp), `validate` (500 MB of chat rows, and their tokens, beside pydantic, msgspec, Hugging Face datasets and tokenizers in a virtual environment that it makes), `login` (a storm of sign-ins), `ingest` (chunks and PDF pages a second) or `ingest-load` (requests beside it); `bench login dev` skips the release build
bench name profile="release":
    #!/usr/bin/env bash
    set -euo pipefail
    case "{{ name }}" in
        train)
            cargo build --release -p cerebros-trainer
            exec python3 crates/trainer/benches/train.py "$CARGO_TARGET_DIR/release/cerebros-trainer" ;;
        generate)
            cargo build --release -p cerebros-trainer
            exec python3 crates/trainer/benches/generate.py "$CARGO_TARGET_DIR/release/cerebros-trainer" ;;
        parity)
            cargo build --release -p cerebros-trainer
            exec python3 crates/trainer/benches/parity.py "$CARGO_TARGET_DIR/release/cerebros-trainer" ;;
        validate)
            cargo build --release -p cerebros-trainer
            CEREBROS_TRAINER="$CARGO_TARGET_DIR/release/cerebros-trainer" exec cargo bench -p cerebros-datasets --bench validate ;;
        login)
            cargo build --profile {{ profile }} -p cerebros-api --bin cerebros
            exec python3 crates/api/benches/login.py "$CARGO_TARGET_DIR/{{ if profile == "dev" { "debug" } else { profile } }}/cerebros" ;;
        ingest) exec cargo bench -p cerebros-ingest --bench ingest ;;
        ingest-load)
            cargo build --profile {{ profile }} -p cerebros-api --bin cerebros
            exec python3 crates/api/benches/ingest_load.py "$CARGO_TARGET_DIR/{{ if profile == "dev" { "debug" } else { profile } }}/cerebros" ;;
        *) echo "There is no bench {{ name }}: choose train, generate, parity, validate, login, ingest or ingest-load." >&2; exit 2 ;;
    esac

_packages names:
    #!/usr/bin/env bash
    set -euo pipefail
    if ! command -v dpkg-query >/dev/null; then
        echo "This is not Debian: see to it yourself that you have what these packages hold: {{ names }}" >&2
        exit 0
    fi
    missing=()
    for name in {{ names }}; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
    install=(apt-get install -y --no-install-recommends "${missing[@]}")
    if [ "$(id -u)" -ne 0 ]; then
        echo "Some packages are missing. Install them as root, then try again:" >&2
        echo "    ${install[*]}" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${install[@]}"

_rust:
    @rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
    @cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    @cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# npm writes the inner lock file last, so a broken installation is repeated.
_npm:
    @[ e2e/node_modules/.package-lock.json -nt e2e/package-lock.json ] || (cd e2e && npm ci)

_xtask:
    @cargo build -q -p xtask
