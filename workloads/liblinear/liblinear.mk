# SPDX-License-Identifier: GPL-2.0-or-later
# The library is built from the source that Debian distributes, see build-library.
liblinear_dir := $(BUILD)/liblinear
liblinear_a := $(liblinear_dir)/liblinear.a
workload_liblinear_cflags := -isystem $(liblinear_dir)/include
workload_liblinear_libs := $(liblinear_a) -lstdc++
clean_dirs += $(liblinear_dir)
workload_liblinear_needs := $(liblinear_a)

$(liblinear_a): workloads/liblinear/build-library scripts/debian-source | $(DEPS)
	@$(STAGE) liblinear-library -- workloads/liblinear/build-library $(liblinear_dir)
