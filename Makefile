SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.ONESHELL:

# The kernel for the kernel tests and the demo: uml-6.12, uml, qemu, host or auto; see scripts/lab --help.
KERNEL ?= auto
export MESHCTL_KERNEL := $(KERNEL)

# Warnings are errors, except for the release build: users may have a newer compiler.
export MESHCTL_STRICT ?= 1
release: MESHCTL_STRICT := 0

# The benchmarks choose kernels themselves, unless one is named.
bench: export BENCH_KERNEL := $(if $(filter command line environment,$(origin KERNEL)),$(KERNEL))

SOURCES := $(wildcard Package.swift Sources Tests Examples Fuzz/Package.swift Fuzz/Sources Benchmarks/Package.swift \
    Benchmarks/Sources)

.PHONY: help deps build release demo test test-unit test-tsan test-kernel test-older test-docker soak test-package \
    test-release build-tests fuzz fuzz-check bench docs check format clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r verb what; do
	    printf 'make %-12s %s\n' "$$verb" "$$what"; done
	echo
	echo 'KERNEL=uml-6.12|uml|qemu|host|auto chooses the kernel of demo and test-kernel; bench uses qemu by default.'

deps: ## install the missing packages for building, the tests and the demo
	@scripts/deps

build: ## build meshctl for debugging
	swift build --product meshctl

release: ## build meshctl to install: .build/release/meshctl
	swift build -c release --static-swift-stdlib --product meshctl

demo: deps build ## show the main job: published ports on one node and on two, faults and their repair
	@scripts/demo

test: deps test-unit ## run all tests
	@# The kernel lanes run the program as it is released, which takes half as long as the one built for debugging.
	export MESHCTL_PROGRAM='$(CURDIR)/.build/release/meshctl'
	$(MAKE) test-release test-kernel test-older test-docker test-package
	echo 'test: the unit lane and the kernel lanes passed, and so did the package and the program as they are released'

# Half of the time goes to these, which cut off or refuse every operation of a change once.
CUT_TESTS := ^MeshKitTests\.(CutTests|MeshCutTests|MovingTests)/

test-unit: build-tests ## run the tests that need neither root nor IPVS
	@# In two processes, for two processors. Within each, one test runs after the other: beside tests that compute for
	@# half a minute, those that wait for something run into their limits. `swift test` would run one process at a time.
	tests=$$(swift build --show-bin-path)/meshctlPackageTests.xctest
	run() { "$$tests" --testing-library swift-testing --no-parallel "$$@"; }
	trap 'kill $$(jobs -p) 2>/dev/null || :' EXIT
	run --filter '$(CUT_TESTS)' &
	run --skip KernelTests --skip '$(CUT_TESTS)' &
	# Each ends with a status; the first failure ends the other, too.
	wait -n
	wait -n

test-tsan: ## run the tests of the libraries under the thread sanitizer
	@log=$$(mktemp) suppressions=$$(mktemp)
	trap 'rm -f -- "$$log" "$$suppressions"' EXIT
	# Synchronization's Mutex, which the sanitizer does not see on Linux, in the library that runs the examples.
	echo 'race:s10Subprocess' >"$$suppressions"
	export TSAN_OPTIONS=suppressions=$$suppressions
	swift build --build-tests --sanitize=thread --scratch-path .build-tsan
	swift test --skip-build --disable-xctest --sanitize=thread --scratch-path .build-tsan \
	    --filter '^(NetlinkTests|IPVSKitTests|IPVSKitTestingTests|ConntrackTests|RuleKitTests|MeshKitTests)\.' 2>&1 |
	    tee "$$log"
	! grep -q 'WARNING: ThreadSanitizer' "$$log" || { echo 'test: the thread sanitizer warns, see above' >&2; exit 1; }
	# A filter that matches nothing would succeed, too.
	grep -q 'Suite NetlinkClientTests passed' "$$log"
	grep -q 'Suite ContractTests passed' "$$log"
	grep -q 'Suite DumpRequestTests passed' "$$log"
	grep -q 'Suite RuleSetTests passed' "$$log"
	grep -q 'Suite PlannerTests passed' "$$log"
	echo 'test: no warning of the thread sanitizer'

test-kernel: build-tests ## run the tests on a real kernel: KERNEL=uml-6.12|uml|qemu|host|auto
	@scripts/test-kernel '$(KERNEL)'

test-older: build-tests ## run the tests that depend on the kernel's version in Linux 6.1, without nftables
	@scripts/test-kernel uml

test-docker: build-tests ## run the tests with a real dockerd, in user-mode Linux
	@scripts/test-kernel docker

soak: export MESHCTL_SOAK := 1
soak: export LANE_SECONDS := 14400
soak: test-kernel ## run the kernel tests at full length: thousands of changes under traffic

test-package: ## check that a package which imports only IPVSKit builds, and what it downloads
	scripts/test-package

test-release: release ## check that the installed program starts fast
	scripts/test-release

fuzz: fuzz-check ## fuzz the parsers for FUZZ_SECONDS, by default 600, and minimise Fuzz/Corpus
	scripts/fuzz run

fuzz-check: ## check that the fuzzer sees the parsers, and finds a planted overread in each within a minute
	scripts/fuzz check

bench: deps ## compare with ipvsadm, libnl, haproxy and a Docker Swarm: docs/benchmarks.md
	@scripts/bench

docs: ## build the documentation of IPVSKit and IPVSKitTesting and check its links: .build/docs
	@scripts/docs

build-tests:
	swift build --build-tests

check: ## check the format, that the benchmarks build, and the API against the last release
	swift format lint --strict --parallel --recursive $(SOURCES)
	swift build --package-path Benchmarks
	@if tag=$$(git describe --tags --abbrev=0 2>/dev/null); then
	    swift package diagnose-api-breaking-changes "$$tag"
	else
	    echo 'check: no release yet, so no API to compare with'
	fi

format: ## format the sources
	swift format format --in-place --parallel --recursive $(SOURCES)

clean: ## remove build products
	swift package clean
	rm -rf .build-tsan Fuzz/.build
	swift package --package-path Benchmarks clean
