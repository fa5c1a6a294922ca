# Everything there is to do with a checkout. Builds as the user who calls, also under sudo;
# what needs root asks for it itself.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

AS_USER := scripts/as-user.sh
CARGO   := $(AS_USER) cargo
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# The system's own, not a pyenv shim or a virtual environment that happens to come first.
PYTHON  := /usr/bin/python3
PYTRACE := $(shell $(AS_USER) sh -c 'echo "$${CARGO_TARGET_DIR:-target}"')/release/pytrace

BPF_SOURCES = $(wildcard bpf/*.c bpf/*.h)

say = @printf '\n== %s\n' "$(1)"

.PHONY: help build demo test lint test-unit test-root test-layouts test-truth test-matrix \
	test-fuzz test-cpythons test-packages test-endurance test-kernels vagrant-validate layouts \
	bench bench-matrix fuzz fuzz-seeds screenshots clean \
	setup-build setup-demo setup-test setup-bench setup-packages setup-kernels

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

build: setup-build ## the release binary, target/release/pytrace
	$(CARGO) build --release --locked

demo: setup-demo build ## trace examples/training_loop.py and print its calls
	$(call say,tracing examples/training_loop.py)
	$(SUDO) $(PYTRACE) --python $(PYTHON) -o trace.json examples/training_loop.py
	$(call say,its calls: $(PYTRACE) show trace.json)
	$(PYTRACE) show trace.json
	@printf '%s\n' '' \
		'The whole trace is in trace.json. To look at it:' \
		'  $(PYTRACE) serve trace.json   in the browser, at http://localhost:8080/' \
		'  $(PYTRACE) show trace.json    here' \
		'  https://ui.perfetto.dev                   "Open trace file": it stays on this machine'

test: lint test-unit test-fuzz test-root test-layouts test-truth ## all checks, from lint to test-truth

lint: setup-test ## formatting, clippy, documentation; warnings are errors
	$(call say,lint)
	$(CARGO) fmt --check
	$(if $(BPF_SOURCES),clang-format --dry-run -Werror $(BPF_SOURCES))
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(AS_USER) env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

test-unit: setup-test ## the tests that need no rights
	$(call say,unprivileged tests)
	$(CARGO) test --locked
	$(PYTHON) -B -m unittest discover -s tests
	$(PYTHON) -B -m unittest discover -s tests/truth

test-fuzz: setup-test ## hostile bytes for what reads files, records and requests, 10 s for each target
	$(call say,fuzzing in short)
	$(AS_USER) env FUZZ=short SECONDS_EACH=$(or $(SECONDS_EACH),10) scripts/fuzz.sh $(ONLY)

test-root: setup-test ## the tests that need root and eBPF; FILTER=name for some of them
	$(call say,privileged tests)
	scripts/root-tests.sh $(FILTER)

test-layouts: setup-test ## compare the table of struct layouts with CPython's headers
	$(call say,struct layouts)
	scripts/layouts.py --check bullseye trixie sid

layouts: setup-test ## write that table anew, from the headers here (pyenv's, the system's, Debian's)
	$(AS_USER) scripts/layouts.py bullseye trixie sid

# The interpreters under test: the system's, those of other Debians, a pyenv's.
test-truth: build setup-test ## compare traces with sys.setprofile's, on every CPython
	$(call say,truth tests)
	scripts/truth-tests.sh $(PYTRACE)

test-matrix: build setup-test ## the same with all programs and tools everywhere; takes hours
	$(call say,truth tests: everything; the table goes to matrix.txt)
	scripts/truth-tests.sh $(PYTRACE) --full --save matrix.txt

test-cpythons: build setup-test ## all programs on CPythons that are built for it: clang, tail-calling, BOLT, JIT, free-threaded, debug; ONLY="3.14-tail nogil" for some; hours
	$(call say,CPythons that no distribution has; the table goes to cpythons.txt)
	builds=$$(scripts/cpythons.sh $(ONLY)) && \
	INTERPRETERS=$$builds scripts/truth-tests.sh $(PYTRACE) --full --tools alone --save cpythons.txt

test-packages: build setup-packages ## how objects of torch, pandas and numpy are shown; fetches these
	$(call say,objects of packages)
	$(SUDO) $(PYTHON) -B tests/packages/run.py --pytrace $(PYTRACE)

test-endurance: setup-test ## attach to a busy program and detach a thousand times; CYCLES=1000
	$(call say,endurance)
	PYTRACE_CYCLES=$(or $(CYCLES),1000) scripts/root-tests.sh cost_the_program_nothing --nocapture

test-kernels: build setup-test setup-kernels ## Debian's kernels in QEMU; ONLY="5.10 6.1 6.12 newest lockdown" for some; minutes
	$(call say,kernels)
	$(SUDO) env ONLY="$(ONLY)" scripts/kernel-tests.sh $(PYTRACE)

vagrant-validate: ## whether Vagrant understands vagrant/Vagrantfile
	cd vagrant && vagrant validate --ignore-provider

bench: setup-bench build ## what tracing, folding and viewing cost; ONLY="calls values memory start consume derive bystander patterns serve scoped" for some of it
	$(call say,benchmarks)
	PYTHON=$(PYTHON) scripts/bench.sh $(ONLY)

bench-matrix: setup-bench build ## what a call costs on every CPython at hand
	$(call say,benchmarks of every interpreter)
	scripts/bench-matrix.sh

fuzz: setup-test ## hostile bytes, SECONDS_EACH=60 for each target; ONLY="http plan records texts trace_file values" for some
	$(call say,fuzzing)
	$(AS_USER) env SECONDS_EACH=$(or $(SECONDS_EACH),60) scripts/fuzz.sh $(ONLY)

fuzz-seeds: setup-test ## what fuzzing starts from, anew: records of the Pythons here
	$(call say,seeds)
	scripts/fuzz-seeds.sh

screenshots: build setup-test ## the pictures of the documentation, docs/images
	scripts/screenshots.sh $(PYTRACE)

clean: ## remove what builds and the demo leave (not the interpreters in the cache)
	$(CARGO) clean
	rm -f trace.json trace.json.gz matrix.txt cpythons.txt

setup-build setup-demo setup-test setup-bench setup-packages setup-kernels:
	@scripts/setup.sh $(@:setup-%=%)
