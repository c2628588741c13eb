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
 * Addresses are numbers, most significant byte first as written; IPv4's are in `low`. Ports are numbers, too.
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
    /* What tells an entry from others, and from a later one of the same tuple. */
    uint32_t id;
    uint16_t zone, original_zone;
    /* ICMP has these in the place of ports. */
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

/* The fields of the two tuples that a dump is to be filtered by, in the kernel. Its flags of CTA_FILTER are not in the
 * headers that it gives to programs. */
enum {
    CConntrack_FILTER_SOURCE = 1 << 0,
    CConntrack_FILTER_DESTINATION = 1 << 1,
    CConntrack_FILTER_PROTOCOL = 1 << 3,
    CConntrack_FILTER_SOURCE_PORT = 1 << 4,
    CConntrack_FILTER_DESTINATION_PORT = 1 << 5,
};

/* More than any message takes that is built here. */
enum { CConntrack_MESSAGE_SIZE = 256 };

/*
 * Builds a request for all entries of the family (IPCTNL_MSG_CT_GET, NLM_F_DUMP). Where flags are given, only for those
 * that are like `pattern` in the fields that the flags name (CTA_FILTER, since Linux 5.8; older kernels overlook it).
 *
 * The buffer holds CConntrack_MESSAGE_SIZE bytes and is aligned to four. Returns the length. Without memory for
 * a filter it builds none.
 */
size_t CConntrack_build_dump(
    void *buffer, uint32_t sequence, const CConntrackEntry *pattern, uint32_t original_flags, uint32_t reply_flags);

/*
 * Builds a request to delete the entry (IPCTNL_MSG_CT_DELETE): the one with this original tuple, zone and id, so that a
 * later one that looks alike is left alone. Returns the length, or 0 without memory.
 */
size_t CConntrack_build_delete(void *buffer, uint32_t sequence, const CConntrackEntry *entry);

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
 * Reads the message that the bytes, aligned to four, begin with. Returns its length, with the padding there is; 0 where
 * they are not netlink, or an entry that cannot be read.
 */
size_t CConntrack_read(const void *bytes, size_t count, CConntrackReply *reply);

#pragma clang assume_nonnull end

#endif
