# Every task of this project. `make help` lists them; scripts/setup.py does all set-up.

PYTHON ?= python3
HOST ?=
PORT ?=
AUDIO ?=
PART ?=
MINUTES ?=
CUTS ?=
SESSIONS ?=
HOURS ?=
UPGRADE ?=
SPEAKERS ?=
FRAMES ?=
STRICT ?=
SEED ?=

BIN := .venv/bin
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	$(if $(UPGRADE),--upgrade) --extra server --extra whisper --extra postgres --extra redis --group build

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-check setup-test setup-funasr models run check test test-funasr api-test accuracy bench context trust chaos fuzz docs lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: ## Make .venv and install the locked packages (nothing to do: under a second)
	@$(PYTHON) scripts/setup.py run

setup-check:
	@$(PYTHON) scripts/setup.py check

setup-test:
	@$(PYTHON) scripts/setup.py test

# torch first: pip takes the build for this machine, and FunASR whatever is there.
setup-funasr: ## Make .venv-engines with FunASR and torch, 2 GB (nothing to do: under a second)
	@test -x .venv-engines/bin/python || $(PYTHON) -m venv .venv-engines
	@cmp -s requirements/funasr.txt .venv-engines/funasr.stamp || { \
		echo 'setup-funasr: .venv-engines, a few minutes and 2 GB' && \
		.venv-engines/bin/python -m pip install --quiet torch==2.13.0 && \
		.venv-engines/bin/python -m pip install --quiet --requirement requirements/dev.lock && \
		.venv-engines/bin/python -m pip install --quiet --requirement requirements/funasr.txt && \
		.venv-engines/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . && \
		cp requirements/funasr.txt .venv-engines/funasr.stamp; }

models: setup ## Fetch the default models that are not there yet
	@$(BIN)/asr-service models pull

run: models ## Start the service on HOST:PORT (default 127.0.0.1:8000)
	@exec $(BIN)/asr-service serve $(if $(HOST),--host '$(HOST)') $(if $(PORT),--port '$(PORT)')

check: setup-check ## Format, lint, types, import rules; unit, contract and architecture tests
	@echo 'check: format (black)'
	@$(BIN)/black --check --quiet --diff .
	@echo 'check: lint (ruff)'
	@$(BIN)/ruff check --quiet .
	@echo 'check: types (mypy --strict)'
	@$(BIN)/mypy
	@echo 'check: import rules (lint-imports)'
	@$(BIN)/lint-imports --no-logo
	@echo 'check: unit, contract and architecture tests'
	@$(BIN)/python -m pytest --quiet --junitxml=build/check.xml tests/unit tests/contract tests/architecture

test: setup-test models ## The whole test suite with its coverage gates
	@rm -rf build/coverage
	@echo 'test: the whole suite, measuring coverage'
	@$(BIN)/python -m scripts.run_tests
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage xml --quiet
	@echo 'test: coverage of everything, at least 85 %'
	@$(BIN)/coverage report --fail-under=85
	@echo 'test: coverage of the domain, at least 95 %'
	@$(BIN)/coverage report --include='*/asr_service/domain/*' --fail-under=95
	@echo 'test: coverage of the wire codecs, at least 95 %'
	@$(BIN)/coverage report --include='*/asr_service/app/api/v1/websocket/protocols/*' --fail-under=95

test-funasr: setup-funasr models ## The engine of FunASR beside FunASR itself, in an environment of its own
	@.venv-engines/bin/python -m pytest --quiet tests/engines/test_funasr_contract.py tests/engines/test_funasr_offline.py \
		tests/engines/test_funasr_server.py tests/engines/test_funasr_streaming.py tests/engines/test_funasr_vad.py

api-test: setup-check ## Send 2,000 generated requests to every route, and compare the answers with their description
	@API_CASES=2000 $(BIN)/python -m pytest --quiet tests/integration/test_openapi_document.py

accuracy: setup-check models ## Measure error rates on the recordings in AUDIO=folder
	@test -n '$(AUDIO)' || { echo 'accuracy: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.accuracy '$(AUDIO)'

bench: setup-check models ## Measure speed, live and beside faster-whisper, on the recordings in AUDIO=folder (10 minutes)
	@test -n '$(AUDIO)' || { echo 'bench: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.benchmark '$(AUDIO)' $(if $(PART),--part '$(PART)') \
		$(if $(SPEAKERS),--speakers '$(SPEAKERS)') $(if $(STRICT),--strict)

context: setup-check models ## Find the shortest context that a Whisper model may be given, on the recordings in AUDIO=folder
	@test -n '$(AUDIO)' || { echo 'context: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.encoder_context '$(AUDIO)'

trust: setup-check models ## Show on AUDIO=folder that no word is lost or invented: PART=silence, cuts, monologue, sessions or long
	@test -n '$(AUDIO)' -a -n '$(PART)' || { echo 'trust: for example AUDIO=recordings PART=cuts' >&2; exit 2; }
	@$(BIN)/python -m scripts.trust '$(AUDIO)' '$(PART)' $(if $(MINUTES),--minutes '$(MINUTES)') $(if $(CUTS),--cuts '$(CUTS)') \
		$(if $(SESSIONS),--sessions '$(SESSIONS)') $(if $(HOURS),--hours '$(HOURS)')

fuzz: setup-check ## Feed every wire codec FRAMES (default 100,000) damaged and random frames
	@$(BIN)/python -m tests.fixtures.codec_fuzz $(FRAMES)

chaos: setup-test models ## Break connections, servers and databases under live sessions on AUDIO=folder (30 minutes; PART, SEED)
	@test -n '$(AUDIO)' || { echo 'chaos: name the folder of recordings, for example AUDIO=recordings' >&2; exit 2; }
	@$(BIN)/python -m scripts.chaos '$(AUDIO)' $(addprefix --part ,$(PART)) $(if $(SEED),--seed '$(SEED)')

docs: setup-check ## Write what is written from the code: .env.example, docs/configuration.md, docs/api/asyncapi.yaml, …
	@$(BIN)/python -m asr_service.infrastructure.config.reference
	@$(BIN)/python -m scripts.openapi build/openapi.json
	@$(BIN)/python -m scripts.asyncapi docs/api

lock: setup-check ## Compile requirements/*.lock from pyproject.toml (UPGRADE=1: to the newest versions)
	@echo 'lock: requirements/runtime.lock'
	@$(LOCK) --output-file requirements/runtime.lock
	@echo 'lock: requirements/dev.lock'
	@$(LOCK) --group dev --constraint requirements/runtime.lock --output-file requirements/dev.lock

clean: ## Remove build results and caches (.venv and downloaded models stay)
	@rm -rf build dist .hypothesis .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find src tests scripts -type d -name __pycache__ -prune -exec rm -rf {} +
