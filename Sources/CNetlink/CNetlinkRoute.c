#define _GNU_SOURCE
#include "CNetlinkRoute.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

int CNetlink_is_network_namespace(int fd) {
    int type = ioctl(fd, NS_GET_NSTYPE);
    /* A file that is not a namespace does not support this ioctl. */
    if (type < 0) return errno == ENOTTY ? 0 : -1;
    return type == CLONE_NEWNET;
}

int CNetlink_enter_mount_namespace(int fd) {
    if (unshare(CLONE_FS) != 0) return -1;
    return setns(fd, CLONE_NEWNS);
}

int CNetlink_bind(const char *from, const char *to) { return mount(from, to, "none", MS_BIND | MS_REC, 0); }

int CNetlink_share(const char *path) { return mount("", path, "none", MS_SHARED | MS_REC, 0); }

int CNetlink_detach(const char *path) { return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW); }
