# make help says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILT := $(VENV)/.built
WORKFLOWS := .venv-workflows
LAMBDA := .venv-lambda
DEPLOY := .venv-deploy
AWSCLI := .venv-awscli
MULTIQC := .venv-multiqc
NOTEBOOK := .venv-notebook
TABLES := .venv-tables
OLDEST_TABLES := .venv-tables-oldest
SCHEMATHESIS := .venv-schemathesis
LAMBDA_PYTHON := 3.13
KERNEL := kernel/Cargo.toml kernel/Cargo.lock $(wildcard kernel/src/*.rs kernel/src/*/*.rs)
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
PAGE := page/node_modules/.built
GENOME := tests/data/ecoli_K12_GCF_000005845.2.fna.gz

.PHONY: help demo test test-rust test-python scale fuzz sanitize lint format page pictures bench bench-stores bench-cloud wheel wheels man clean

help:
	@echo "make demo    set up everything here, POST a real genome to a server here, show its report"
	@echo "make test    set up everything here, run every test"
	@echo "make scale   post a thousand genomes at once to an emulated AWS; writes benchmarks/STORM.md"
	@echo "make fuzz    look for inputs that break a law, for an hour"
	@echo "make sanitize  the kernel's tests under the address sanitizer"
	@echo "make lint    ruff, mypy, cargo fmt, clippy: warnings are errors"
	@echo "make format  ruff format, cargo fmt"
	@echo "make page    build the script of the pages, after a change in page/; needs npm"
	@echo "make pictures  make the pictures of docs/ again; needs Debian's Chromium and the real genomes"
	@echo "make bench   time fanfold and others side by side; writes benchmarks/RESULTS.md, SYNC.md,"
	@echo "             PAGE.md, SERVE.md, and the tables of docs/compared.md"
	@echo "make bench-stores  time reading from an object store, and folds; benchmarks/STORES.md"
	@echo "make bench-cloud   time the functions of the cloud path; benchmarks/CLOUD.md"
	@echo "make wheel   build the wheel of this machine into dist/"
	@echo "make wheels  build the wheels of Linux, x86-64 and arm64, into dist/linux/"
	@echo "make man     write the man page again, after a change of the commands"
	@echo "make clean   remove what was built"

$(BUILT): pyproject.toml $(KERNEL)
	@scripts/check-prerequisites $(PYTHON)
	@echo "setting up $(VENV): Python packages and the compiled kernel, a minute or two"
	@scripts/install-group $(VENV) $(PYTHON) dev
	@scripts/quietly $(VENV)/install.log env -u CONDA_PREFIX VIRTUAL_ENV=$(CURDIR)/$(VENV) \
	    $(BIN)/maturin develop --release --locked
	@$(BIN)/python -m compileall -q src
	@touch $@

demo: $(BUILT)
	@scripts/demo $(BIN) $(GENOME) demo.data
	@echo "Next, your own genome:"
	@echo "    . $(BIN)/activate"
	@echo "    fanfold run genome.fa.gz"
	@echo "fanfold --help lists what else there is; README.md and docs/ explain it."

test: test-rust test-python

test-rust: $(BUILT)
	cargo test --quiet --locked --manifest-path kernel/Cargo.toml

# The tests say loudly what they leave out where this can't be had.
$(WORKFLOWS)/.built: pyproject.toml
	@echo "setting up $(WORKFLOWS): Snakemake and the schemas of Kubernetes, a minute or two"
	@scripts/install-group $(WORKFLOWS) $(PYTHON) workflows \
	    && touch $@ || echo "*** LEFT OUT: Snakemake could not be installed" >&2

$(LAMBDA)/.built: pyproject.toml
	@echo "setting up $(LAMBDA): the emulator of AWS, and the Python of its functions"
	@python=$$(scripts/find-python $(LAMBDA_PYTHON)) \
	    && scripts/install-group $(LAMBDA) $$python lambda \
	    && touch $@ || echo "*** LEFT OUT: the cloud path, end to end" >&2

$(DEPLOY)/.built: pyproject.toml
	@echo "setting up $(DEPLOY): checkov, a minute"
	@scripts/install-group $(DEPLOY) $(PYTHON) deploy \
	    && touch $@ || echo "*** LEFT OUT: checkov could not be installed" >&2

$(AWSCLI)/.built: pyproject.toml
	@echo "setting up $(AWSCLI): the AWS CLI, a minute"
	@scripts/install-group $(AWSCLI) $(PYTHON) awscli \
	    && touch $@ || echo "*** LEFT OUT: the first hour, on the emulator" >&2

$(MULTIQC)/.built: pyproject.toml
	@echo "setting up $(MULTIQC): MultiQC, a minute or two"
	@scripts/install-group $(MULTIQC) $(PYTHON) multiqc \
	    && touch $@ || echo "*** LEFT OUT: MultiQC could not be installed" >&2

