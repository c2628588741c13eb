# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# Starts user-mode Linux: a kernel that is an ordinary process. Sourced by what says which, uml.bash and uml-6.12.bash.

uml_kernel=
uml_modules=
# "legacy" for a kernel that has no nf_tables for IPv4 and IPv6: plain iptables is to mean that variant.
uml_iptables=
uml_root=/run/root
uml_processor=

uml_needs() {
    # Without modprobe in the guest's root file system, which is ours, the kernel could not load its modules.
    echo modprobe kmod
}

uml_workdir() {
    # The kernel's memory is a file that contains code.
    workdir_mib=$(memory_mib)
    workdir_exec=true
}

# choose_processor: chooses a processor of this machine for the guest to stay on, one of those that the fewest guests have,
# and holds a lock on a place there as long as the guest lives. The kernel of the guest and its processes take turns many
# thousand times a second; if they do so on two processors, each has to wake up the other's, which takes four times as long.
choose_processor() {
    local list range number place lock
    local -a processors=()
    # "pid 7's current affinity list: 0,2-3"
    list=$(taskset --cpu-list --pid $$)
    list=${list##*: }
    for range in ${list//,/ }; do
        for ((number = ${range%-*}; number <= ${range#*-}; number++)); do processors+=("$number"); done
    done
    for place in {1..8}; do
        for number in $(shuf --echo -- "${processors[@]}"); do
            { exec {lock}>"$cache/processor-$number-$place.lock"; } 2>/dev/null || continue
            if flock --nonblock "$lock"; then
                uml_processor=$number
                return
            fi
            exec {lock}>&-
        done
    done
    uml_processor=${processors[RANDOM % ${#processors[@]}]}
}

# The command's output comes through the guest's first two serial lines.
kernel_start() {
    local shared=$workdir/shared stdout stderr read_only=()
    write_uml_orders "$shared"
    mkfifo "$workdir/stdout" "$workdir/stderr"
    cat "$workdir/stdout" &
    pumps+=($!)
    cat "$workdir/stderr" >&2 &
    pumps+=($!)
    # The files are opened here, since each process that inherits them keeps the pumps running.
    exec {stdout}>"$workdir/stdout" {stderr}>"$workdir/stderr"
    # The guest does not write our files by mistake; this is so that its root cannot by mounting another hostfs either.
    # Without root, all it could write so is our user's own.
    if ((EUID == 0)) && unshare --mount true 2>/dev/null; then
        read_only=(unshare --mount --propagation private "$here/read-only" "$workdir")
    fi
    # Unlike other kernels it would mount a devtmpfs on /dev itself, over what it is to start. A panic is an abort().
    ulimit -c 0
    choose_processor
    TMPDIR=$workdir start_supervised taskset --cpu-list "$uml_processor" "${read_only[@]}" "$uml_kernel" \
        mem="$memory" root=/dev/root rootfstype=hostfs rootflags=/ ro init="$shared/init" devtmpfs.mount=0 \
        con=null con0=null,fd:1 ssl=null ssl0=null,fd:"$stdout" ssl1=null,fd:"$stderr" \
        uml_dir="$workdir" panic=-1 noreboot >>"$workdir/console" 2>&1
    exec {stdout}>&- {stderr}>&-
}

write_uml_orders() {
    cp -- "$here/uml-init" "$1/init"
    # Starting a program is slow in this kernel, so one mount command mounts many file systems.
    cat >"$1/root.fstab" <<FSTAB
overlay $uml_root overlay lowerdir=/,upperdir=/run/upper,workdir=/run/work 0 0
$(fstab_path "$uml_modules") $uml_root/lib/modules none bind,x-mount.mkdir 0 0
tmpfs $uml_root/run tmpfs mode=755,x-mount.mkdir 0 0
lab $uml_root/run/lab hostfs $1,x-mount.mkdir 0 0
FSTAB
    printf '%s' "$uml_modules" >"$1/modules"
    if [[ $uml_iptables == legacy && -e /usr/sbin/xtables-legacy-multi && -e /usr/sbin/xtables-nft-multi ]]; then
        echo '/usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi none bind 0 0' >>"$1/guest.fstab"
    fi
}
