# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the selected host kernels on this machine, or below DESTDIR, and removes them.

commands += uninstall
targets += install

# What can be said on the command line, as it was given, whatever characters it has. Variables
# of the environment that happen to have these names say nothing here.
install_options := DESTDIR ESP ROOT INSTALL
$(foreach o,$(install_options),$(eval export install_$(o) := $(if $(filter command,$(origin \
	$(o))),$$(value $(o)))))
# The makes of Linux and others would take these for their own.
unexport $(install_options)
blank := \$(space)
MAKEOVERRIDES := $(subst <blank>,$(blank),$(filter-out $(install_options:%=%=%),\
	$(subst $(blank),<blank>,$(MAKEOVERRIDES))))
install_kernels = $(call linux_selected,host)
installer := PYTHONPATH=$(TOP)/install:$(TOP)/image/boot /usr/bin/python3 -m demeter_install
# $(1): command
install_args = $(1) --build=$(BUILD) --destdir="$$install_DESTDIR" --esp="$$install_ESP" \
	--root="$$install_ROOT" --how="$$install_INSTALL"

# Before anything is built, also if it is not the first of what is asked for, it is looked
# whether this machine can be installed on. $(shell) does not know what is exported.
install_quoted = '$(subst ','\'',$(install_$(1)))'
ifneq ($(filter install,$(goals)),)
install_refused := $(shell $(foreach o,$(install_options),install_$(o)=$(call install_quoted,$(o));) \
	$(installer) $(call install_args,check) any 2>&1 >/dev/null)
$(if $(install_refused),$(error $(install_refused)))
endif

# needs what linux/linux.mk stages
install:
	@$(installer) $(call install_args,install) --config=$(KCONFIG_CONFIG) $(install_kernels)

uninstall:
	@$(installer) $(call install_args,uninstall)
