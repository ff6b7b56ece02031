# Everything here sets itself up: it needs python3 (3.11 to 3.13), python3-venv, git and make.
#
#   make demo    play the whole story on this machine
#   make test    run the tests
#   make test-bluez  run the agent's radios on a real kernel and bluetoothd, in a virtual machine;
#                building it needs root once
#   make check   run the linters and see that lock and generated files are up to date
#   make bench   measure against rivals
#   make lock    compile requirements.lock anew
#   make generate    write the generated files anew
#   make clean   remove the environment and every cache
#
# PYTHON=python3.12 chooses an interpreter, TESTS="tests/matcher -k revoked" some tests,
# DEMO="--out story --seed 7" the demo's options, MODES=legacy one kind of virtual machine; MODES=cut
# cuts its power ten times while an agent writes.

SHELL := /bin/sh
BIN := .venv/bin
WORKERS ?= 2
export PYTHON

.PHONY: demo test test-bluez check bench lock generate clean

demo: .venv/installed
	@$(BIN)/truyvet demo $(DEMO)

test: .venv/installed
	@packaging/system-packages.sh unzip=unzip openssl=openssl protoc=protobuf-compiler \
		dbus-daemon=dbus-daemon systemd-analyze=systemd qemu-aarch64=qemu-user \
		aarch64-linux-gnu-gcc="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" \
		pg_lsclusters=postgresql
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

test-bluez: .venv/installed
	@tests/bluez/run.sh .cache/bluez-vm $(MODES)

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
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache

.venv/installed: requirements.lock pyproject.toml
	@packaging/set-up.sh .venv
