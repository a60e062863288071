#compdef wsrx
# SPDX-License-Identifier: MIT
# Zsh completion of wsrx. The subcommands and options are asked of wsrx itself, so that they cannot
# differ.

_wsrx() {
    local -a subcommands options
    local command=$words[2] option=$words[CURRENT-1] line
    local -i at=3 found=1

    for line in ${(f)"$(wsrx help)"}; do
        [[ $line == '  '[a-z]* ]] && subcommands+=(${${(z)line}[1]}:"${(j: :)${(z)line}[2,-1]}")
    done
    if (( CURRENT == 2 )); then
        if [[ $words[2] == -* ]]; then
            compadd -- --help --version
        else
            _describe subcommand subcommands
        fi
        return
    fi
    case $command in
    help)
        subcommands+=('settings:the WSRX_ variables')
        _describe subcommand subcommands
        return
        ;;
    wine)
        (( CURRENT == 3 )) && compadd -- run install status remove --help && found=0
        _files -g '*.[eE][xX][eE]*' && found=0
        return found
        ;;
    run|trace|stat)
        # Every option but --help has a value: behind it, or as the next word. What comes then is the
        # program, and the words after it are the program's.
        while (( at < CURRENT )); do
            case $words[at] in
            --) (( at += 1 )); break ;;
            --*=*|-[^-]?*) (( at += 1 )) ;;
            -*) (( at += 2 )) ;;
            *) break ;;
            esac
        done
        if (( at < CURRENT )); then
            words=("${(@)words[at,-1]}")
            (( CURRENT -= at - 1 ))
            _normal
            return
        fi
        ;;
    esac
    if [[ $words[CURRENT] == --*=* ]]; then
        option=${words[CURRENT]%%=*}
        compset -P 1 '*='
    fi
    case $command:$option in
    convert:(--to|-t)) compadd text jsonl pcapng perfetto; return ;;
    *:(--mode|-m)) compadd continue error discard observe off; return ;;
    *:(--calls|-c)) compadd plain all; return ;;
    *:(--sockets|-s)) compadd -S '' udp unix vsock port= fd= path=; return ;;
    *:--hold) compadd auto process kernel; return ;;
    *:(--trace|-t)) compadd off text jsonl ring; return ;;
    *:(--filter|-e)) compadd -S '' partial lost error fd= port= call=; return ;;
    *:--keep) compadd last all; return ;;
    *:--strict) compadd 0 1; return ;;
    *:(--stats|--table|--trace-file|--output|-o|--ring|-p|--html)) _files; return ;;
    *:(--hold-max|--trace-size|--data|-d)) return ;;
    esac
    if [[ $words[CURRENT] == -* ]]; then
        options=(${(f)"$(wsrx help $command 2>/dev/null | grep -oE -- '--[a-z-]+')"})
        compadd -- $options
        return
    fi
    case $command in
    run|trace|stat|doctor) _command_names -e || _files ;;
    *) _files ;;
    esac
}

_wsrx "$@"
