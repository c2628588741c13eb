#define _GNU_SOURCE
#include "CConntrack.h"

/* Included first, because libnfnetlink has an older copy of this header with the same include guard. */
#include <linux/netfilter/nfnetlink.h>

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* The header has copies of these numbers, because it does not include the kernel's headers. */
_Static_assert((int)CConntrack_IPS_EXPECTED == IPS_EXPECTED, "");
_Static_assert((int)CConntrack_IPS_SEEN_REPLY == IPS_SEEN_REPLY, "");
_Static_assert((int)CConntrack_IPS_ASSURED == IPS_ASSURED, "");
_Static_assert((int)CConntrack_IPS_CONFIRMED == IPS_CONFIRMED, "");
_Static_assert((int)CConntrack_IPS_SRC_NAT == IPS_SRC_NAT, "");
_Static_assert((int)CConntrack_IPS_DST_NAT == IPS_DST_NAT, "");
_Static_assert((int)CConntrack_IPS_DYING == IPS_DYING, "");
_Static_assert((int)CConntrack_IPS_OFFLOAD == IPS_OFFLOAD, "");

/* Building. */

static struct nlmsghdr *begin(void *buffer, uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family) {
    memset(buffer, 0, CConntrack_MESSAGE_SIZE);
    struct nlmsghdr *message = buffer;
    message->nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg));
    message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = sequence;
    struct nfgenmsg *header = NLMSG_DATA(message);
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    return message;
}

static void set_address(struct nf_conntrack *entry, uint8_t family, int ipv4, int ipv6, CConntrackAddress address) {
    if (family == AF_INET) {
        nfct_set_attr_u32(entry, ipv4, htonl((uint32_t)address.low));
    } else {
        uint64_t bytes[2] = {htobe64(address.high), htobe64(address.low)};
        nfct_set_attr(entry, ipv6, bytes);
    }
}

static void set_original(struct nf_conntrack *entry, const CConntrackEntry *from) {
    nfct_set_attr_u8(entry, ATTR_ORIG_L3PROTO, from->family);
    nfct_set_attr_u8(entry, ATTR_ORIG_L4PROTO, from->protocol);
    set_address(entry, from->family, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, from->original.source);
    set_address(entry, from->family, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, from->original.destination);
    if (from->protocol == IPPROTO_ICMP || from->protocol == IPPROTO_ICMPV6) {
        nfct_set_attr_u16(entry, ATTR_ICMP_ID, htons(from->icmp_id));
        nfct_set_attr_u8(entry, ATTR_ICMP_TYPE, from->icmp_type);
        nfct_set_attr_u8(entry, ATTR_ICMP_CODE, from->icmp_code);
        return;
    }
    nfct_set_attr_u16(entry, ATTR_ORIG_PORT_SRC, htons(from->original.source_port));
    nfct_set_attr_u16(entry, ATTR_ORIG_PORT_DST, htons(from->original.destination_port));
}

static void set_reply(struct nf_conntrack *entry, const CConntrackEntry *from) {
    nfct_set_attr_u8(entry, ATTR_REPL_L3PROTO, from->family);
    nfct_set_attr_u8(entry, ATTR_REPL_L4PROTO, from->protocol);
    set_address(entry, from->family, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC, from->reply.source);
    set_address(entry, from->family, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST, from->reply.destination);
    nfct_set_attr_u16(entry, ATTR_REPL_PORT_SRC, htons(from->reply.source_port));
    nfct_set_attr_u16(entry, ATTR_REPL_PORT_DST, htons(from->reply.destination_port));
}

/* Appends the tuples and the zone of an entry, as libnetfilter_conntrack writes them. */
static bool put_entry(struct nlmsghdr *message, const CConntrackEntry *from, bool with_reply) {
    struct nf_conntrack *entry = nfct_new();
    if (entry == NULL) return false;
    set_original(entry, from);
    if (with_reply) set_reply(entry, from);
    if (from->zone != 0) nfct_set_attr_u16(entry, ATTR_ZONE, from->zone);
    if (from->original_zone != 0) nfct_set_attr_u16(entry, ATTR_ORIG_ZONE, from->original_zone);
    bool built = nfct_nlmsg_build(message, entry) == 0;
    nfct_destroy(entry);
    return built;
}

size_t CConntrack_build_dump(
    void *buffer, uint32_t sequence, const CConntrackEntry *pattern, uint32_t original_flags, uint32_t reply_flags) {
    struct nlmsghdr *message = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, sequence, pattern->family);
    if (original_flags == 0 && reply_flags == 0) return message->nlmsg_len;
    if (!put_entry(message, pattern, reply_flags != 0)) {
        message = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, sequence, pattern->family);
        return message->nlmsg_len;
    }
    /* libnetfilter_conntrack 1.0.9 cannot build CTA_FILTER for tuples. */
    struct nfattr *filter = nfnl_nest(message, CConntrack_MESSAGE_SIZE, CTA_FILTER);
    if (original_flags != 0) {
        nfnl_addattr32(message, CConntrack_MESSAGE_SIZE, CTA_FILTER_ORIG_FLAGS, original_flags);
    }
    if (reply_flags != 0) nfnl_addattr32(message, CConntrack_MESSAGE_SIZE, CTA_FILTER_REPLY_FLAGS, reply_flags);
    nfnl_nest_end(message, filter);
    return message->nlmsg_len;
}

