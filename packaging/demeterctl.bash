# SPDX-License-Identifier: GPL-2.0
# Completion of demeterctl for bash: commands, kinds of scopes, parameters and cgroups. Names
# come from the program itself, so that there is no second list of them.

_demeterctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-} words=
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words=$(demeterctl --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
	elif [[ $word == -* ]]; then
		words=$(demeterctl "$command" --help 2>/dev/null | grep -oE -e '--[a-z]+')
	else
		case $command in
		attach | detach)
			if ((COMP_CWORD == 2)); then
				words='pid tree cgroup all'
			elif [[ ${COMP_WORDS[2]} == cgroup ]]; then
				words=$(cd /sys/fs/cgroup 2>/dev/null &&
					find . -mindepth 1 -type d 2>/dev/null | sed 's/^\.//')
			elif [[ ${COMP_WORDS[2]} == pid || ${COMP_WORDS[2]} == tree ]]; then
				words=$(cd /proc && compgen -G '[0-9]*')
			fi
			;;
		explain | heatmap)
			words=$(demeterctl status --json 2>/dev/null | grep -oE '"pid": *[0-9]+' |
				grep -oE '[0-9]+')
			;;
		tune)
			words=$(demeterctl tune 2>/dev/null | sed -n '1d;/^\*/d;s/ .*//p')
			;;
		run)
			mapfile -t COMPREPLY < <(compgen -c -- "$word")
			return
			;;
		apply)
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _demeterctl demeterctl
