# `make plan` and `make test` set everything up by themselves in .venv; a second call goes straight to work.
# Variables: EXAMPLE (a packaged scenario or a TOML file), PYTHON (3.11 or later), CXX, KANTOR_CUDA=AUTO|ON|OFF, PYTEST_ARGS.

VENV ?= .venv
EXAMPLE ?= us_2012
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
KANTOR_CUDA ?= AUTO
LOG := $(VENV)/native-build.log
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
EDITABLE := $(PIP) install --quiet --no-build-isolation --editable .
SOURCES := pyproject.toml CMakeLists.txt $(wildcard cmake/*) $(shell find csrc -name '*.?pp' -o -name '*.cu')

.PHONY: plan test bench docs whitepaper dist lint native clean
.DELETE_ON_ERROR:

plan: native
	$(VENV)/bin/kantor plan $(EXAMPLE) -o plan --report

test: native $(VENV)/.extras
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

bench: native
	$(VENV)/bin/kantor bench kernels

# The documentation site, in build/docs: tutorials run, warnings are errors, links inside the site are checked.
docs: native $(VENV)/.docs
	$(VENV)/bin/python -m sphinx -b html -W --keep-going -q docs build/docs
	$(VENV)/bin/python tools/check_links.py build/docs

# The white paper as build/whitepaper.pdf. WeasyPrint needs Pango (Debian: libpango-1.0-0 libpangoft2-1.0-0).
whitepaper: $(VENV)/.package
	$(PIP) install --quiet "kantor[whitepaper]"
	$(VENV)/bin/python tools/make_whitepaper.py docs/whitepaper.md build/whitepaper.pdf

# Sdist, wheel from it, installed outside the tree and used; PYTHONS="python3.12 python3.13" for others than this one.
dist: $(VENV)/.package
	$(PIP) install --quiet "cyclonedx-bom==7.5.0"
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python tools/check_release.py $(PYTHONS)

lint: native $(VENV)/.extras
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	find csrc -name '*.?pp' -o -name '*.cu' | xargs $(VENV)/bin/clang-format --dry-run -Werror

native: $(VENV)/.package
	@$(MAKE) --no-print-directory $(VENV)/.native || { \
	echo "kantor: native core NOT built (why: $(LOG)); the Numba kernels are used instead: same answers, slower." >&2; \
	test "$(KANTOR_CUDA)" != ON; }

clean:
	rm -rf $(VENV) build dist plan .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "kantor: no Python 3.11 or later found; set PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The package and what it needs, without compiled parts: works on every machine.
$(VENV)/.package: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet "scikit-build-core>=0.11" "pybind11>=2.13" "cmake>=3.24" ninja
	$(EDITABLE) --config-settings=wheel.cmake=false
	@rm -f $(VENV)/.native && touch $@

# The compiled parts on top; with KANTOR_CUDA=AUTO a CUDA toolkit that cannot build costs only the CUDA module.
$(VENV)/.native: $(VENV)/.package $(SOURCES)
	@echo "kantor: building the native core (log: $(LOG))" >&2
	@PATH="$(abspath $(VENV))/bin:$$PATH"; \
	build() { $(EDITABLE) --no-deps --force-reinstall --config-settings=cmake.define.KANTOR_CUDA=$$1 --verbose; }; \
	if build $(KANTOR_CUDA) >$(LOG) 2>&1; then :; \
	elif [ "$(KANTOR_CUDA)" = AUTO ] && build OFF >$(LOG).cpu 2>&1; then \
	echo "kantor: CUDA module NOT built (why: $(LOG)); the CPU kernels are complete." >&2; \
	else exit 1; fi
	@touch $@

$(VENV)/.docs: $(VENV)/.package
	$(PIP) install --quiet "kantor[docs]"
	@touch $@

$(VENV)/.extras: $(VENV)/.package
	$(PIP) install --quiet "kantor[test]"
	@touch $@
