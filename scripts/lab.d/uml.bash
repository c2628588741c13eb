# shellcheck shell=bash
# User-mode Linux: a kernel that is an ordinary process. Sourced by scripts/lab.

uml_kernel=
uml_modules=

uml_fetch() {
    local root=
    # Without modprobe in the guest's root file system, which is ours, the kernel could not load its modules.
    need_tool modprobe kmod
    if ! uml_kernel=$(type -P linux.uml) || [[ ! -d /usr/lib/uml/modules ]]; then
        in_cache user-mode-linux unpack_packages user-mode-linux
        root=$cache/user-mode-linux
        uml_kernel=$root/usr/bin/linux.uml
    fi
    uml_modules=$root/usr/lib/uml/modules
    # Its memory is a file with code in it.
    workdir_mib=$(memory_mib)
    workdir_exec=true
}

# uml_start STDOUT STDERR: the descriptors become the guest's first two serial lines.
uml_start() {
    local shared=$workdir/shared
    cp -- "$here/uml-init" "$shared/init"
    printf '%s' "$uml_modules" >"$shared/modules"
    : >"$shared/iptables-legacy"
    # No core dump: a panic in user-mode Linux is an abort().
    ulimit -c 0
    TMPDIR=$workdir setsid setpriv --pdeathsig KILL "$uml_kernel" \
        mem="$memory" root=/dev/root rootfstype=hostfs rootflags=/ ro init="$shared/init" \
        con=null con0=null,fd:1 ssl=null ssl0=null,fd:"$1" ssl1=null,fd:"$2" \
        uml_dir="$workdir" devtmpfs.mount=0 panic=-1 noreboot </dev/null >>"$workdir/console" 2>&1 &
    guest=$!
}
