# make plan   set up .venv, plan the packaged example economy, write plan/ and plan/report.html
# make test   set up .venv with the test extras, run the whole suite
# make lint   formatting, style and types        make sanitize   C++ tests under ASan+UBSan and under TSan
# make bench  kernel benchmarks                  make clean      remove what these made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
NATIVE := pyproject.toml CMakeLists.txt $(wildcard cmake/* csrc/*.cpp csrc/*.hpp csrc/cuda/*)
CXX_SOURCES = $(wildcard csrc/*.cpp csrc/*.hpp csrc/tests/*.cpp csrc/tests/*.hpp csrc/cuda/*.cpp csrc/cuda/*.hpp csrc/cuda/*.cu)
LOG := $(VENV)/native-build.log

.PHONY: plan test lint format sanitize bench clean setup setup-test

plan: setup
	$(BIN)/kantor plan us_2012 -o plan --report

test: setup-test
	$(BIN)/python -m pytest

setup: $(VENV)/.installed
setup-test: $(VENV)/.installed-test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kantor needs Python 3.11 or later; set PYTHON, for example: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Installs with the native core; if that cannot be built, without it, and says what was lost.
define install
	@echo "installing kantor$(1) into $(VENV): a few minutes the first time"
	@if $(PIP) install --quiet -e '.$(1)' >$(LOG) 2>&1; then :; \
	elif $(PIP) install --quiet -e '.$(1)' -C wheel.cmake=false; then \
	  echo "" >&2; \
	  echo "kantor: the native core could not be built; the reason is in $(LOG)." >&2; \
	  echo "        Everything still works, on the Numba backend. What is lost: the C++ kernels and CUDA, so products" >&2; \
	  echo "        and iterations are slower and the first call of each kernel compiles for some seconds." >&2; \
	  echo "" >&2; \
	else tail -n 30 $(LOG) >&2; exit 1; fi
endef

$(VENV)/.installed: $(BIN)/python $(NATIVE)
	$(call install,)
	@touch $@

$(VENV)/.installed-test: $(BIN)/python $(NATIVE)
	$(call install,[test])
	@touch $@ $(VENV)/.installed

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(CXX_SOURCES)

format: setup-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_SOURCES)

sanitize: setup-test
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --preset asan
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build --preset asan
	PATH="$(CURDIR)/$(BIN):$$PATH" ctest --preset asan
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --preset tsan
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build --preset tsan
	PATH="$(CURDIR)/$(BIN):$$PATH" ctest --preset tsan

bench: setup
	$(BIN)/kantor bench kernels

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
