#ifndef CCONNTRACK_H
#define CCONNTRACK_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/*
 * The messages of the kernel's connection tracking, built and read by libnetfilter_conntrack. Its headers are not
 * included here, but in the source only: they bring a definition of `enum nfnetlink_groups` that differs from the one
 * libnl brings, and Swift refuses a program in which it sees both.
 *
 * Addresses are numbers whose most significant byte comes first in the text; IPv4 addresses are in `low`. Ports are
 * numbers, too.
 */

typedef struct {
    uint64_t high, low;
} CConntrackAddress;

typedef struct {
    CConntrackAddress source, destination;
    uint16_t source_port, destination_port;
} CConntrackTuple;

typedef struct {
    /* AF_INET or AF_INET6. */
    uint8_t family;
    uint8_t protocol;
    CConntrackTuple original, reply;
    uint32_t mark, status, timeout;
    /* Identifies the entry, and distinguishes it from a later entry with the same tuple. */
    uint32_t id;
    uint16_t zone, original_zone;
    /* ICMP has these instead of ports. */
    uint16_t icmp_id;
    uint8_t icmp_type, icmp_code;
} CConntrackEntry;

/* Bits of CConntrackEntry.status, the kernel's IPS_…. */
enum {
    CConntrack_IPS_EXPECTED = 1 << 0,
    CConntrack_IPS_SEEN_REPLY = 1 << 1,
    CConntrack_IPS_ASSURED = 1 << 2,
    CConntrack_IPS_CONFIRMED = 1 << 3,
    CConntrack_IPS_SRC_NAT = 1 << 4,
    CConntrack_IPS_DST_NAT = 1 << 5,
    CConntrack_IPS_DYING = 1 << 9,
    CConntrack_IPS_OFFLOAD = 1 << 14,
};

/* The fields of the two tuples by which the kernel filters a dump. The kernel's flags of CTA_FILTER are not in its
 * headers for programs. */
enum {
    CConntrack_FILTER_SOURCE = 1 << 0,
    CConntrack_FILTER_DESTINATION = 1 << 1,
    CConntrack_FILTER_PROTOCOL = 1 << 3,
    CConntrack_FILTER_SOURCE_PORT = 1 << 4,
    CConntrack_FILTER_DESTINATION_PORT = 1 << 5,
};

/* More bytes than any message that is built here. */
enum { CConntrack_MESSAGE_SIZE = 256 };

/*
 * Builds a request for all entries of the family (IPCTNL_MSG_CT_GET, NLM_F_DUMP). With flags, the kernel sends only
 * entries that equal `pattern` in the fields that the flags name (CTA_FILTER, since Linux 5.8; older kernels ignore it).
 *
 * The buffer has CConntrack_MESSAGE_SIZE bytes and is aligned to four. Returns the length. Without memory for the
 * filter, the request has none.
 */
size_t CConntrack_build_dump(
    void *buffer, uint32_t sequence, const CConntrackEntry *pattern, uint32_t original_flags, uint32_t reply_flags);

/*
 * Builds a request to delete the entry with this original tuple, zone and id (IPCTNL_MSG_CT_DELETE). The id protects a
 * later entry with the same tuple. Returns the length, or 0 without memory.
 */
size_t CConntrack_build_delete(void *buffer, uint32_t sequence, const CConntrackEntry *entry);

/*
 * Builds a request for the entry with this original tuple and zone (IPCTNL_MSG_CT_GET). Returns the length, or 0 without
 * memory.
 */
size_t CConntrack_build_get(void *buffer, uint32_t sequence, const CConntrackEntry *entry);

typedef enum {
    CConntrackReplyOther,
    CConntrackReplyEntry,
    /* The end of a dump, with an errno or 0. */
    CConntrackReplyDone,
    /* The answer to a request, with an errno or 0. */
    CConntrackReplyAnswer,
} CConntrackReplyKind;

typedef struct {
    CConntrackReplyKind kind;
    uint32_t sequence;
    int error;
    CConntrackEntry entry;
} CConntrackReply;

/*
 * Reads the first message of the bytes, which are aligned to four. Returns its length including padding; 0 if the bytes
 * are not netlink, or the message is an entry that cannot be read.
 */
size_t CConntrack_read(const void *bytes, size_t count, CConntrackReply *reply);

#pragma clang assume_nonnull end

#endif
