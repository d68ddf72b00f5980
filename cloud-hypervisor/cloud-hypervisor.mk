# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the host side: the daemon of the tiered balloon, its client, the policies,
# demeter-host, and their manual pages. Cargo fetches what Cargo.lock names.

ch_dir := $(BUILD)/cloud-hypervisor
ch_sources := $(shell find cloud-hypervisor -name '*.rs' -o -name 'Cargo.*' -o -name config.toml)
ch_tests := $(BUILD)/tests/rust.json
ch_fuzzers := $(BUILD)/tests/fuzz/.built
export CARGO_TARGET_DIR := $(ch_dir)/target

commands += fuzz
targets += cloud-hypervisor
clean_dirs += $(ch_dir)

# They take minutes to build: where some tests are asked for, make check builds what these name.
needs-quick: $(if $(T),,$(ch_tests) $(ch_fuzzers))

cloud-hypervisor: $(if $(CONFIG_CLOUD_HYPERVISOR_TOOLS),$(ch_dir)/.built)

$(ch_dir)/.built: $(ch_sources) cloud-hypervisor/build cloud-hypervisor/cargo | $(DEPS)
	@$(STAGE) --need-mb 1000 cloud-hypervisor -- cloud-hypervisor/build $(@D)
	@touch $@

# Tests name the programs that they need.
$(addprefix $(ch_dir)/,tiered-balloon tierctl tierd demeter-host): $(ch_dir)/.built ;

# Programs of tests, as cargo names them
$(ch_tests): $(ch_sources) cloud-hypervisor/cargo linux/include/uapi/linux/virtio_tiered_balloon.h \
		$(wildcard cloud-hypervisor/crates/*/tests/*.c) | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) --need-mb 2000 rust-tests -- sh -c 'cloud-hypervisor/cargo test --workspace \
		--exclude tiered-balloon-fuzz --locked --no-run --message-format json >$@'

$(ch_fuzzers): $(ch_sources) cloud-hypervisor/fuzz/build cloud-hypervisor/cargo | $(DEPS)
	@$(STAGE) --need-mb 1000 rust-fuzzers -- cloud-hypervisor/fuzz/build $(@D)
	@touch $@

# Half an hour for each fuzzer, instead of ten seconds
FUZZ_SECONDS ?= 1800
fuzz:
	@$(locked) $(ch_fuzzers)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/check run test_fuzz -n 0 -s
