# SPDX-License-Identifier: MIT
# Bash completion of wsrx. The options are asked of wsrx itself, so that they cannot differ.

_wsrx() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} at

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "$(wsrx help | sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version" -- "$current")
        return
    fi
    case $command:$previous in
    convert:--to | convert:-t)
        mapfile -t COMPREPLY < <(compgen -W "text jsonl pcapng perfetto" -- "$current")
        return
        ;;
    *:--mode | *:-m)
        mapfile -t COMPREPLY < <(compgen -W "continue error discard observe off" -- "$current")
        return
        ;;
    *:--calls | *:-c)
        mapfile -t COMPREPLY < <(compgen -W "plain all" -- "$current")
        return
        ;;
    *:--hold)
        mapfile -t COMPREPLY < <(compgen -W "auto process kernel" -- "$current")
        return
        ;;
    *:--trace)
        mapfile -t COMPREPLY < <(compgen -W "off text jsonl ring" -- "$current")
        return
        ;;
    *:--keep)
        mapfile -t COMPREPLY < <(compgen -W "last all" -- "$current")
        return
        ;;
    help:*)
        mapfile -t COMPREPLY < <(compgen -W \
            "$(wsrx help | sed -n 's/^  \([a-z]*\) .*/\1/p') settings" -- "$current")
        return
        ;;
    esac
    # After the program's name the words are the program's.
    case $command in
    run | trace | stat)
        for ((at = 2; at < COMP_CWORD; at++)); do
            if [ "${COMP_WORDS[at]}" = -- ]; then
                _command_offset $((at + 1))
                return
            fi
            if [[ ${COMP_WORDS[at]} != -* && ${COMP_WORDS[at - 1]} != -* ]]; then
                _command_offset "$at"
                return
            fi
        done
        ;;
    esac
    case $current in
    -*)
        mapfile -t COMPREPLY < <(compgen -W \
            "$(wsrx help "$command" 2>/dev/null | grep -oE -- '--[a-z-]+')" -- "$current")
        ;;
    *)
        case $command in
        run | trace | stat | doctor) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        esac
        ;;
    esac
}
complete -o filenames -F _wsrx wsrx
