# Every target sets itself up: all it needs is make and Python 3.11 or later. What it installs
# stays in the checkout: hatch in .venv, the environments in .hatch.

# The first that can make a virtual environment.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell $(name) -c \
	'import ensurepip, sys, venv; assert sys.version_info >= (3, 11); print(sys.executable)' 2>/dev/null)))
HATCH := .venv/bin/hatch
HATCH_REQUIREMENT := hatch>=1.18,<1.19
# Where `make dist` builds to; a full path.
DIST := $(CURDIR)/dist
PACKAGES := $(patsubst packages/%/pyproject.toml,%,$(wildcard packages/*/pyproject.toml))

export HATCH_DATA_DIR := $(CURDIR)/.hatch
export HATCH_PYTHON := self

say = @printf '\n== %s\n' "$(1)"

.PHONY: help demo loan-desk test lint format types docs integration test-matrix test-lowest \
        test-newest compatibility surface release bench bench-quick soak dist hooks clean \
        $(PACKAGES:%=suite-%)

help:
	@echo "make demo         a small factory for half a minute, no server needed"
	@echo "make loan-desk    a real half year at a loan desk: LOG=bpic2012.csv.gz [ARGS='--week 2011-11-14']"
	@echo "make test         lint, types, docs, every package's suite, the cross-package suite"
	@echo "make lint | format | types | docs | suite-core | integration   one step of it"
	@echo "make test-matrix  every suite on every supported Python that is installed"
	@echo "make test-lowest  each package's suite with the lowest versions it allows [PACKAGE=core]"
	@echo "make test-newest  the same with the newest there are"
	@echo "make surface      record the public surface of each package anew, and say what changed"
	@echo "make compatibility  try both on each Python that is installed, and record it [PACKAGE=core]"
	@echo "make release      release a package: PACKAGE=connector-redis PART=minor; nothing is published"
	@echo "make soak         the fault suite with its full counts, in some fifteen minutes"
	@echo "make bench        the benchmarks, side by side with what they are compared to"
	@echo "make bench-quick  the same with short runs, in a few minutes; they show no more than a tendency"
	@echo "make dist         sdist and wheel of every package, into dist/"
	@echo "make hooks        install the pre-commit hooks"
	@echo "make clean        remove what these targets made"

.venv/ready: Makefile
	$(call say,set-up: hatch in .venv)
	@python="$(PYTHON)"; test -n "$$python" || { \
		echo "Python 3.11 or later with its venv module is needed" \
			"(Debian: apt-get install python3 python3-venv)"; exit 1; }; \
		"$$python" -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "$(HATCH_REQUIREMENT)"
	@touch $@

demo: .venv/ready
	@$(HATCH) run demo:despatch demo

# A real half year at a loan desk: LOG=bpic2012.csv.gz, and a Redis server on its default port.
loan-desk: .venv/ready
	@test -n "$(LOG)" || { echo "make loan-desk LOG=bpic2012.csv.gz: where the event log is"; exit 1; }
	@$(HATCH) run python examples/loan_desk/run.py "$(LOG)" $(ARGS)

# In order, whatever -j says; the last thing printed is pytest's closing line.
test:
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) $(LONGEST) $(filter-out $(LONGEST),$(SUITES))

lint: .venv/ready
	$(call say,lint: ruff check and ruff format --check)
	@$(HATCH) run lint

format: .venv/ready
	@$(HATCH) run format

types: .venv/ready
	$(call say,types: mypy --strict over every package)
	@$(HATCH) run types

docs: .venv/ready
	$(call say,docs: mkdocs with warnings as errors)
	@$(HATCH) run docs

# Tests mostly wait, for processes and servers. So the core's suite and the cross-package one, each of
# which takes as long as all others, are run beside these, where make can keep apart what they print.
SIDE_BY_SIDE := $(if $(filter output-sync,$(.FEATURES)),--jobs=3 --output-sync=target)
SUITES := $(PACKAGES:%=suite-%)
LONGEST := suite-core integration

$(SUITES): suite-%: .venv/ready
	$(call say,suite: $* with only its own dependencies)
	@$(HATCH) run $*:test

integration: .venv/ready
	$(call say,integration: the cross-package suite)
	@$(HATCH) run test

test-matrix: .venv/ready
	@$(HATCH) run matrix:test

# Each in an environment of its own, made anew. ARGS are pytest's; by default a whole suite.
test-lowest test-newest: test-%: .venv/ready
	@$(HATCH) run python releasing/trials.py $* $(PACKAGE) $(ARGS)

surface: .venv/ready
	@$(HATCH) run python releasing/surface.py

compatibility: .venv/ready
	@$(HATCH) run python releasing/compatibility_table.py $(PACKAGE) $(PYTHONS:%=--python=%)

release: .venv/ready
	@test -n "$(PACKAGE)" -a -n "$(PART)" || { \
		echo "make release PACKAGE=connector-redis PART=minor: which package, and what its version" \
			"becomes (patch, minor, major, rc; release for the one that stands there)"; exit 2; }
	@$(HATCH) run python releasing/release.py $(PACKAGE) $(PART) --dist "$(DIST)" $(ARGS)

# The scripts with a command line of their own; the others are parts of them.
BENCHMARKS := $(shell grep -l '^def run_all' benchmarks/*.py)

bench bench-quick: .venv/ready
	@set -e; for script in $(BENCHMARKS); do \
		printf '\n== %s: %s\n' "$@" "$$script"; \
		PYTHONPATH=tests $(HATCH) run python "$$script" $(if $(filter %-quick,$@),--quick); done

# What `make test` runs of the fault suite is a tenth of this; a test may take longer, too.
soak: .venv/ready
	$(call say,soak: the fault suite with its full counts)
	@DESPATCH_SOAK=1 $(HATCH) run test tests/faults --timeout=1200 --durations=10
	$(call say,soak: ten million records for a sink that is down)
	@DESPATCH_FLOOD=10000000 $(HATCH) run core:test packages/core/tests/test_faults.py \
		-k memory_does_not_grow --timeout=1200 -rP

# hatch builds no workspace as a whole, so its builder is run in each package. What an earlier build
# left is removed first: `pip --find-links` would take the newest version that lies there.
dist: .venv/ready
	@rm -f "$(DIST)"/despatch*.whl "$(DIST)"/despatch*.tar.gz
	@set -e; for package in $(PACKAGES); do \
		printf '\n== dist: %s\n' "$$package"; \
		(cd packages/$$package && "$(CURDIR)/.venv/bin/hatchling" build -d "$(DIST)"); done

hooks: .venv/ready
	@$(HATCH) run pre-commit install

clean:
	rm -rf .venv .hatch .mypy_cache .ruff_cache .pytest_cache .hypothesis dist site benchmarks/.rivals
