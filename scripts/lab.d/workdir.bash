# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# The working directory of one run, and in it the folder shared with the guest. Sourced by scripts/lab.

workdir=

# Makes $workdir in memory if that has room, else on disk. The kernels say how many MiB they need there
# ($workdir_mib) and whether code will be mapped from it ($workdir_exec), as user-mode Linux does with its memory.
make_workdir() {
    local candidate unfit reasons=()
    for candidate in "${MESHCTL_LAB_TMPDIR:-/dev/shm}" "${TMPDIR:-/tmp}" /var/tmp; do
        if unfit=$(workdir_unfit "$candidate"); then
            reasons+=("$candidate: $unfit")
        else
            workdir=$(mktemp -d "$candidate/meshctl-lab.XXXXXX")
            mkdir "$workdir/shared"
            return
        fi
    done
    say "no place for the guest's temporary files; set MESHCTL_LAB_TMPDIR or ask for less --memory"
    printf 'lab:   %s\n' "${reasons[@]}" >&2
    exit "$EX_UNAVAILABLE"
}

# workdir_unfit DIR: succeeds and prints the reason if DIR cannot be used.
workdir_unfit() {
    local available
    # The name becomes part of a kernel command line and of mount options.
    [[ $1 =~ ^/[A-Za-z0-9._/+@-]*$ ]] || { echo "unusual characters in the name" && return; }
    [[ -d $1 && -w $1 ]] || { echo "not a directory one can write to" && return; }
    available=$(($(df -Pk -- "$1" | awk 'NR == 2 { print $4 }') / 1024))
    ((available >= workdir_mib)) || { echo "$available MiB free, $workdir_mib needed" && return; }
    if $workdir_exec && findmnt -no OPTIONS -T "$1" | tr ',' '\n' | grep -qx noexec; then
        echo "mounted noexec" && return
    fi
    return 1
}

remove_workdir() {
    [[ -z $workdir ]] || rm -rf -- "$workdir"
}

# Leaves what the guest is to do in the shared folder. Lists are NUL-separated: that passes anything.
write_orders() {
    local shared=$workdir/shared
    cp -- "$here/guest" "$here/guest.fstab" "$here/command.bash" "$shared/"
    write_list "${command[@]}" >"$shared/command"
    write_list "${environment[@]}" >"$shared/environment"
    write_list "${collect[@]}" >"$shared/collect"
    printf '%s' "$PWD" >"$shared/directory"
    # Even the guest's root reads only what our user may; a home it must have.
    [[ -r /root && -x /root ]] || echo 'tmpfs /root tmpfs mode=700 0 0' >>"$shared/guest.fstab"
    mkdir "$shared/dev"
    ln -s /proc/self/fd "$shared/dev/fd"
    ln -s /proc/self/fd/0 "$shared/dev/stdin"
    ln -s /proc/self/fd/1 "$shared/dev/stdout"
    ln -s /proc/self/fd/2 "$shared/dev/stderr"
}

write_list() {
    (($# == 0)) || printf '%s\0' "$@"
}

# A path as /etc/fstab wants it
fstab_path() {
    local path=${1//\\/\\134}
    printf '%s' "${path// /\\040}"
}

# "2G" or "512M" in MiB
memory_mib() {
    case $memory in
    *G) echo $((${memory%G} * 1024)) ;;
    *M) echo "${memory%M}" ;;
    esac
}
