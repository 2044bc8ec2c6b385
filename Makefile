# make setup | demo | test | lint | lock        (each does the set-up it needs)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first interpreter that every dependency has wheels for; PYTHON=... overrides.
PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12,$(shell \
	command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $(p))))
EXTRAS ?= carla,waymo,dev
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready-$(subst $(eval) ,,$(EXTRAS))

# What pip is configured with (files and environment), told to uv, which reads neither.
define PIP_SOURCES_TO_UV
pip_setting() { $(PYTHON) -m pip config list 2>/dev/null | sed -n "s/^[^=]*\.$$1='\(.*\)'$$/\1/p" | sed 's/\\n/ /g' | xargs; }; \
links=$$(pip_setting find-links); extra=$$(pip_setting extra-index-url); index=$$(pip_setting index-url); cert=$$(pip_setting cert); \
[ -z "$$links" ] || export UV_FIND_LINKS="$${links// /,}"; \
[ -z "$$extra" ] || export UV_EXTRA_INDEX_URL="$$extra" UV_INDEX_STRATEGY=unsafe-best-match; \
[ -z "$$index" ] || export UV_DEFAULT_INDEX="$${index%% *}"; \
[ -z "$$cert" ] || export SSL_CERT_FILE="$${cert%% *}"
endef

.PHONY: help setup demo test lint lock clean

help:
	@echo "make setup   an environment in .venv"
	@echo "make demo    the whole pipeline at small size: runs/demo/report/report.html"
	@echo "make test    every test that this machine can run"
	@echo "make lint    ruff; make lock refreshes constraints-*.txt"

setup: $(READY)

demo: $(READY)
	$(BIN)/phipd demo --config configs/demo.yaml

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

$(UV):
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or 3.12 is needed and none is on PATH; install python3.11 or give PYTHON=/path/to/python." >&2; exit 2; }
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv==$(UV_VERSION)

$(READY): pyproject.toml constraints-3.11.txt constraints-3.12.txt | $(UV)
	@echo "Setting up .venv (the first time takes some minutes)"
	@$(PIP_SOURCES_TO_UV); \
	[ -x $(BIN)/python ] || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv; \
	version=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	$(UV) pip install --quiet --python $(BIN)/python -e ".[$(EXTRAS)]" -c constraints-$$version.txt
	@touch $@

lock: | $(UV)
	@$(PIP_SOURCES_TO_UV); for version in 3.11 3.12; do \
		lock=constraints-$$version.txt; \
		$(UV) pip compile --quiet --upgrade pyproject.toml --all-extras --python-version $$version --python-platform x86_64-manylinux_2_31 \
			--constraint <(grep '^torch==' $$lock) --no-annotate --no-header --no-emit-find-links -o $$lock.new; \
		{ echo "# Exact versions for Python $$version on Linux x86_64; made by \`make lock\`."; sed -E 's/\+cpu$$//' $$lock.new; } > $$lock; rm $$lock.new; \
	done

clean:
	rm -rf .venv .uv
