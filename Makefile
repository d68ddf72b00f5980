# SPDX-License-Identifier: GPL-2.0-or-later
# Demeter: one configuration, one build. This file only dispatches; what a
# component needs and how it builds is in its own .mk file.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

DEPS = $(BUILD)/.deps
include scripts/paths.mk
export BUILD V

NPROC := $(shell nproc)
export PYTHONDONTWRITEBYTECODE := 1

KCONFIG_CONFIG := $(BUILD)/.config
VENV := $(BUILD)/venv
PYTHON := $(VENV)/bin/python
STAGE := scripts/stage
KCONFIG := BUILD=$(BUILD) $(PYTHON) scripts/kconfig.py $(KCONFIG_CONFIG)

# ccache in front of every compiler, with hits across checkouts
export PATH := /usr/lib/ccache:$(PATH)
export CCACHE_BASEDIR := $(TOP)
export CCACHE_NOHASHDIR := 1

# Each .mk names what can be asked of it: its commands, which read no configuration
# themselves, and its targets, which are built from one; and what clean deletes.
commands := help clean distclean
targets := all
clean_dirs :=
goals := $(or $(MAKECMDGOALS),all)
locked := scripts/locked $(lock) $(MAKE)

include scripts/setup.mk
include scripts/test.mk
include bench/bench.mk
include install/install.mk
ifneq ($(filter-out $(commands),$(goals)),)
include $(KCONFIG_CONFIG)
endif
include designs/designs.mk
include linux/linux.mk
include qemu/qemu.mk
include workloads/workloads.mk
include linux/tools.mk
include image/image.mk
include cloud-hypervisor/cloud-hypervisor.mk
include image/disk/disk.mk
include image/app/app.mk
include packaging/packaging.mk

unknown := $(filter-out $(commands) $(targets) $(BUILD)/%,$(goals))
ifneq ($(unknown),)
$(error no such target: $(unknown); 'make help' lists them)
endif
# All but these build something, or read what was built.
ifneq ($(filter-out help clean distclean uninstall,$(goals)),)
$(need_build)
endif

.PHONY: $(commands) $(targets)
all: linux qemu workloads image cloud-hypervisor
	@:

help:
	@cat scripts/help.txt
	@echo
	@PYTHONPATH=bench /usr/bin/python3 -m demeter_bench --build $(BUILD) list || \
		echo "Designs are in designs/, workloads in workloads/."

# Only what a build has made may be deleted.
built = $(if $(is_build),,$(error BUILD=$(BUILD) is no build folder: not deleted))

clean:
	$(built)rm -rf $(clean_dirs)

distclean:
	$(built)rm -rf $(BUILD)
