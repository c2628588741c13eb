#ifndef CNETLINK_ROUTE_H
#define CNETLINK_ROUTE_H

/* Links, addresses and routes, and what names a network namespace. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#pragma clang assume_nonnull begin

/* Whether an open file is a network namespace, which a file whose bind mount has gone is not. 1, 0, or -1 with errno. */
int CNetlink_is_network_namespace(int fd);

/* Moves the calling thread into a mount namespace; its root and its working directory become that namespace's. What
 * they were is kept for the other threads, hence a thread of its own, which must end. 0, or -1 with errno. */
int CNetlink_enter_mount_namespace(int fd);

/* mount(2) with MS_BIND and MS_REC. 0, or -1 with errno. */
int CNetlink_bind(const char *from, const char *to);

/* mount(2) with MS_SHARED and MS_REC: what is mounted below is seen in copies of the mount namespace, too. 0, or -1
 * with errno; EINVAL where nothing is mounted there. */
int CNetlink_share(const char *path);

/* umount2(2) with MNT_DETACH. 0, or -1 with errno; EINVAL where nothing is mounted there. */
int CNetlink_detach(const char *path);

#pragma clang assume_nonnull end

#endif
