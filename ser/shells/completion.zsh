#compdef ser
# Completion of ser for zsh: eval "$(ser completion zsh)", after compinit
_ser() {
    local word text
    local -a whole parts whole_shown parts_shown
    while IFS=$'\t' read -r word text; do
        if [[ "$word" == *[=./] ]]; then
            parts+=("$word"); parts_shown+=("$word${text:+  -- $text}")
        else
            whole+=("$word"); whole_shown+=("$word${text:+  -- $text}")
        fi
    done < <(ser completion ask "${BUFFER[1,CURSOR]}" 2>/dev/null)
    if (( ! ${#whole} && ! ${#parts} )); then
        compset -P '*='
        _files
        return
    fi
    (( ${#parts} )) && compadd -Q -S '' -l -d parts_shown -a parts
    (( ${#whole} )) && compadd -Q -l -d whole_shown -a whole
}
compdef _ser ser
