# Everything runs in a virtual environment of this folder, made on first use.
#
#   make demo     build the plugin, stream sample audit events to it, print what a host sees
#   make test     the whole test suite
#   make lint     style, types and import contracts alone (make test runs them too)
#   make bench    the benchmarks
#   make soak     400 hosts killed, a million events through the plugin; needs Azurite, ~10 minutes
#   make release-dry-run   all steps of a release, with a registry on this machine
#   make docs     the site of docs/, in build/site
#   make native   rebuild the C parts after a change of loader_c/
#   make clean    remove all that the others made
#
# PYTHON names the Python that makes the environment, and that falcopy build packs into plugins.

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
# Most tests wait more than they compute.
WORKERS ?= 4

BIN := $(VENV)/bin
# The tests compile variants of the C parts with the environment's cmake.
export PATH := $(abspath $(BIN)):$(PATH)
INSTALLED := $(VENV)/.installed
NATIVE := $(shell find loader_c -type f) $(wildcard falcopy_sdk/abi/*.h)

.PHONY: demo test lint bench soak docs release-dry-run native clean check-python
.DEFAULT_GOAL := test

demo: $(INSTALLED)
	$(BIN)/python plugins/k8saudit_aks/demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	$(BIN)/python tests/bench

# Needs Debian's docker-registry, and no network once the plugin was built.
release-dry-run: $(INSTALLED)
	$(BIN)/python release dry-run

soak: $(INSTALLED)
	FALCOPY_KILLS=200 $(BIN)/python -m pytest -q -s plugins/k8saudit_aks/tests/test_kill_host.py
	$(BIN)/falcopy build k8saudit_aks
	$(BIN)/python tests/bench/soak.py

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

native: $(INSTALLED)

$(INSTALLED): pyproject.toml plugins/k8saudit_aks/pyproject.toml $(NATIVE) | $(BIN)/python
	@echo "installing falcopy, its C parts and its tools into $(VENV): about a minute"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --editable '.[dev]' --editable plugins/k8saudit_aks
	touch $@

$(BIN)/python:
	@$(MAKE) --no-print-directory check-python
	$(PYTHON) -m venv $(VENV)

# What pip would say about these only after minutes, in other words.
check-python:
	@command -v $(PYTHON) >/dev/null \
	  || { echo "no $(PYTHON): install Python 3.11 or newer (Debian: apt install python3)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than Python 3.11: name another with PYTHON="; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make virtual environments (Debian: apt install python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig as s; v = s.get_config_var; \
	  folders = (v("LIBDIR"), os.path.join(v("LIBDIR"), v("MULTIARCH") or "")); \
	  sys.exit(not any(os.path.exists(os.path.join(f, v("INSTSONAME"))) for f in folders \
	  if v("Py_ENABLE_SHARED")))' \
	  || { echo "$(PYTHON) has no shared libpython, which falcopy build puts into plugins" \
	    "(Debian: apt install libpython3.11; pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; \
	  sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
	  || { echo "$(PYTHON) has no Python.h (Debian: apt install python3-dev)"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null \
	  || { echo "no C compiler (Debian: apt install gcc)"; exit 1; }

clean:
	rm -rf $(VENV) build dist plugins/*/dist .pytest_cache .mypy_cache .ruff_cache \
	    .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
