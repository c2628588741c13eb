# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# User-mode Linux 6.1, without nftables: Debian's package, or where that does not run, a kernel built like it. Sourced by
# scripts/lab.

# shellcheck source=scripts/lab.d/user-mode.bash
source "$here/user-mode.bash"
# shellcheck source=scripts/lab.d/build-uml.bash
source "$here/build-uml.bash"

uml_source=linux-source-6.1
uml_configs=("$here/uml.config" "$here/uml-6.1.config")
uml_iptables=legacy

# Debian's package has no room for the registers of AMX; see widen_registers.
package_runs() { ! grep -qw amx_tile /proc/cpuinfo; }

kernel_needs() {
    uml_needs
    package_runs || build_needs
}

kernel_fetch() {
    if package_runs; then fetch_package; else build_fetch; fi
    uml_workdir
}

fetch_package() {
    local root=
    if ! uml_kernel=$(type -P linux.uml) || [[ ! -d /usr/lib/uml/modules ]]; then
        in_cache user-mode-linux unpack_packages user-mode-linux
        root=$cache/user-mode-linux
        uml_kernel=$root/usr/bin/linux.uml
    fi
    uml_modules=$root/usr/lib/uml/modules
}
