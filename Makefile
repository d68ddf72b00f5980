# SPDX-License-Identifier: GPL-2.0-or-later
# Demeter: one configuration, one build. This file only dispatches; what a
# component needs and how it builds is in its own .mk file.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

override TOP := $(CURDIR)
BUILD ?= $(TOP)/build
override BUILD := $(abspath $(BUILD))
export BUILD V
ifneq ($(filter $(patsubst %/,%,$(BUILD))/%,$(TOP)/),)
$(error BUILD=$(BUILD) holds the sources: name a folder of its own)
endif

NPROC := $(shell nproc)
export PYTHONDONTWRITEBYTECODE := 1

KCONFIG_CONFIG := $(BUILD)/.config
VENV := $(BUILD)/venv
PYTHON := $(VENV)/bin/python
DEPS := $(BUILD)/.deps
STAGE := scripts/stage
KCONFIG := BUILD=$(BUILD) $(PYTHON) scripts/kconfig.py $(KCONFIG_CONFIG)

# ccache in front of every compiler, with hits across checkouts
export PATH := /usr/lib/ccache:$(PATH)
export CCACHE_BASEDIR := $(TOP)
export CCACHE_NOHASHDIR := 1

# Targets that must work without a configuration or anything installed.
simple := help clean distclean deps lint bench bench-emulator run check stress %config
ifneq ($(filter-out $(simple),$(or $(MAKECMDGOALS),all)),)
include $(KCONFIG_CONFIG)
endif

locked := flock $(BUILD)/.lock $(MAKE)

include scripts/setup.mk
include linux/linux.mk
include qemu/qemu.mk
include workloads/workloads.mk
include linux/tools.mk
include image/image.mk
include bench/bench.mk

.PHONY: all help clean distclean check stress lint
all: linux qemu workloads image
	@:

help:
	@cat scripts/help.txt

# Only what a build has made may be deleted.
built := [ ! -e $(BUILD) ] || [ -e $(BUILD)/.deps ] || [ -e $(BUILD)/.lock ] || \
	{ echo "$(BUILD) is no build folder: not deleted" >&2; exit 1; }

clean:
	@$(built)
	rm -rf $(BUILD)/linux $(BUILD)/qemu $(BUILD)/workloads $(BUILD)/liblinear $(BUILD)/image \
		$(BUILD)/tools $(BUILD)/plugins $(BUILD)/tests $(BUILD)/log $(BUILD)/check

distclean:
	@$(built)
	rm -rf $(BUILD)

check:
	@mkdir -p $(BUILD)
	@$(locked) all linux-debug guest-tests workload-tests tools-tests
	@scripts/check $(BUILD)

# Ten minutes for each test on the kernel that finds its own mistakes, instead of one
STRESS_SECONDS ?= 600
stress:
	@mkdir -p $(BUILD)
	@$(locked) all linux-debug tools-tests
	@STRESS_SECONDS=$(STRESS_SECONDS) BUILD=$(BUILD) PYTHONPATH=bench $(PYTHON) -m pytest -q -s \
		-p no:cacheprovider bench/tests/test_stress.py

# checkpatch comes with the sources of Linux and QEMU
lint:
	@mkdir -p $(BUILD)
	@$(locked) lint-tools
	@scripts/lint $(BUILD)

.PHONY: lint-tools
lint-tools: $(VENV)/.installed $(linux_dir)/.unpacked $(qemu_dir)/.unpacked
	@:
