# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# Debian's Linux 6.12 in QEMU, all in software (TCG): slower than user-mode Linux, but it has nftables, wireguard and
# two processors. Sourced by scripts/lab.

qemu_linux=$cache/linux-6.12
qemu_initramfs=
qemu_program=()

kernel_needs() {
    echo depmod kmod
    echo xz xz-utils
}

kernel_fetch() {
    [[ $(uname -m) == x86_64 ]] || die "$EX_UNAVAILABLE" "the qemu kernel is for x86_64 machines"
    in_cache linux-6.12 unpack_linux
    in_cache busybox-static unpack_packages busybox-static
    qemu_initramfs=initramfs-$(cat -- "$here/initramfs-init" "${BASH_SOURCE[0]}" | cksum | tr ' ' -)
    in_cache "$qemu_initramfs" make_initramfs
    if [[ -n $(type -P qemu-system-x86_64) ]]; then
        qemu_program=(qemu-system-x86_64)
    else
        in_cache qemu unpack_with_libraries qemu qemu-system-x86
        qemu_program=(
            env LD_LIBRARY_PATH="$(<"$cache/qemu/library-path")" "$cache/qemu/usr/bin/qemu-system-x86_64"
            -L "$cache/qemu/usr/share/qemu" -L "$cache/qemu/usr/share/seabios"
        )
    fi
    # The guest's memory is in QEMU's process; this folder holds only output and collected files.
    workdir_mib=64
    workdir_exec=false
}

# The one for cloud machines lacks 9p, through which the guest sees our files.
unpack_linux() {
    local package release
    package=$(apt-cache pkgnames linux-image-6.12. | grep -xE 'linux-image-6\.12\.[0-9]+(\+deb[0-9]+)?-amd64' |
        sort -V | tail -n 1) || true
    [[ -n $package ]] || die "$EX_UNAVAILABLE" "apt knows no package linux-image-6.12.*-amd64, which" \
        "Debian 12 has in its security archive: add that to apt's sources and run 'apt-get update'"
    unpack_packages "$package"
    # If modules have moved to /usr/lib, a link makes both names work.
    [[ -e lib/modules ]] || ln -s usr/lib lib
    release=${package#linux-image-}
    PATH=$PATH:/usr/sbin:/sbin depmod -b "$PWD" "$release"
    printf '%s' "$release" >release
    ln -s "boot/vmlinuz-$release" vmlinuz
}

# An initramfs with busybox and the modules that are needed to mount our files.
make_initramfs() {
    local release module path number=10
    release=$(<"$qemu_linux/release")
    mkdir -p tree/bin tree/modules tree/proc tree/sys tree/dev tree/lower tree/layer tree/root
    cp -- "$(PATH=$cache/busybox-static/bin:$cache/busybox-static/usr/bin type -P busybox)" tree/bin/busybox
    cp -- "$here/initramfs-init" tree/init
    chmod +x tree/init
    # In the order in which they need each other; what is built into the kernel has no path.
    for module in virtio_pci virtio_console 9p 9pnet_virtio overlay; do
        PATH=$PATH:/usr/sbin:/sbin modprobe -d "$qemu_linux" -S "$release" --show-depends "$module"
    done | sed -n 's/^insmod \(.*[^ ]\) *$/\1/p' | awk '!seen[$0]++' >order
    while read -r path; do
        number=$((number + 1))
        xz -dc -- "$path" >"tree/modules/$number-$(basename -- "$path" .xz)"
    done <order
    (cd tree && find . | ./bin/busybox cpio -o -H newc) | gzip -1 >initrd
    rm -r tree order
}

# Output comes through virtio ports into files, which QEMU can always write to at once; through anything that may be
# full, it would lose the rest when the guest switches itself off.
kernel_start() {
    local shared=$workdir/shared
    echo "$(fstab_path "$qemu_linux/lib/modules") /lib/modules none bind,x-mount.mkdir 0 0" >>"$shared/guest.fstab"
    : >"$workdir/stdout"
    : >"$workdir/stderr"
    start_supervised "${qemu_program[@]}" \
        -nodefaults -no-user-config -display none -no-reboot \
        -accel tcg,thread=multi -cpu max -smp 2 -m "$memory" \
        -kernel "$qemu_linux/vmlinuz" -initrd "$cache/$qemu_initramfs/initrd" \
        -append "console=ttyS0 panic=-1 quiet loglevel=4" \
        -chardev "file,id=console,path=$workdir/console,append=on" -serial chardev:console \
        -device virtio-serial-pci \
        -chardev "file,id=stdout,path=$workdir/stdout,append=on" -device virtserialport,chardev=stdout,name=stdout \
        -chardev "file,id=stderr,path=$workdir/stderr,append=on" -device virtserialport,chardev=stderr,name=stderr \
        -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
        -virtfs "local,path=$shared,mount_tag=lab,security_model=none" \
        >>"$workdir/console" 2>&1
    setpriv --pdeathsig KILL tail -c +1 -f -s 0.1 --pid="$guest" "$workdir/stdout" &
    pumps+=($!)
    setpriv --pdeathsig KILL tail -c +1 -f -s 0.1 --pid="$guest" "$workdir/stderr" >&2 &
    pumps+=($!)
}
