#ifndef CNETLINK_ROUTE_H
#define CNETLINK_ROUTE_H

/* Links, addresses and routes, and the mounts that name a network namespace. */
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#pragma clang assume_nonnull begin

/* Whether an open file is a network namespace; a file whose bind mount is gone is not. Returns 1, 0, or -1 with errno. */
int CNetlink_is_network_namespace(int fd);

/* Moves the calling thread into a mount namespace; its root and working directory become those of the namespace. The
 * other threads keep theirs, so call this on a thread of its own, which must end. Returns 0, or -1 with errno. */
int CNetlink_enter_mount_namespace(int fd);

/* mount(2) with MS_BIND and MS_REC. Returns 0, or -1 with errno. */
int CNetlink_bind(const char *from, const char *to);

/* mount(2) with MS_SHARED and MS_REC: later mounts below the path also appear in copies of the mount namespace. Returns
 * 0, or -1 with errno; EINVAL if the path is not a mount point. */
int CNetlink_share(const char *path);

/* umount2(2) with MNT_DETACH and UMOUNT_NOFOLLOW. Returns 0, or -1 with errno; EINVAL if the path is not a mount point. */
int CNetlink_detach(const char *path);

#pragma clang assume_nonnull end

#endif
