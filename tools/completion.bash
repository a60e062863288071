# SPDX-License-Identifier: MIT
# Bash completion of wsrx. The subcommands and options are asked of wsrx itself, so that they cannot
# differ.

_wsrx_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_wsrx_files() {
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# _wsrx_value OPTION CURRENT: the values of an option; false where it has none, or is none.
_wsrx_value() {
    case $1 in
    --mode | -m) _wsrx_words "continue error discard observe off" "$2" ;;
    --calls | -c) _wsrx_words "plain all" "$2" ;;
    --sockets | -s) _wsrx_words "udp unix vsock port= fd= path=" "$2" ;;
    --hold) _wsrx_words "auto process kernel" "$2" ;;
    --trace) _wsrx_words "off text jsonl ring" "$2" ;;
    --to) _wsrx_words "text jsonl pcapng perfetto" "$2" ;;
    --filter | -e) _wsrx_words "partial lost error fd= port= call=" "$2" ;;
    --keep) _wsrx_words "last all" "$2" ;;
    --strict) _wsrx_words "0 1" "$2" ;;
    --stats | --table | --trace-file | --output | -o | --ring | -p | --html) _wsrx_files "$2" ;;
    --hold-max | --trace-size | --data | -d) COMPREPLY=() ;;
    *) return 1 ;;
    esac
}

_wsrx() {
    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} at

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        _wsrx_words "$(wsrx help | sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version" "$current"
        return
    fi
    case $command in
    help)
        _wsrx_words "$(wsrx help | sed -n 's/^  \([a-z]*\) .*/\1/p') settings" "$current"
        return
        ;;
    wine)
        if [ "$COMP_CWORD" -eq 2 ]; then
            _wsrx_words "$(wsrx help wine | sed -n 's/^  wsrx wine \([a-z]*\) .*/\1/p') --help" \
                "$current"
            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(
                compgen -f -X '!*.[eE][xX][eE]*' -- "$current"
                compgen -d -- "$current"
            )
        else
            _wsrx_files "$current"
        fi
        return
        ;;
    run | trace | stat)
        # Every option but --help has a value: behind it, behind a "=" (a word for bash), or as the
        # next word. What comes then is the program, and the words after it are the program's.
        at=2
        while [ "$at" -lt "$COMP_CWORD" ]; do
            case ${COMP_WORDS[at]}:${COMP_WORDS[at + 1]} in
            --:*)
                at=$((at + 1))
                break
                ;;
            --*:=) at=$((at + 3)) ;;
            --*=*:* | -[!-]?*:*) at=$((at + 1)) ;;
            -*) at=$((at + 2)) ;;
            *) break ;;
            esac
        done
        if [ "$at" -lt "$COMP_CWORD" ]; then
            # Of the package bash-completion, which may not be there.
            if declare -F _command_offset >/dev/null; then
                _command_offset "$at"
            else
                _wsrx_files "$current"
            fi
            return
        fi
        ;;
    esac
    if [ "$current" = = ]; then
        current=
    elif [ "$option" = = ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$command:$option" = convert:-t ]; then
        option=--to
    elif [ "$option" = -t ]; then
        option=--trace
    fi
    if _wsrx_value "$option" "$current"; then
        return
    fi
    case $command:$current in
    *:-*) _wsrx_words "$(wsrx help "$command" 2>/dev/null | grep -oE -- '--[a-z-]+')" "$current" ;;
    run:* | trace:* | stat:* | doctor:*) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
    *) _wsrx_files "$current" ;;
    esac
}
complete -o filenames -F _wsrx wsrx
