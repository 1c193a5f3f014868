# Every target sets up what it needs; second runs skip what is done.
# PYTHON=...      the Python 3.11 to 3.14 that makes the virtual environment; else the first that is found
# TORCH_INDEX=... a package index with another build of torch (CPU only, or another CUDA)
# EXTRAS=...      for `make setup`: ray (speech on several machines, docs/cluster.md), consent (spoken consent)
# DEVICES=...     for `make experiment`: where clips are made, a process for each

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
# Not `command -v`: a name may be there that starts nothing, as the ones of pyenv do.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do if $$name -c "$(SUPPORTED)" 2>/dev/null; then echo $$name; exit; fi; done; echo python3)
BIN := .venv/bin
DEVICES ?= cpu,cpu
TORCH := $(shell grep -o '^torch==[^ ;]*' requirements.txt)
LOCK := $(BIN)/uv pip compile --upgrade --python-version 3.11 --no-header --no-annotate --quiet

DATA := .training/data
QUANTIZERS := .training/quantizers
LABELLED := .training/labelled
VOICES := .training/bundled/kokoro-js-1.2.1.tgz

.PHONY: setup consent development research run demo test test-research test-cluster lint bench format lock bundled experiment clean

setup: .venv/.runtime $(EXTRAS:%=.venv/.%)

# What spoken consent needs beside that: a speech recogniser and a speaker encoder.
consent: .venv/.consent

# What tests and training need beside that.
development: .venv/.development

# What the bundled model's recipe and the evaluation need beside that.
research: .venv/.research

run: setup
	@$(BIN)/python bot.py

demo: setup
	@$(BIN)/python -m simulator.demo

# Two processes side by side: a thread each for torch, or they are in each other's way.
test: .venv/.development .venv/.consent .venv/.browser .venv/.postgres
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --ignore tests/research --ignore tests/cluster

# Ray nodes and bot processes on this machine that are killed, stopped and added; nine minutes, on a busy one thirty.
test-cluster: .venv/.development .venv/.ray .venv/.postgres
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/cluster

test-research: .venv/.research
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile tests/research

lint: .venv/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

# BENCH="..." are its options, as `python -m benchmarks --help` lists them.
bench: setup
	$(BIN)/python -m benchmarks $(BENCH)

format: .venv/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock is made for Python 3.11; what newer ones need besides has a mark in requirements.in, and is added as it is.
# CUDA libraries belong to a build of torch, not to the lock; torchaudio is never wanted (see docs/architecture.md). Of
# the packages of spoken consent, only what is listed is used: not what they would pull in besides.
lock: .venv/.development
	$(LOCK) --no-emit-package torchaudio requirements.in -o .venv/lock
	(echo '# The complete lock, made by `make lock` from requirements.in; do not edit by hand.'; \
	  (grep -vE '^(#|nvidia-|cuda-|triton=)' .venv/lock; sed -n 's/ *#.*//; /python_version/p' requirements.in) | LC_ALL=C sort) \
	  > requirements.txt
	$(LOCK) --no-deps requirements-consent.in -o .venv/lock
	(echo "# The lock of spoken consent's packages, made by \`make lock\` from requirements-consent.in."; \
	  grep -vE '^#' .venv/lock) > requirements-consent.txt
	$(LOCK) requirements-ray.in -o .venv/lock
	(echo "# The lock of Ray's packages, made by \`make lock\` from requirements-ray.in."; \
	  grep -vE '^#' .venv/lock | grep -vxFf requirements.txt) > requirements-ray.txt
	$(LOCK) requirements-dev.in -o .venv/lock
	(echo '# The lock of the development tools, made by `make lock` from requirements-dev.in.'; \
	  grep -vE '^#' .venv/lock | grep -vxFf requirements.txt) > requirements-dev.txt
	$(LOCK) requirements-research.in -o .venv/lock
	(echo "# The lock of research's packages, made by \`make lock\` from requirements-research.in."; \
	  grep -vE '^(#|torch=|triton=|nvidia-|cuda-)' .venv/lock \
	  | grep -vxFf requirements.txt -f requirements-dev.txt -f requirements-consent.txt) > requirements-research.txt

$(VOICES):
	mkdir -p $(@D)
	cd $(@D) && npm pack --silent kokoro-js@1.2.1

# The bundled model from nothing, in some hours; research/README.md has the steps, and how it gets into models/bundled.
bundled: .venv/.research $(VOICES)
	$(BIN)/python -m research bundled

# All of docs/experiment.md but its side questions, in two to three hours; stopped, it goes on where it was.
experiment: .venv/.research $(VOICES)
	$(BIN)/python -m research labelled --out $(LABELLED)
	$(BIN)/python -m training data --out $(DATA) --clips 2000 --devices $(DEVICES)
	$(BIN)/python -m training quantizer --data $(DATA) --labelled $(LABELLED) --network v0 --steps 300
	$(BIN)/python -m training quantizer --data $(DATA) --labelled $(LABELLED) --network v1 --steps 300
	$(BIN)/python -m training quantizer --data $(DATA) --labelled $(LABELLED) --network ours --steps 300
	$(BIN)/python -m training codebook --data $(DATA) --labelled $(LABELLED)
	$(BIN)/python -m research evaluate --out .training/experiment --seeds 3 \
	  --quantizer $(QUANTIZERS)/ours/quantizer.safetensors --codebook $(QUANTIZERS)/codebook/codebook.safetensors

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c "$(SUPPORTED)" || { echo "Barkeep needs Python 3.11 to 3.14; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv

# Two steps: torch with the libraries of its build, then exactly the lock, without what packages would pull in besides.
.venv/.runtime: requirements.txt | .venv/bin/python
	@echo "1 of 2: $(TORCH) (a download of 0.2 GB for a CPU; some GB with CUDA's libraries, which Linux gets without TORCH_INDEX)"
	@$(BIN)/python -m pip install --disable-pip-version-check $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	@echo "2 of 2: $(shell grep -c '==' requirements.txt) packages of requirements.txt (0.8 GB once installed); this takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt
	@touch $@

.venv/.consent: requirements-consent.txt .venv/.runtime
	@echo "The packages of requirements-consent.txt (0.2 GB once installed)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-consent.txt
	@touch $@

.venv/.ray: requirements-ray.txt .venv/.runtime
	@echo "The packages of requirements-ray.txt (0.3 GB once installed)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-ray.txt
	@touch $@

.venv/.development: requirements-dev.txt .venv/.runtime
	@echo "The development tools of requirements-dev.txt; this takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.txt
	@touch $@

.venv/.research: requirements-research.txt .venv/.development .venv/.consent
	@echo "The packages of requirements-research.txt (0.8 GB once installed); this takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-research.txt
	@touch $@

# The simulator's tests drive a real browser: one that is there, else Debian's, else Playwright's own.
.venv/.browser: | .venv/.development
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium >/dev/null; \
	else $(BIN)/playwright install chromium; fi
	@touch $@

# Storage is tested on PostgreSQL too, by servers that the tests start themselves (tests/storage/postgres.py).
.venv/.postgres: | .venv/bin/python
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null && touch $@; \
	else echo "There is no PostgreSQL server here: its tests are skipped (on Debian: apt-get install postgresql)."; fi
