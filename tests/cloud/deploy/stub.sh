#!/usr/bin/env bash
# Stands for docker, aws and others on the PATH: notes how it is called, and answers from a table.
#
# Beside it lie `calls`, a call a line, and `answers.sh`, which calls `answer` for each answer. The
# first answer counts whose CALL is found in the line, and whose AFTER, if it has one, is found in a
# line of an earlier call; after (?s), in all of them. Unlike the tools it does nothing; a call
# without an answer is an error. deploy.sh calls it dozens of times: a Python would take as long to
# start as the script takes.

IFS=' '
folder=${0%/*}
call="${0##*/} $*"
calls=""
[ ! -e "$folder/calls" ] || calls=$(< "$folder/calls")
printf '%s\n' "${call//$'\n'/ }" >> "$folder/calls"
case $call in *--password-stdin*) cat > /dev/null ;; esac

# Whether a regular expression is found in the earlier calls.
found_earlier() {
    case $1 in
        "") return 0 ;;
        "(?s)"*) [[ $calls =~ ${1#"(?s)"} ]]; return ;;
    esac
    local line
    while IFS= read -r line; do
        [[ ! $line =~ $1 ]] || return 0
    done <<< "$calls"
    return 1
}

# answer CALL STDOUT STATUS STDERR AFTER INSTEAD
arguments=("$@")
answer() {
    [[ $call =~ $1 ]] && found_earlier "$5" || return 0
    printf '%s' "$2"
    printf '%s' "$4" >&2
    [ -z "$6" ] || exec "$6" "${arguments[@]}"
    exit "$3"
}

. "$folder/answers.sh"
echo "no answer to: $call" >&2
exit 99
