#ifndef CNETLINK_H
#define CNETLINK_H

/* The kernel's constants and libnl's sockets, as Swift sees them. */
#include <stddef.h>

#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "CNetlinkRoute.h"

#pragma clang assume_nonnull begin

/* SOL_NETLINK comes from a header that clashes with Swift's Glibc module. */
enum { CNetlink_SOL_NETLINK = 270 };

/* The offsets of the entries in the structures of IPVS's older interface, since Swift drops flexible array members, and
 * the size of an entry's part before its counters. The interface's commands are sums, which Swift does not import. */
enum {
    CNetlink_IPVS_SERVICES_OFFSET = offsetof(struct ip_vs_get_services, entrytable),
    CNetlink_IPVS_SERVICE_BEFORE_COUNTERS = offsetof(struct ip_vs_service_entry, stats),
    CNetlink_IPVS_DESTS_OFFSET = offsetof(struct ip_vs_get_dests, entrytable),
    CNetlink_IPVS_DEST_BEFORE_COUNTERS = offsetof(struct ip_vs_dest_entry, activeconns),
    CNetlink_IP_VS_SO_GET_INFO = IP_VS_SO_GET_INFO,
    CNetlink_IP_VS_SO_GET_SERVICES = IP_VS_SO_GET_SERVICES,
    CNetlink_IP_VS_SO_GET_DESTS = IP_VS_SO_GET_DESTS,
};

/* setns(2) into a network namespace. It needs _GNU_SOURCE, so Swift does not see it. Returns 0, or -1 with errno. */
int CNetlink_enter_network_namespace(int fd);

/* unshare(2) of the network namespace of the calling thread. Returns 0, or -1 with errno. */
int CNetlink_unshare_network_namespace(void);

/* Sets lo up in the namespace of the calling thread. struct ifreq has unions that Swift cannot name. Returns 0, or -1
 * with errno. */
int CNetlink_raise_loopback(void);

/* eventfd(2), close-on-exec and non-blocking. Returns a descriptor, or -1 with errno. */
int CNetlink_eventfd(void);

#pragma clang assume_nonnull end

#endif
