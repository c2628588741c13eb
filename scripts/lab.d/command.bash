# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# Runs the lab's command and collects its files, inside the guest. Sourced where $shared is the folder shared with the
# lab.

# Becomes the command, with exactly the environment that the lab lists.
become_command() {
    local words variables directory name
    mapfile -d '' -t words <"$shared/command"
    mapfile -d '' -t variables <"$shared/environment"
    directory=$(<"$shared/directory")
    cd -- "$directory" 2>/dev/null || { echo "lab: no $directory in the guest; running in /" >&2 && cd /; }
    for name in $(compgen -e); do
        export -n "${name?}"
    done
    export "${variables[@]}"
    exec "${words[@]}" </dev/null
}

collect() {
    local patterns pattern found IFS=
    mapfile -d '' -t patterns <"$shared/collect"
    cd -- "$(<"$shared/directory")" 2>/dev/null || true
    shopt -s nullglob
    for pattern in "${patterns[@]}"; do
        # shellcheck disable=SC2206 # a glob is to be expanded, and with this IFS nothing is split
        found=($pattern)
        if ((${#found[@]} == 0)) || [[ ! -e ${found[0]} ]]; then
            echo "lab: nothing to collect at $pattern" >&2
            continue
        fi
        mkdir -p "$shared/collected"
        cp -R --preserve=mode,timestamps -- "${found[@]}" "$shared/collected/" ||
            echo "lab: cannot collect $pattern" >&2
    done
}
