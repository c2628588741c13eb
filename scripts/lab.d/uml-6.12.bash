# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# User-mode Linux 6.12, with nftables, built from Debian's source. Sourced by scripts/lab.

# shellcheck source=scripts/lab.d/user-mode.bash
source "$here/user-mode.bash"
# shellcheck source=scripts/lab.d/build-uml.bash
source "$here/build-uml.bash"

uml_source=linux-source-6.12
uml_configs=("$here/uml.config")

kernel_needs() {
    uml_needs
    build_needs
}

kernel_fetch() {
    build_fetch
    uml_workdir
}
