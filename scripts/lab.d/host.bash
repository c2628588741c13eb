# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# Runs the command in the host's own kernel. The command can write the host's files, but it gets network, mount,
# process, IPC and host name namespaces of its own, so that it cannot disturb the host's network, and ends as a whole.
# Sourced by scripts/lab.

host_namespaces=(unshare --net --mount --pid --ipc --uts --fork --kill-child=KILL)

# Fails and prints the reason if the host's kernel cannot be used.
host_unfit() {
    if ((EUID != 0)); then
        echo "that takes root"
    elif ! "${host_namespaces[@]}" true 2>/dev/null; then
        echo "this root may not make namespaces"
    elif [[ ! -e /proc/net/ip_vs ]] && ! modprobe -q ip_vs 2>/dev/null; then
        echo "the kernel here, $(uname -r), has no IPVS (ip_vs)"
    else
        return 1
    fi
}

host_usable() {
    ! host_unfit >/dev/null
}

kernel_needs() { :; }

kernel_fetch() {
    local unfit
    ! unfit=$(host_unfit) || die "$EX_UNAVAILABLE" "cannot run in the host's kernel: $unfit; try --kernel uml"
    workdir_mib=16
    workdir_exec=false
}

kernel_start() {
    start_supervised "${host_namespaces[@]}" "$here/host-init" "$workdir/shared"
}
