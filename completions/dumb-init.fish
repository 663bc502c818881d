# Completion of dumb-init for fish.
# tests/packages/test_completions.py compares it with dumb-init --help.

# Prints COMMAND and its arguments before the cursor, quoted, one in each line. Fails
# if there is no COMMAND yet, so that an option can follow.
function __dumb_init_command
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                string escape -- $words[2..]
                return 0
            case --rewrite --delay --grace --kill-after --map-exit \
                --parent-death-signal
                set -e words[1]
            case '--*'
            case '*'
                # Not the pattern -?*: since fish 4, ? is not a wildcard.
                if not string match -qr '^-.' -- $words[1]
                    string escape -- $words
                    return 0
                end
                string match -qr '^-[^rdtkep]*[rdtkep]$' -- $words[1]
                and set -e words[1]
        end
        set -e words[1]
    end
    return 1
end

function __dumb_init_option_can_follow
    not __dumb_init_command >/dev/null
end

# Offers the completions that fish knows for COMMAND, and then for its arguments.
function __dumb_init_subcommand
    set -l token (commandline -ct)
    if set -l words (__dumb_init_command); or not string match -q -- '-*' $token
        complete "-C$words $token"
    end
end

# Prints the argument before the cursor, without an option in the same word.
function __dumb_init_argument
    string replace -r '^(--[^=]*=|-[^-rdtkep]*[rdtkep])' '' -- (commandline -ct)
end

# __dumb_init_signals TEXT: prints signal names, with SIG in front if TEXT has it.
function __dumb_init_signals
    set -l signals HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 \
        PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ \
        VTALRM PROF WINCH IO POLL PWR SYS \
        RTMIN RTMIN+(seq 15) RTMAX-(seq 14) RTMAX
    string match -qi 'sig*' -- $argv
    and set signals SIG$signals
    string join \n -- $signals
end

function __dumb_init_durations
    string join \n 5s 10s 30s 2m
end

# __dumb_init_replacements TEXT: prints the values that can follow FROM: in --rewrite.
function __dumb_init_replacements
    string join \n 0 (__dumb_init_signals $argv)
end

# __dumb_init_after_signal FUNCTION: offers SIG:, and the words of FUNCTION after it.
function __dumb_init_after_signal
    set -l argument (__dumb_init_argument)
    set -l from (string match -r '^[^:]*:' -- $argument)
    if set -q from[1]
        set -l text (string replace -- $from '' $argument)
        string join \n -- $from($argv[1] $text)
    else
        string join \n -- (__dumb_init_signals $argument):
    end
end

# [SIG:]DURATION
function __dumb_init_kill_after
    string match -q '*:*' -- (__dumb_init_argument)
    or __dumb_init_durations
    __dumb_init_after_signal __dumb_init_durations
end

# fish has no options with an optional argument. It knows --termination-log without
# one; this function offers the form with a file.
function __dumb_init_termination_log
    set -l option --termination-log=
    string join \n -- $option $option(__fish_complete_path (__dumb_init_argument))
end

function __dumb_init_offer
    complete -c dumb-init -n __dumb_init_option_can_follow $argv
end

complete -c dumb-init -x -a '(__dumb_init_subcommand)'
__dumb_init_offer -x -a '(__dumb_init_termination_log)'
__dumb_init_offer -s c -l single-child \
    -d 'no new session; signals go to COMMAND alone'
__dumb_init_offer -s g -l process-group \
    -d 'new process group, no new session'
__dumb_init_offer -s a -l all -d 'signals go to all processes'
__dumb_init_offer -s r -l rewrite -d 'forward TO instead of FROM; 0 drops it' \
    -x -a '(__dumb_init_after_signal __dumb_init_replacements)'
__dumb_init_offer -s d -l delay -d 'forward SIG later, or at a second SIG' \
    -x -a '(__dumb_init_after_signal __dumb_init_durations)'
__dumb_init_offer -s t -l grace -d "SIGTERM after COMMAND's exit, then SIGKILL" \
    -x -a '(__dumb_init_durations)'
__dumb_init_offer -s k -l kill-after -d 'SIGKILL after a stop request (or SIG)' \
    -x -a '(__dumb_init_kill_after)'
__dumb_init_offer -s W -l wait-all -d 'wait until all processes have exited'
__dumb_init_offer -s e -l map-exit -x -d 'exit with TO, or 0, instead of FROM'
__dumb_init_offer -s p -l parent-death-signal \
    -d 'receive SIG when the parent process dies' \
    -x -a '(__dumb_init_signals (__dumb_init_argument))'
__dumb_init_offer -s s -l subreaper \
    -d 'for compatibility with tini; always on'
__dumb_init_offer -s w -l warn-on-reap \
    -d 'print a line for each reaped orphan'
__dumb_init_offer -s P -l pause -d 'no COMMAND; wait for SIGTERM or SIGINT'
__dumb_init_offer -l termination-log -d 'write the reason of a failure there, too'
__dumb_init_offer -s q -l quiet -d 'print fatal errors only'
__dumb_init_offer -s v -l verbose -d 'print each signal and each exit'
__dumb_init_offer -s h -l help -d 'print this help'
__dumb_init_offer -s V -l version -d 'print the version'
__dumb_init_offer -s l -l license -d 'print the licence'
__dumb_init_offer -s L -d 'print the licence'

functions -e __dumb_init_offer
