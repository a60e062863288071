#compdef wsrx
# SPDX-License-Identifier: MIT
# Zsh completion of wsrx. The options are asked of wsrx itself, so that they cannot differ.

_wsrx() {
    local -a commands options
    local line

    if (( CURRENT == 2 )); then
        for line in ${(f)"$(wsrx help)"}; do
            [[ $line == '  '[a-z]* ]] && commands+=(${${(z)line}[1]}:"${(j: :)${(z)line}[2,-1]}")
        done
        _describe subcommand commands
        return
    fi
    case $words[2]:$words[CURRENT-1] in
    convert:(--to|-t)) compadd text jsonl pcapng perfetto; return ;;
    *:(--mode|-m)) compadd continue error discard observe off; return ;;
    *:(--calls|-c)) compadd plain all; return ;;
    *:--hold) compadd auto process kernel; return ;;
    *:--trace) compadd off text jsonl ring; return ;;
    *:--keep) compadd last all; return ;;
    help:*) compadd run trace stat report convert doctor wine settings; return ;;
    esac
    if [[ $words[CURRENT] == -* ]]; then
        options=(${(f)"$(wsrx help $words[2] 2>/dev/null | grep -oE -- '--[a-z-]+')"})
        compadd -- $options
        return
    fi
    case $words[2] in
    run|trace|stat|doctor) _command_names -e || _files ;;
    *) _files ;;
    esac
}

_wsrx "$@"
