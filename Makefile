# Everything here sets itself up: it needs python3 (3.11 to 3.14), python3-venv, git and make.
# `make` or `make help` lists the targets. These variables change what they do:
#
#   PYTHON=python3.12                   the interpreter (remove .venv first)
#   TESTS="tests/matcher -k revoked"    the tests that `test` and `cov` run
#   DEMO="--out story --seed 7"         options of the demo
#   MUTATE="matcher/definition.py"      files and options of `mutate`
#   SUITES=trixie                       the Debian that `test-install` installs in
#   MODES=legacy                        one kind of virtual machine; MODES=cut cuts its power
#                                       ten times while an agent writes

SHELL := /bin/sh
BIN := .venv/bin
WORKERS ?= 2
SUITES ?= bookworm trixie
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
# Fast tests start no process, compile no kernel and send nothing through the virtual air.
FAST := tests/test_house.py tests/test_words.py tests/tracing_core tests/matcher/portable \
	tests/matcher/risk tests/matcher/test_match.py tests/matcher/test_vectors.py \
	tests/ble_agent/messages tests/ble_agent/air/test_schedule.py \
	tests/ble_agent/air/test_key_ring.py tests/ble_agent/virtual_air/test_scenario.py \
	tests/server/publish/test_publish_rules.py tests/server/publish/test_revision_token.py
export PYTHON

.PHONY: help demo test test-fast attack test-bluez deb test-install cov mutate check docs bench lock sbom generate clean

help: ## list these targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/installed ## play the whole story on this machine
	@$(BIN)/truyvet demo $(DEMO)

test: .venv/installed ## run the tests; TESTS="tests/matcher -k revoked" runs some
	@packaging/system-packages.sh unzip=unzip openssl=openssl protoc=protobuf-compiler \
		dbus-daemon=dbus-daemon shellcheck=shellcheck systemd-analyze=systemd qemu-aarch64=qemu-user \
		aarch64-linux-gnu-gcc="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" \
		pg_lsclusters=postgresql varnishd=varnish faketime=faketime \
		chromium=chromium
	@$(PYTEST) $(TESTS)

test-fast: .venv/installed ## run the tests that take under a minute
	@HYPOTHESIS_PROFILE=quick $(PYTEST) -q -m "not slow" $(FAST)

attack: .venv/installed ## attack this tree for 20 minutes: generated requests, kills, imports
	@$(BIN)/python -m tests.server.request_attack --seconds 300
	@CRASHES=200 $(BIN)/python -m pytest -q tests/server/app/test_crash.py
	@CRASHES=50 $(BIN)/python -m pytest -q tests/ble_agent/owner/take_over/test_command.py -k killed
	@$(BIN)/python -m tests.fuzz.imports --count 76000 --seconds 310
	@$(BIN)/python -m tests.server.export.padding_attack --files 700

test-bluez: .venv/installed ## run the radios on a real kernel, in a virtual machine built as root
	@tests/bluez/run.sh .cache/bluez-vm $(MODES)

deb: ## build the package of the agent for this machine's architecture in dist
	@packaging/deb/build.sh dist

test-install: ## install the agent by both ways in fresh roots of Debian, made as root
	@for suite in $(SUITES); do \
		AS_ROOT=1 packaging/fresh-debian.sh $$suite tests/packaging/install.sh || exit 1; done

cov: .venv/installed ## report which lines the tests run (Numba's kernels are not measured)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q -n $(WORKERS) --dist loadfile $(TESTS) || true
	@$(BIN)/coverage combine -q && $(BIN)/coverage report

mutate: .venv/installed ## change the pure files a little and count the changes no test notices
	@$(BIN)/python packaging/mutate.py $(MUTATE)

check: .venv/installed ## run the linters; see that the lock and generated files are up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python packaging/lock.py --check
	@$(BIN)/python packaging/generate.py --check
	@$(BIN)/python packaging/api_docs.py

docs: .venv/installed ## build the API documentation in .cache/api
	@$(BIN)/python packaging/api_docs.py

screens: .venv/installed ## take the pictures of the owner's page in docs/images (needs chromium)
	@TZ=Asia/Ho_Chi_Minh $(BIN)/python -m tests.ble_agent.app.page.browser.pictures

bench: .venv/installed ## measure against rivals
	@$(BIN)/python -m benchmarks

lock: .venv/installed ## compile the locks from pyproject.toml
	@$(BIN)/python packaging/lock.py

sbom: ## list what the locks install, as CycloneDX JSON in .cache/sbom
	@$${PYTHON:-python3} packaging/sbom.py .cache/sbom

generate: .venv/installed ## write the generated files
	@$(BIN)/python packaging/generate.py

clean: ## remove the environment and every cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
	rm -f .coverage .coverage.*

.venv/installed: requirements.lock pyproject.toml
	@packaging/set-up.sh .venv