$(NOTEBOOK)/.built: pyproject.toml
	@echo "setting up $(NOTEBOOK): what runs the example notebook, a minute"
	@scripts/install-group $(NOTEBOOK) $(PYTHON) notebook \
	    && scripts/install-dependencies $(NOTEBOOK) \
	    && touch $@ || echo "*** LEFT OUT: the notebook could not be set up" >&2

$(TABLES)/.built: pyproject.toml
	@echo "setting up $(TABLES): pandas, Polars, DuckDB and pyarrow, a minute"
	@scripts/install-group $(TABLES) $(PYTHON) tables \
	    && touch $@ || echo "*** LEFT OUT: pandas, Polars, DuckDB and pyarrow could not be installed" >&2

$(OLDEST_TABLES)/.built: pyproject.toml
	@echo "setting up $(OLDEST_TABLES): the oldest of them that are promised, a minute"
	@scripts/install-group $(OLDEST_TABLES) $(PYTHON) tables-oldest \
	    && touch $@ || echo "*** LEFT OUT: the oldest pandas, Polars, DuckDB and pyarrow" >&2

$(SCHEMATHESIS)/.built: pyproject.toml
	@echo "setting up $(SCHEMATHESIS): Schemathesis, a minute"
	@scripts/install-group $(SCHEMATHESIS) $(PYTHON) schemathesis \
	    && touch $@ || echo "*** LEFT OUT: Schemathesis could not be installed" >&2

# Thousands of processes import the sources: without bytecode, each compiles them.
test-python: $(BUILT) $(WORKFLOWS)/.built $(LAMBDA)/.built $(DEPLOY)/.built $(AWSCLI)/.built \
    $(MULTIQC)/.built $(NOTEBOOK)/.built $(TABLES)/.built $(OLDEST_TABLES)/.built \
    $(SCHEMATHESIS)/.built
	@scripts/install-oracles
	@$(BIN)/python -m compileall -q src
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist worksteal

scale: $(BUILT) $(LAMBDA)/.built
	PYTHONPATH=benchmarks $(BIN)/python -m pytest -n 0 tests/cloud/scale.py

FUZZ_SECONDS ?= 3600

fuzz: $(BUILT)
	scripts/fuzz $(CURDIR)/$(BIN)/python $(FUZZ_SECONDS)

# The address sanitizer watches the unsafe code; it needs a nightly toolchain.
sanitize:
	@if cargo +nightly --version >/dev/null 2>&1; then \
	    RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=kernel/target/sanitize cargo +nightly test \
	        --quiet --locked --manifest-path kernel/Cargo.toml --target $(HOST) -- machine dense kmers tables laws; \
	else \
	    echo "*** LEFT OUT: the address sanitizer; get it: rustup toolchain install nightly" >&2; \
	fi

lint: $(BUILT)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cargo fmt --manifest-path kernel/Cargo.toml --check
	cargo clippy --quiet --locked --all-targets --manifest-path kernel/Cargo.toml -- -D warnings
	@if $(MAKE) --silent --no-print-directory $(PAGE); then npm run --silent --prefix page check; \
	else echo "*** LEFT OUT: the page's script, as npm can't be had" >&2; fi

format: $(BUILT)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cargo fmt --manifest-path kernel/Cargo.toml

# The built script is committed: only who changes it needs npm.
$(PAGE): page/package.json page/package-lock.json
	@echo "setting up page/node_modules: what builds and checks the page's script, a minute"
	@mkdir -p $(VENV)
	@scripts/quietly $(VENV)/page.log npm ci --prefix page --ignore-scripts --no-audit --no-fund
	@touch $@

page: $(PAGE)
	@npm run --silent --prefix page build

pictures: $(BUILT)
	$(BIN)/python docs/images/make.py

bench-stores: $(BUILT)
	PYTHONPATH=tests $(BIN)/python benchmarks/object_store.py

bench-cloud: $(BUILT) $(LAMBDA)/.built
	PYTHONPATH=tests $(BIN)/python benchmarks/cloud_functions.py

bench: $(BUILT)
	@scripts/install-oracles
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/compared.py
	$(BIN)/python benchmarks/sync_cost.py
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/serve.py

wheel: $(BUILT)
	@scripts/quietly $(VENV)/wheel.log $(BIN)/maturin build --release --locked --out dist
	@ls dist/*.whl

# Cross-built with zig, for glibc 2.17 and newer: the wheels that the cloud runs, too.
wheels: $(BUILT)
	$(BIN)/python deploy/build.py wheels --out dist/linux

man: $(BUILT)
	$(BIN)/python packaging/man_page.py

clean:
	rm -rf $(VENV) $(WORKFLOWS) $(LAMBDA) $(DEPLOY) $(AWSCLI) $(MULTIQC) $(NOTEBOOK) $(TABLES) $(OLDEST_TABLES) $(SCHEMATHESIS) page/node_modules dist kernel/target kernel/fuzz/target
