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

# Each .mk names what can be asked of it: its commands, which read no configuration
# themselves, and its targets, which are built from one; and what clean deletes.
commands := help clean distclean
targets := all
clean_dirs :=
goals := $(or $(MAKECMDGOALS),all)
locked := flock $(BUILD)/.lock $(MAKE)

include scripts/setup.mk
include scripts/test.mk
include bench/bench.mk
ifneq ($(filter-out $(commands),$(goals)),)
include $(KCONFIG_CONFIG)
endif
include designs/designs.mk
include linux/linux.mk
include qemu/qemu.mk
include workloads/workloads.mk
include linux/tools.mk
include image/image.mk

unknown := $(filter-out $(commands) $(targets) $(BUILD)/%,$(goals))
ifneq ($(unknown),)
$(error no such target: $(unknown); 'make help' lists them)
endif

.PHONY: $(commands) $(targets)
all: linux qemu workloads image
	@:

help:
	@cat scripts/help.txt
	@echo
	@PYTHONPATH=bench /usr/bin/python3 -m demeter_bench --build $(BUILD) list || \
		echo "Designs are in designs/, workloads in workloads/."

# Only what a build has made may be deleted.
built := [ ! -e $(BUILD) ] || [ -e $(BUILD)/.deps ] || [ -e $(BUILD)/.lock ] || \
	{ echo "$(BUILD) is no build folder: not deleted" >&2; exit 1; }

clean:
	@$(built)
	rm -rf $(clean_dirs)

distclean:
	@$(built)
	rm -rf $(BUILD)
