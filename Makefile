# make demo: the main job on this computer's own little cloud. make test: every test. Each sets up what it needs.
.PHONY: audit-matrix demo demo-update test test-bucket test-image test-policy test-update torture conformance bench check build setup setup-tests clean

CARGO ?= cargo

build: ## the program, for use
	$(CARGO) build --release --locked

demo: setup ## two users, a server each, from nothing to serving and back
	$(CARGO) build --locked
	scripts/demo

demo-update: setup ## two gateways go from one release to the next and back, and meet a broken one
	$(CARGO) build --locked
	scripts/demo-update

test: setup-tests ## everything; the real machines need root
	scripts/test

test-update: setup-tests ## an update part by part, and releases broken in all ways, each on a real machine; not in CI
	$(CARGO) build --locked
	TMPDIR=$${TMPDIR:-/var/tmp} $(CARGO) test --locked --test it -- --ignored --nocapture --test-threads=1 machines::rolling machines::update machines::broken

test-image: setup-tests ## a server from an image beside one that was set up from nothing; a disk on which something is left; a standby that is claimed; not in CI
	$(CARGO) build --locked
	TMPDIR=$${TMPDIR:-/var/tmp} $(CARGO) test --locked --test it -- --ignored --nocapture --test-threads=1 machines::image machines::pool

test-policy: setup-tests ## who may write, what with and from where, programs in a sandbox, a closed way out, a rotated token; not in CI
	$(CARGO) build --locked
	TMPDIR=$${TMPDIR:-/var/tmp} $(CARGO) test --locked --test it -- --ignored --nocapture --test-threads=1 machines::policy machines::dashboard machines::egress machines::sandbox machines::rotate

test-bucket: setup-tests ## two hundred servers come and go by a tenth of the requests that Hetzner grants; half an hour of waiting, not in CI
	$(CARGO) build --locked
	TMPDIR=$${TMPDIR:-/var/tmp} $(CARGO) test --locked --test it -- --ignored --nocapture bucket

audit-matrix: setup-tests ## breaks each promise on a real machine, and sees the audit say so; half an hour, not in CI
	$(CARGO) build --locked
	TMPDIR=$${TMPDIR:-/var/tmp} $(CARGO) test --locked --test it -- --ignored --nocapture machines::audit

torture: setup-tests ## random commands killed at random times; N=10000 kills more, SEED=S repeats one
	$(CARGO) build --locked --bins --examples
	$(CARGO) run --locked --example torture -- --kills $(or $(N),200) --seed $(or $(SEED),$(shell date +%s))

conformance: ## strangers' clients against the lab; the report is target/conformance.md
	scripts/conformance

bench: ## us and others on the same bed, in one run; the report is target/bench.md; an hour and a half, as root
	@scripts/setup --bench
	$(CARGO) build --release --locked
	$(CARGO) bench --locked --bench state --no-run
	benches/all.py target/release/clawberth "$$(ls -t target/release/deps/state-*[!d] | head -n 1)"

check: ## what a reviewer need not look at
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

setup:
	@scripts/setup

setup-tests:
	@scripts/setup --tests

clean:
	$(CARGO) clean
