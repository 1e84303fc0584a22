# SPDX-License-Identifier: Apache-2.0
# Needs python3 (3.11 or newer), git and make; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := . ./distro ./collector ./dashboard
PROJECTS := pyproject.toml distro/pyproject.toml collector/pyproject.toml dashboard/pyproject.toml
NATIVE := $(wildcard native/*.toml native/*.py native/peeps_otel_native/*.[ch])
SOURCES := peeps_otel distro collector dashboard native tests examples scripts bench
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= 4
# The quick tests often wait: with three, two cores are half idle. One more worker costs three seconds of processor time.
QUICK_WORKERS ?= 6
PYTEST_ARGS ?=
# --all: the types of all files, not only of what changed since all were right and of what imports that.
TYPES ?=

export PIP_NO_INPUT := 1
# Some images set it. Then each of the hundreds of processes that the tests start compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo check quick test every-test pythons lint venv wheels clean

help:
	@echo "make demo    set everything up, run a stuck program, say what is stuck, show it in the explorer"
	@echo "make check   lint and the quick tests: before each commit"
	@echo "make test    set everything up, lint, run every test"
	@echo "make pythons what depends on the interpreter, on every other CPython that is here"
	@echo "make lint    ruff and pyright; where Node is, the explorer's TypeScript too"
	@echo "make venv    only set up .venv (PYTHON=python3.13 to choose)"
	@echo "make wheels  the five wheels, in dist/; that of C for this Python and machine alone"
	@echo "make clean   remove what the others made, .venv too"

demo: $(VENV)/.installed $(VENV)/.native
	@exec $(BIN)/python scripts/demo

check: $(VENV)/.installed-test $(VENV)/.native
	@$(MAKE) --no-print-directory --jobs 2 lint quick

quick: $(VENV)/.installed-test $(VENV)/.native
	$(BIN)/python -m pytest -q -n $(QUICK_WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" --hypothesis-profile quick \
	--ignore tests/e2e --ignore tests/catalogue $(PYTEST_ARGS)

# The lint beside the unit tests, which come first: it takes one core for as long as it lasts.
test: $(VENV)/.installed-test $(VENV)/.native
	@$(MAKE) --no-print-directory --jobs 2 TYPES=--all lint every-test

every-test: $(VENV)/.installed-test $(VENV)/.native
	@browser=$$(scripts/find-browser) || exit 1; \
	if [ -n "$$browser" ]; then export PEEPS_CHROMIUM="$$browser"; fi; \
	$(BIN)/python scripts/run-tests $(WORKERS) $(PYTEST_ARGS)

lint: $(VENV)/.installed-test $(VENV)/.native
	$(BIN)/ruff check --quiet $(SOURCES)
	$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/python -m scripts.check_types $(TYPES)
	@scripts/lint-typescript

# The other CPythons that are here; on this one `test` has run everything.
pythons: $(VENV)/.installed-test $(VENV)/.native
	@WORKERS=$(WORKERS) $(BIN)/python scripts/test-pythons

venv: $(VENV)/.installed $(VENV)/.native

wheels: $(VENV)/.installed
	$(PIP) wheel --no-deps --wheel-dir dist $(PACKAGES) ./native
	@ls dist

clean:
	rm -rf $(VENV) .venvs dist build native/build native/*.egg-info native/peeps_otel_native/*.so artifacts .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("peeps-otel needs Python 3.11 or newer; \
	$(PYTHON) is %d.%d. Try: make PYTHON=python3.13" % v[:2])'
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade "pip>=25.1"
	@touch $@

# All at once, so that the packages find each other here and not in a registry.
$(VENV)/.installed: $(VENV)/.created $(PROJECTS)
	@echo "installing the packages"
	@$(PIP) install $(addprefix -e ,$(PACKAGES))
	@touch $@

# The packages once more, in one resolution with what the tests need: after each other, the second would take back versions
# that the first had chosen.
$(VENV)/.installed-test: $(VENV)/.created $(PROJECTS)
	@echo "installing the packages and what the tests need"
	@$(PIP) install $(addprefix -e ,$(PACKAGES)) --group test --group lint "pytest-xdist>=3.6" "hatchling>=1.26"
	@touch $(VENV)/.installed $@

# The part in C, where there are a compiler and headers. Order-only: it is no reason to install the others anew.
$(VENV)/.native: $(NATIVE) scripts/build-native | $(VENV)/.created
	@scripts/build-native $(BIN)/python
	@touch $@
