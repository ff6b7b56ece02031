# Everything here sets itself up: it needs python3 (3.11 to 3.13), python3-venv, git and make.
#
#   make demo    play the whole story on this machine
#   make test    run the tests
#   make check   run the linters and see that lock and generated files are up to date
#   make bench   measure against rivals; the figures go to benchmarks/results.json
#   make lock    compile requirements.lock anew
#   make generate    write the generated files anew
#   make clean   remove the environment and every cache
#
# PYTHON=python3.12 chooses an interpreter, TESTS="tests/matcher -k revoked" some tests,
# DEMO="--out story --seed 7" the demo's options.

SHELL := /bin/sh
BIN := .venv/bin
WORKERS ?= 2
export PYTHON

.PHONY: demo test check bench lock generate clean

demo: .venv/installed
	@$(BIN)/truyvet demo $(DEMO)

test: .venv/installed
	@packaging/system-packages.sh unzip=unzip openssl=openssl protoc=protobuf-compiler
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

check: .venv/installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python packaging/lock.py --check
	@$(BIN)/python packaging/generate.py --check

bench: .venv/installed
	@$(BIN)/python -m benchmarks

lock: .venv/installed
	@$(BIN)/python packaging/lock.py

generate: .venv/installed
	@$(BIN)/python packaging/generate.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/installed: requirements.lock pyproject.toml
	@packaging/set-up.sh .venv
