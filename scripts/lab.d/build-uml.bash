# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# Builds user-mode Linux from Debian's source. Sourced by what says which, uml.bash and uml-6.12.bash: by uml_source, the
# package, and uml_configs, the files that say how.

# A kernel is built for each configuration and each version of the source.
uml_checksum() { { cat -- "${uml_configs[@]}" && declare -f widen_registers skip_failed_forks; } | cksum | cut -d ' ' -f 1; }

build_needs() {
    [[ -z $(uml_newest) ]] || return 0
    printf '%s\n' 'gcc gcc' 'ld binutils' 'make make' 'flex flex' 'bison bison' 'bc bc' 'xz xz-utils' \
        '/usr/include/stdio.h libc6-dev'
}

build_fetch() {
    local name
    name=$(uml_wanted)
    in_cache "$name" build_uml "${name%-*}"
    uml_kernel=$cache/$name/linux
    uml_modules=$cache/$name/lib/modules
}

# Prints the newest kernel that was built with this configuration; nothing if there is none.
uml_newest() {
    local built checksum
    checksum=$(uml_checksum)
    for built in "$cache/uml-${uml_source#linux-source-}".*"-$checksum"; do
        [[ ! -e $built ]] || basename -- "$built"
    done | sort -V | tail -n 1
}

# The name in the cache of the kernel of Debian's newest source. apt takes longer to tell than the guest to start, so it
# is asked when its lists are newer than the last answer.
uml_wanted() {
    local built version lists=/var/lib/apt/lists asked=$cache/$uml_source-asked
    built=$(uml_newest)
    if [[ -z $built || ! -e $asked || ($lists -nt $asked) ]]; then
        version=$(apt-cache show --no-all-versions "$uml_source" 2>/dev/null | sed -n 's/^Version: //p')
        [[ -n $version || -n $built ]] || die "$EX_UNAVAILABLE" "cannot fetch the package $uml_source, which apt does" \
            "not know: run 'apt-get update' as root and try again"
        [[ -z $version ]] || built=uml-$version-$(uml_checksum)
        { mkdir -p -- "$cache" && : >"$asked"; } 2>/dev/null || true
    fi
    echo "$built"
}

# build_uml NAME: NAME is uml-VERSION. Leaves the kernel, its modules and its configuration.
build_uml() {
    local version=${1#uml-} folder=$PWD
    [[ $folder != *[[:space:]:]* ]] ||
        die "$EX_UNAVAILABLE" "no kernel can be built in $folder, with a space or colon in its name; set MESHCTL_LAB_CACHE"
    (($(df -Pk -- . | awk 'NR == 2 { print $4 }') >= 3 * 1024 * 1024)) ||
        die "$EX_UNAVAILABLE" "building a kernel takes 3 GiB of disk in ${cache}; free some, or set MESHCTL_LAB_CACHE"
    unpack_packages "$uml_source=$version"
    say "building Linux $version as user-mode Linux, once; that takes some minutes"
    tar -xf "usr/src/$uml_source.tar.xz"
    rm -r usr
    (
        cd -- "$uml_source"
        widen_registers
        skip_failed_forks
        {
            kernel_make defconfig && scripts/kconfig/merge_config.sh -m .config "${uml_configs[@]}" &&
                kernel_make olddefconfig
        } >../log 2>&1 || build_failed
        kernel_make -j "$(nproc)" linux modules >../log 2>&1 &
        show_progress $!
        kernel_make modules_install INSTALL_MOD_PATH="$folder" INSTALL_MOD_STRIP=1 >../log 2>&1 || build_failed
        strip -o ../linux linux
        cp .config ../config
    )
    # This link leads to the source.
    rm -f lib/modules/*/build
    rm -r -- "$uml_source" log
}

# The kernel saves the vector registers of a process in 2,696 bytes. Processors with AMX have more registers, and the
# host restores them only as a whole, so that the first process dies with "ptrace set fp regs failed".
widen_registers() {
    local file=arch/x86/um/user-offsets.c
    sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 12288)/' "$file"
}

# A process that is killed while it forks leaves a mark in the list of the child's mappings, behind which are the parent's
# (kernel 6.8 and later). All but user-mode Linux stop there; its kernel takes the mark for a mapping, and panics.
skip_failed_forks() {
    local file=arch/um/kernel/tlb.c
    grep -q 'for_each_vma(vmi, vma)$' "$file" || return 0
    sed -i -e '0,/^#include/s//#include <linux\/xarray.h>\n#include/' \
        -e '/^void flush_tlb_mm/,/^}/{' \
        -e 's/for_each_vma(vmi, vma)$/for_each_vma(vmi, vma) {\n\t\tif (xa_is_zero(vma))\n\t\t\tbreak;/' \
        -e 's/^\(\t\tum_tlb_mark_sync.*\)$/\1\n\t}/' -e '}' "$file"
}

# Runs the kernel's makefiles without the environment of a make that may have called us.
kernel_make() {
    env -i PATH="$PATH:/usr/sbin:/sbin" HOME="${HOME:-/}" LC_ALL=C make ARCH=um "$@"
}

build_failed() {
    tail -n 20 ../log | sed 's/^/lab: | /' >&2
    die "$EX_UNAVAILABLE" "the kernel could not be built, see above"
}

# show_progress PID: prints the progress of the build in that process until it ends.
show_progress() {
    # The number of files that this configuration compiles; progress is printed in percent.
    local pid=$1 expected=1480 done=0 said=0 status=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        done=$(($(grep -c '^  CC' ../log || true) * 100 / expected))
        ((done < 100)) || done=99
        if [[ -t 2 ]]; then
            printf '\rlab: %s %%' "$done" >&2
        elif ((done >= said + 10)); then
            said=$((done / 10 * 10))
            say "$said %"
        fi
    done
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    wait "$pid" || status=$?
    ((status == 0)) || build_failed
}
