# Completion of ser for fish: ser completion fish | source
function __ser_complete
    set -l found (ser completion ask (commandline -cp) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        set -l name (string match -r '^[^=]*=' -- (commandline -ct))
        for path in (__fish_complete_path (string replace -r '^[^=]*=' '' -- (commandline -ct)))
            echo $name$path
        end
    end
end
complete -c ser -f -a '(__ser_complete)'