size_t CConntrack_build_delete(void *buffer, uint32_t sequence, const CConntrackEntry *entry) {
    struct nlmsghdr *message = begin(buffer, IPCTNL_MSG_CT_DELETE, 0, sequence, entry->family);
    if (!put_entry(message, entry, false)) return 0;
    /* libnetfilter_conntrack reads the id, but does not write it. */
    nfnl_addattr32(message, CConntrack_MESSAGE_SIZE, CTA_ID, htonl(entry->id));
    return message->nlmsg_len;
}

size_t CConntrack_build_get(void *buffer, uint32_t sequence, const CConntrackEntry *entry) {
    struct nlmsghdr *message = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_ACK, sequence, entry->family);
    return put_entry(message, entry, false) ? message->nlmsg_len : 0;
}

/* Reading. */

static CConntrackAddress get_address(const struct nf_conntrack *entry, int ipv4, int ipv6) {
    CConntrackAddress address = {0, 0};
    if (nfct_attr_is_set(entry, ipv4) > 0) {
        address.low = ntohl(nfct_get_attr_u32(entry, ipv4));
    } else if (nfct_attr_is_set(entry, ipv6) > 0) {
        uint64_t bytes[2];
        memcpy(bytes, nfct_get_attr(entry, ipv6), sizeof bytes);
        address.high = be64toh(bytes[0]);
        address.low = be64toh(bytes[1]);
    }
    return address;
}

/* An attribute that is not set reads as 0. */
static bool read_entry(const struct nlmsghdr *message, CConntrackEntry *to) {
    struct nf_conntrack *entry = nfct_new();
    if (entry == NULL) return false;
    bool is_read = nfct_nlmsg_parse(message, entry) == 0;
    if (is_read) {
        to->family = nfct_get_attr_u8(entry, ATTR_ORIG_L3PROTO);
        to->protocol = nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO);
        to->original.source = get_address(entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC);
        to->original.destination = get_address(entry, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST);
        to->original.source_port = ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_SRC));
        to->original.destination_port = ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_DST));
        to->reply.source = get_address(entry, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC);
        to->reply.destination = get_address(entry, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST);
        to->reply.source_port = ntohs(nfct_get_attr_u16(entry, ATTR_REPL_PORT_SRC));
        to->reply.destination_port = ntohs(nfct_get_attr_u16(entry, ATTR_REPL_PORT_DST));
        to->mark = nfct_get_attr_u32(entry, ATTR_MARK);
        to->status = nfct_get_attr_u32(entry, ATTR_STATUS);
        to->timeout = nfct_get_attr_u32(entry, ATTR_TIMEOUT);
        to->id = nfct_get_attr_u32(entry, ATTR_ID);
        to->zone = nfct_get_attr_u16(entry, ATTR_ZONE);
        to->original_zone = nfct_get_attr_u16(entry, ATTR_ORIG_ZONE);
        to->icmp_id = ntohs(nfct_get_attr_u16(entry, ATTR_ICMP_ID));
        to->icmp_type = nfct_get_attr_u8(entry, ATTR_ICMP_TYPE);
        to->icmp_code = nfct_get_attr_u8(entry, ATTR_ICMP_CODE);
    }
    nfct_destroy(entry);
    return is_read && (to->family == AF_INET || to->family == AF_INET6);
}

size_t CConntrack_read(const void *bytes, size_t count, CConntrackReply *reply) {
    memset(reply, 0, sizeof *reply);
    const struct nlmsghdr *message = bytes;
    if (count < sizeof *message || message->nlmsg_len < sizeof *message || message->nlmsg_len > count) return 0;
    size_t payload = message->nlmsg_len - NLMSG_HDRLEN;
    reply->sequence = message->nlmsg_seq;

    if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
        if (payload < sizeof(int)) return 0;
        int error;
        memcpy(&error, NLMSG_DATA(message), sizeof error);
        reply->kind = message->nlmsg_type == NLMSG_ERROR ? CConntrackReplyAnswer : CConntrackReplyDone;
        reply->error = error < 0 ? -error : 0;
    } else if (message->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW)) {
        if (payload < sizeof(struct nfgenmsg) || !read_entry(message, &reply->entry)) return 0;
        reply->kind = CConntrackReplyEntry;
    }
    size_t length = NLMSG_ALIGN(message->nlmsg_len);
    return length < count ? length : count;
}
