# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the emulated tiered server: Debian's QEMU source with Debian's patches
# and ours, limited to the devices in devices.mak; the tmem plugin; the qboot
# firmware.

qemu_dir := $(BUILD)/qemu
qemu_src := $(qemu_dir)/src
qemu_out := $(qemu_dir)/build
qemu_version := 10.0
qemu_tarball := $(or $(QEMU_TARBALL),$(call str,QEMU_TARBALL))
qemu_patches := $(sort $(wildcard qemu/patches/*.patch))
qemu_bin := $(qemu_out)/qemu-system-x86_64
qboot := $(qemu_dir)/firmware/qboot.rom
tmem := $(BUILD)/plugins/libtmem.so
tmem_src := $(wildcard qemu/plugins/tmem/*.c)
PLUGIN_CFLAGS := -std=gnu11 -O3 -flto -g -Wall -Wextra -Wno-unused-parameter -Werror

# Guest programs that exercise the emulated PMU, in tests and bench-emulator
guest_tests := $(patsubst qemu/tests/%.c,$(BUILD)/tests/%,$(wildcard qemu/tests/*.c))
# Unit tests of the plugin
tmem_units := model options profile tlb
tmem_tests := $(tmem_units:%=$(BUILD)/tests/tmem-%)

targets += qemu guest-tests
clean_dirs += $(qemu_dir) $(BUILD)/plugins

guest-tests: $(guest_tests)

needs-quick: $(tmem_tests)
needs-boots: guest-tests
# for its checkpatch
needs-lint: $(qemu_dir)/.unpacked

qemu: $(if $(CONFIG_QEMU_EMULATED),$(qemu_dir)/.built $(qboot) $(tmem))

$(qemu_dir)/.tarball: FORCE
	$(call remember,$(qemu_tarball))

$(qemu_dir)/.unpacked: qemu/unpack \
		$(qemu_patches) $(qemu_dir)/.tarball | $(DEPS)
	@$(STAGE) --need-mb 2000 qemu-source -- qemu/unpack $(qemu_dir) \
		$(qemu_version) "$(qemu_tarball)" $(qemu_patches)
	@touch $@

$(qemu_dir)/.configured: $(qemu_dir)/.unpacked qemu/devices.mak $(VENV)/.installed qemu/configure
	@$(STAGE) qemu-configure -- qemu/configure $(qemu_src) $(qemu_out) \
		$(PYTHON) qemu/devices.mak
	@touch $@

$(qemu_dir)/.built: $(qemu_dir)/.configured
	@$(STAGE) --need-mb 1000 qemu -- ninja -C $(qemu_out) -j$(NPROC) qemu-system-x86_64 qemu-img
	@touch $@

$(qemu_dir)/.firmware: FORCE
	$(call remember,$(call str,QEMU_FIRMWARE))

$(qboot): $(qemu_dir)/.firmware qemu/firmware scripts/debian-source | $(DEPS)
	@$(STAGE) qemu-firmware -- qemu/firmware $@ "$(call str,QEMU_FIRMWARE)"

$(tmem): $(tmem_src) $(wildcard qemu/plugins/tmem/*.h) $(qemu_dir)/.unpacked
	@mkdir -p $(@D)
	@$(STAGE) tmem-plugin -- gcc $(PLUGIN_CFLAGS) -fPIC -shared -fvisibility=hidden \
		-I$(qemu_src)/include/qemu $$(pkg-config --cflags glib-2.0) \
		$(tmem_src) -o $@ -lpthread

$(BUILD)/tests/%: qemu/tests/%.c qemu/qemu.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) test-$* -- gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -static $< -o $@

$(tmem_tests): $(BUILD)/tests/tmem-%: qemu/plugins/tmem/tests/test-%.c $(tmem_src) \
		$(wildcard qemu/plugins/tmem/*.h) qemu/qemu.mk | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) test-tmem-$* -- gcc -std=gnu11 -Wall -Wextra -Werror $(sanitize) \
		-fsanitize=address$(comma)undefined -Iqemu/plugins/tmem $< \
		$(tmem_units:%=qemu/plugins/tmem/%.c) -o $@ $$(pkg-config --cflags --libs glib-2.0)
