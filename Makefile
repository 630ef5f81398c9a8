# One command per act; continuous integration calls the same ones. `make` alone lists them.
PYTHON ?= python3.11
UV_VERSION := 0.13.8
UV := .tools/bin/uv
PY := .venv/bin/python
TRAIN_PROCESSES ?= 2
FUZZ_SECONDS ?= 60
RESULTS ?= .state/bench

# The store lives inside the checkout, so that a try-out leaves nothing in the home folder.
export BENTOML_HOME ?= $(CURDIR)/.state/bentoml
export BENTOML_DO_NOT_TRACK := true
# What torch.compile keeps, likewise.
export TORCHINDUCTOR_CACHE_DIR ?= $(CURDIR)/.state/inductor
export UV_PYTHON := $(PYTHON)
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup model serve test check test-packages train train-quick proto requirements \
        compare card gate-docs sample bench-decode bench-engine bench-serve bench-train performance \
        load e2e corpus fuzz native bento clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.synced .venv/.stubs native ## Create the locked environment, stubs, native engine

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed (or: make PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet uv==$(UV_VERSION)

.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen
	@touch $@

.venv/.stubs: service/rpc/ich.proto .venv/.synced
	$(MAKE) --no-print-directory proto
	@touch $@

# Quiet when up to date. Where there is no compiler, or it fails, the service runs on torch.
native: .venv/.synced
	-@$(PY) -m service.engine.native.build

proto: .venv/.synced ## Regenerate the gRPC stubs from service/rpc/ich.proto
	$(PY) -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. service/rpc/ich.proto

model: setup ## Import the pretrained model into the BentoML store (checked by SHA-256)
	@$(PY) -m model_build save --pretrained

serve: model ## Start the service (HTTP 127.0.0.1:3000, gRPC 127.0.0.1:50051)
	@$(PY) -m deploy.serve

check: setup ## Format, lint, types and import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test-packages:
	@deploy/install-test-packages

test: setup test-packages check ## Everything that must be green
	@$(PY) -m service.engine.native.build  # again: the compiler may have come with test-packages
	$(PY) -m pytest

e2e: setup ## Only the tests against the really started service
	$(PY) -m pytest tests/e2e -v

# One process a core with one thread each: the many small layers lose too much to shared threads.
train: setup ## Reproduce the pretrained weights from nothing
	$(PY) -m model_build phantoms --recipe cpu
	OMP_NUM_THREADS=1 $(PY) -m torch.distributed.run --nproc-per-node=$(TRAIN_PROCESSES) \
	    -m model_build train --recipe cpu
	$(PY) -m model_build evaluate --recipe cpu
	$(PY) -m model_build precisions --recipe cpu
	$(PY) -m model_build save --recipe cpu

train-quick: setup ## The same on a tiny set, in under three minutes
	$(PY) -m model_build run --recipe quick

compare: setup ## Train every network on the same phantoms, small budgets, and write one report
	$(PY) -m model_build compare --budget small

card: setup ## Regenerate docs/model-card.md from the committed manifest
	$(PY) -m model_build card

gate-docs: setup ## Regenerate docs/input-gate.md from the rules of the input gate
	$(PY) -m deploy.gate_docs

sample: setup ## Regenerate samples/synthetic_slice.dcm
	$(PY) -m model_build sample samples/synthetic_slice.dcm

bench-decode: setup ## CPU time of one slice in each transfer syntax, beside plain pydicom
	$(PY) -m load_tests.decode_bench

load: setup ## Short load test against a started service
	$(PY) -m load_tests

# With TARGET=HOST:HTTP_PORT:GRPC_PORT a running service of this machine is sent the files.
corpus: $(if $(TARGET),setup,model) ## Send every file of CORPUS=DIR to the service, table of verdicts
	@TARGET="$(TARGET)" $(PY) -m load_tests.corpus "$(CORPUS)" --classified "$(CLASSIFIED)"

fuzz: setup ## Fuzz reader, gate and codecs for FUZZ_SECONDS (60), after their positive controls
	@FUZZ_SECONDS="$(FUZZ_SECONDS)" $(PY) -m tests.fuzz

bench-engine: setup ## Time every engine, batch 1, 4 and 16, and compare their answers
	$(PY) -m load_tests.engines --json $(RESULTS)/engine.json

bench-train: setup ## Time a training step beside torch's default
	$(PY) -m load_tests.training_step --json $(RESULTS)/train.json

# Results of other benchmarks that lie in the folder stand on the page as well.
performance: bench-engine bench-train ## Measure, and write docs/performance.md
	$(PY) -m load_tests.performance $(sort $(wildcard $(RESULTS)/*.json) \
	    $(RESULTS)/engine.json $(RESULTS)/train.json)

bench-serve: setup ## Served over raw: HTTP and gRPC, 1 to 128 callers, real engine and none
	$(PY) -m load_tests.serve_bench --json $(RESULTS)/serve.json $(BENCH)

requirements: $(UV) ## Regenerate service/requirements.txt from the lock
	$(UV) export --frozen --no-default-groups --no-emit-project --no-hashes --no-header \
	    --no-annotate > service/requirements.txt

bento: model ## Build the bento: service code and serving requirements only
	PATH="$(CURDIR)/.tools/bin:$$PATH" .venv/bin/bentoml build

clean: ## Remove everything that make created
	rm -rf service/engine/native/built
	rm -rf .venv .tools .state .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
