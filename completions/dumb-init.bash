# Completion of dumb-init for bash, with the package bash-completion or without.
# tests/packages/test_completions.py compares it with dumb-init --help.

# _dumb_init_option WORD: sets option to the letter of the option in WORD that takes
# an argument ("log" for --termination-log, "" for none), and before to the part of
# WORD before that argument: all of WORD if the argument is the next word.
_dumb_init_option()
{
	option='' before=$1
	case ${1%%=*} in
	--rewrite) option=r ;;
	--delay) option=d ;;
	--grace) option=t ;;
	--kill-after) option=k ;;
	--map-exit) option=e ;;
	--parent-death-signal) option=p ;;
	--termination-log) [[ $1 == *=* ]] && option=log ;;
	--*) ;;
	*)
		if [[ $1 =~ ^-[^rdtkep]*([rdtkep]) ]]; then
			option=${BASH_REMATCH[1]} before=${BASH_REMATCH[0]}
		fi
		return
		;;
	esac
	[[ $1 == *=* ]] && before=${1%%=*}=
}

# _dumb_init_offer TEXT WORD...: offers each WORD that begins with TEXT.
_dumb_init_offer()
{
	local text=$1 word

	shift
	for word; do
		[[ $word == "$text"* ]] && COMPREPLY+=("$before$word")
	done
}

# _dumb_init_signals TEXT [SUFFIX]: offers the signals that begin with TEXT, each
# with SUFFIX after it.
_dumb_init_signals()
{
	local text=${1^^} signals=(
		HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE
		ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ
		VTALRM PROF WINCH IO POLL PWR SYS
		RTMIN RTMIN+{1..15} RTMAX-{14..1} RTMAX
	)

	[[ $text == SIG* ]] && signals=("${signals[@]/#/SIG}")
	_dumb_init_offer "$text" "${signals[@]/%/${2-}}"
}

# _dumb_init_argument TEXT: completes TEXT as the argument of option.
_dumb_init_argument()
{
	local text=$1 durations=(5s 10s 30s 2m)

	if [[ $option == [rd] && $text != *:* ]]; then
		_dumb_init_signals "$text" :
		return
	fi
	if [[ $option == k && $text != *:* ]]; then
		_dumb_init_offer "$text" "${durations[@]}"
		_dumb_init_signals "$text" :
		return
	fi
	if [[ $option == [rdk] ]] && [[ $text == *:* ]]; then
		before+=${text%%:*}: text=${text#*:}
	fi
	case $option in
	r)
		_dumb_init_offer "$text" 0
		_dumb_init_signals "$text"
		;;
	d | t | k) _dumb_init_offer "$text" "${durations[@]}" ;;
	p) _dumb_init_signals "$text" ;;
	log)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -P "$before" -f -- "$text")
		;;
	esac
}

# _dumb_init_command INDEX: completes COMMAND, which is COMP_WORDS[INDEX], or its
# arguments; with the functions of bash-completion if they are loaded.
_dumb_init_command()
{
	local loader

	for loader in _comp_command_offset _command_offset; do
		if declare -F "$loader" >/dev/null; then
			"$loader" "$1"
			return
		fi
	done
	if ((COMP_CWORD == $1)); then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -c -d -- "$current")
	else
		compopt -o default
	fi
}

# bash splits words at ":" and "=", too. This joins the parts that no blank separates,
# up to the cursor, and stores in places where in COMP_WORDS each word begins.
_dumb_init_words()
{
	local rest=${COMP_LINE:0:COMP_POINT} i last

	for ((i = 0; i <= COMP_CWORD; i++)); do
		if ((i == 0)) || [[ $rest == [[:blank:]]* ]]; then
			words+=('') places+=("$i")
			rest=${rest#"${rest%%[![:blank:]]*}"}
		fi
		last=$((${#words[@]} - 1))
		if ((i == COMP_CWORD)); then
			words[last]+=$rest
		else
			words[last]+=${COMP_WORDS[i]}
			rest=${rest#"${COMP_WORDS[i]}"}
		fi
	done
}

_dumb_init()
{
	local words=() places=() i last current option before ended=
	local options=(
		-c --single-child -g --process-group -a --all -r --rewrite
		-d --delay -t --grace -k --kill-after -W --wait-all
		-e --map-exit -p --parent-death-signal -s --subreaper
		-w --warn-on-reap -P --pause
		--termination-log --termination-log=
		-q --quiet -v --verbose -h --help -V --version
		-l -L --license
	)

	COMPREPLY=()
	_dumb_init_words
	last=$((${#words[@]} - 1))
	current=${words[last]}

	for ((i = 1; i < last; i++)); do
		[[ ${words[i]} == -?* ]] || break
		if [[ ${words[i]} == -- ]]; then
			ended=yes
			((i++))
			break
		fi
		_dumb_init_option "${words[i]}"
		# The next word is its argument.
		[[ $option && $before == "${words[i]}" ]] && ((i++))
	done

	if ((i > last)); then
		before=''
		_dumb_init_argument "$current"
	elif ((i < last)) || [[ $ended || $current != -* ]]; then
		_dumb_init_command "${places[i]}"
		return
	else
		_dumb_init_option "$current"
		if [[ $option && $current != "$before" || $before == *= ]]; then
			_dumb_init_argument "${current#"$before"}"
		else
			before=''
			_dumb_init_offer "$current" "${options[@]}"
		fi
	fi

	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=] ]] &&
		compopt -o nospace
	# bash keeps the part before the last ":" or "=": remove it from the offers.
	before=${current%"${current##*["$COMP_WORDBREAKS"]}"}
	COMPREPLY=("${COMPREPLY[@]#"$before"}")
}

complete -F _dumb_init dumb-init
