# SPDX-License-Identifier: GPL-2.0-or-later
# The checkout and BUILD, as paths that make and the shell can take. What is here
# refuses others by one line, before anything is made.

empty :=
space := $(empty) $(empty)
tab := $(empty)	$(empty)
define newline


endef
hash := \#
comma := ,
open := (
close := )
# What make or the shell read as something else than a part of a name, and the comma,
# which ends a path in QEMU's arguments.
special := : ; & | < > [ ] { } * ? $$ % = \ " ' `
# $(1): path; the first character of it that a path must not have, in quotes
unfit = $(firstword $(foreach name,space tab newline,$(if $(findstring $($(name)),$(1)),$(name))) \
	$(foreach name,hash comma open close,$(if $(findstring $($(name)),$(1)),"$($(name))")) \
	$(foreach c,$(special),$(if $(findstring $(c),$(1)),"$(c)")))

ifneq ($(call unfit,$(CURDIR)),)
$(error make cannot build here: the path of the checkout has a $(call unfit,$(CURDIR)))
endif
# as it is written: make would take a $ for a variable's
ifneq ($(call unfit,$(value BUILD)),)
$(error BUILD: make cannot build there: the path has a $(call unfit,$(value BUILD)))
endif
override TOP := $(CURDIR)
BUILD ?= $(TOP)/build
override BUILD := $(abspath $(BUILD))

# Folders that are committed: outputs between sources would be taken for sources.
sources := .ci .git LICENSES bench cloud-hypervisor configs designs docs image install linux packaging qemu scripts workloads
ifneq ($(filter $(BUILD:%/=%)/%,$(TOP)/)$(filter $(sources:%=$(TOP)/%/%),$(BUILD)/),)
$(error BUILD=$(BUILD) holds the sources: name a folder of its own)
endif

# A build folder is told from others, which must not be built into or deleted, by the
# lock that is made first of all.
lock := $(BUILD)/.lock
is_build = $(if $(wildcard $(BUILD)/* $(BUILD)/.[!.]*),$(wildcard $(lock) $(DEPS)),new)

# Make BUILD, or say why that cannot be.
define need_build
$(if $(is_build),,$(error BUILD=$(BUILD) has files that no build has made: name a folder of its own))
$(if $(shell { mkdir -p $(BUILD) && : >>$(lock); } 2>&1),\
	$(error BUILD=$(BUILD) cannot be written: 'make BUILD=...' names another folder))
endef
