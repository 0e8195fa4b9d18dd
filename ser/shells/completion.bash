# Completion of ser for bash: eval "$(ser completion bash)"
_ser() {
    local line="${COMP_LINE:0:COMP_POINT}" current word text
    local last="${COMP_WORDS[COMP_CWORD]}"
    current="${line##* }"
    # bash divides words at = and :, and replaces the last part only.
    [[ "$last" == [=:] ]] && last=""
    local kept="${current%"$last"}"
    COMPREPLY=()
    while IFS=$'\t' read -r word text; do
        [[ "$word" == *[=./] ]] || word+=" "
        COMPREPLY+=("${word#"$kept"}")
    done < <(ser completion ask "$line" 2>/dev/null)
}
complete -o default -o nospace -F _ser ser
