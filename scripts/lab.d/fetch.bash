# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with who sources this
# Fetches Debian packages, without root, into a cache that is kept. Sourced by scripts/lab.

cache=$(realpath -m -- "${MESHCTL_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/meshctl-lab}")

# The process group that makes an entry of the cache; empty if there is none.
making_group=

# in_cache NAME FUNCTION [ARG...]: makes $cache/NAME by running FUNCTION ARG... in an empty directory, whose content
# it then is. It is there whole or not at all, and two labs at once make it once.
in_cache() {
    local name=$1 lock making
    shift
    [[ ! -e $cache/$name ]] || return 0
    mkdir -p -- "$cache" || die "$EX_UNAVAILABLE" "cannot make $cache; set MESHCTL_LAB_CACHE to a place you can write to"
    exec {lock}>"$cache/lock"
    if ! flock -n "$lock"; then
        say "waiting for another lab, which is fetching"
        in_group flock "$lock"
    fi
    if [[ ! -e $cache/$name ]]; then
        # We hold the lock, so the process that left an unfinished entry has died; its children may take a moment
        # longer.
        rm -rf -- "$cache"/making.* 2>/dev/null || { sleep 3 && rm -rf -- "$cache"/making.*; }
        making=$cache/making.$$
        mkdir -- "$making"
        in_group make_in "$making" "$@"
        mv -- "$making" "$cache/$name"
    fi
    exec {lock}>&-
}

make_in() {
    # The lock is not passed on, because a process that is left behind must not keep it.
    exec {lock}>&-
    cd -- "$1" || exit
    shift
    "$@"
}

# Runs a command in a process group of its own, which ends with the lab. In the background, since bash takes notice of
# a signal only when what runs in the foreground has ended, and not as part of a condition, which would switch off the
# command's set -e.
in_group() {
    set -m
    { end_with_lab & "$@"; } &
    making_group=$!
    set +m
    wait "$making_group"
    end_making
}

# Ends this process group if the lab was killed before it could do so itself.
end_with_lab() {
    while kill -0 $$ 2>/dev/null; do sleep 1; done
    kill -TERM 0
}

# Ends the remaining processes of the group.
end_making() {
    [[ -n $making_group ]] || return 0
    { kill -TERM -- "-$making_group" && wait "$making_group"; } 2>/dev/null || true
    making_group=
}

# Unpacks packages, and nothing else, into the working directory.
unpack_packages() {
    local deb
    say "fetching $*"
    mkdir .debs
    # As root, apt would want to download as a user who cannot write here.
    (cd .debs && apt-get -qq -o APT::Sandbox::User=root download -- "$@") >&2 ||
        die "$EX_UNAVAILABLE" "cannot fetch the package $*: run 'apt-get update' as root and try again, or install it"
    for deb in .debs/*.deb; do
        dpkg -x "$deb" .
    done
    rm -r .debs
}

# unpack_with_libraries NAME PACKAGE...: unpacks packages, with what they need and is not installed, for $cache/NAME. The
# file library-path then says where their libraries are.
unpack_with_libraries() {
    local name=$1 needed packages
    shift
    needed=$(apt-get -s -qq --no-install-recommends install "$@" | awk '$1 == "Inst" { print $2 }') ||
        die "$EX_UNAVAILABLE" "apt cannot work out what $1 needs: run 'apt-get update' as root and try again," \
            "or install $1"
    # shellcheck disable=SC2086 # package names
    mapfile -t packages < <(printf '%s\n' "$@" $needed | sort -u)
    unpack_packages "${packages[@]}"
    # The libraries are in a few directories, and a program gets all of these.
    find "$PWD" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd: | sed "s|$PWD|$cache/$name|g" >library-path
}

# For --docker, Docker comes from the package, because the installed one could be a different Docker.
fetch_docker() {
    local folder=$cache/docker
    in_cache docker unpack_with_libraries docker docker.io containerd runc
    in_cache busybox-static unpack_packages busybox-static
    environment+=(
        PATH="$folder/usr/bin:$folder/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        LD_LIBRARY_PATH="$(<"$folder/library-path")"
        MESHCTL_LAB_BUSYBOX="$(PATH=$cache/busybox-static/bin:$cache/busybox-static/usr/bin type -P busybox)"
    )
}

# missing_packages: a line for each package that has to be installed, and is not, before the kernel can be fetched. The
# kernel says by kernel_needs what that takes, a line "PROGRAM PACKAGE" or "/HEADER PACKAGE" each.
missing_packages() {
    local what package
    kernel_needs | while read -r what package; do
        case $what in
        /*) [[ -e $what ]] || echo "$package" ;;
        *) [[ -n $(PATH=$PATH:/usr/sbin:/sbin type -P "$what") ]] || echo "$package" ;;
        esac
    done | sort -u
}

check_needs() {
    local missing
    missing=$(missing_packages | paste -sd ' ')
    [[ -z $missing ]] || die "$EX_UNAVAILABLE" "the kernel $kernel takes packages that are missing: as root, type" \
        "apt-get install --no-install-recommends $missing"
}
