# SPDX-License-Identifier: GPL-2.0-or-later
# The guest image: an initramfs with busybox, our init, the workloads, demeterctl,
# measure and the modules of the designs. It serves every guest kernel; a job is appended to it as a
# second archive. A larger one has perf too.

image_dir := $(BUILD)/image
image := $(image_dir)/initramfs.cpio
image_perf := $(image_dir)/initramfs-perf.cpio
server_image := $(image_dir)/server.cpio
busybox := $(image_dir)/busybox
measure := $(BUILD)/tools/measure
image_programs := $(workloads_bin) $(demeterctl) $(measure)
# image_modules: what designs add, by the paths in the kernel's build folder
image_modules_built := $(image_modules:%=$(linux_dir)/guest/%)
image_files := $(busybox) image/init image/run-job image/image.mk $(image_programs) \
	$(linux_dir)/guest/.built image/make-initramfs

targets += image bench-machines machines
clean_dirs += $(image_dir)

image: $(image) $(if $(CONFIG_IMAGE_PERF),$(image_perf))

# What make bench boots: perf, which takes long to build, is for make run and tests only.
bench-machines: linux-machines qemu $(image)

# All that boots without a disk, for make run and tests
machines: linux-machines qemu workloads image cloud-hypervisor
needs-boots: machines

$(busybox): image/busybox scripts/debian-source | $(DEPS)
	@$(STAGE) busybox -- image/busybox $@

$(measure): image/measure.c image/session.c image/session.h workloads/common/roi.c | $(DEPS)
	@mkdir -p $(@D)
	@$(STAGE) measure -- gcc $(tools_flags) -O2 -g -static -Iworkloads/common \
		$(filter %.c,$^) -o $@

# The root of the server of the platform nested, built when that is asked for
$(server_image): image/server/make-server image/server/init $(busybox) $(qemu_dir)/.built $(qboot)
	@$(STAGE) image-server -- image/server/make-server $@ image/server/init $(busybox) \
		$(qemu_bin) $(qemu_dir)/firmware

$(image): $(image_files)
	@$(STAGE) image -- image/make-initramfs $@ image $(busybox) $(image_programs) \
		$(image_modules_built)

$(image_perf): $(image_files) $(perf)
	@$(STAGE) image-perf -- image/make-initramfs $@ image $(busybox) $(image_programs) \
		$(image_modules_built) $(perf)
