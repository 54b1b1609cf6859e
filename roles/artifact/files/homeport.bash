# bash completion of the command homeport; it is asked when TAB is pressed, not when the shell starts
_homeport_completion() {
    local IFS=$'\n'
    # shellcheck disable=SC2207 # one candidate a line
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _HOMEPORT_COMPLETE=complete_bash "$1"))
}
complete -o default -F _homeport_completion homeport
