/* A program that uses libnl with its defaults: it sends one message at a time and waits for each answer. */
#include "PeerSupport.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>

static struct nl_sock *sock;
static int family;

static void check(int result, const char *what) {
    if (result >= 0) return;
    errno = 0;
    die("%s: %s", what, nl_geterror(result));
}

/* Writing. */

static struct nl_msg *begin(uint8_t command, int flags) {
    struct nl_msg *message = nlmsg_alloc();
    if (!message || !genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, command, IPVS_GENL_VERSION))
        die("no room for a message");
    return message;
}

static void put_key(struct nl_msg *message, const struct service *service) {
    NLA_PUT_U16(message, IPVS_SVC_ATTR_AF, service->family);
    NLA_PUT_U16(message, IPVS_SVC_ATTR_PROTOCOL, service->protocol);
    NLA_PUT_U32(message, IPVS_SVC_ATTR_ADDR, htonl(service->address));
    NLA_PUT_U16(message, IPVS_SVC_ATTR_PORT, htons(service->port));
    return;
nla_put_failure:
    die("no room for a service");
}

static void put_identity(struct nl_msg *message, const struct service *service) {
    struct nlattr *nest = nla_nest_start(message, IPVS_CMD_ATTR_SERVICE);
    put_key(message, service);
    nla_nest_end(message, nest);
}

static void put_service(struct nl_msg *message, const struct service *service) {
    struct ip_vs_flags flags = {.flags = service->flags, .mask = ~0u};
    struct nlattr *nest = nla_nest_start(message, IPVS_CMD_ATTR_SERVICE);
    put_key(message, service);
    NLA_PUT_STRING(message, IPVS_SVC_ATTR_SCHED_NAME, service->scheduler);
    NLA_PUT(message, IPVS_SVC_ATTR_FLAGS, sizeof flags, &flags);
    NLA_PUT_U32(message, IPVS_SVC_ATTR_TIMEOUT, service->timeout);
    NLA_PUT_U32(message, IPVS_SVC_ATTR_NETMASK, htonl(service->netmask));
    nla_nest_end(message, nest);
    return;
nla_put_failure:
    die("no room for a service");
}

static void put_destination(struct nl_msg *message, const struct destination *destination) {
    struct nlattr *nest = nla_nest_start(message, IPVS_CMD_ATTR_DEST);
    NLA_PUT_U16(message, IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
    NLA_PUT_U32(message, IPVS_DEST_ATTR_ADDR, htonl(destination->address));
    NLA_PUT_U16(message, IPVS_DEST_ATTR_PORT, htons(destination->port));
    NLA_PUT_U32(message, IPVS_DEST_ATTR_FWD_METHOD, destination->forwarding);
    NLA_PUT_U32(message, IPVS_DEST_ATTR_WEIGHT, destination->weight);
    NLA_PUT_U32(message, IPVS_DEST_ATTR_U_THRESH, destination->upper_threshold);
    NLA_PUT_U32(message, IPVS_DEST_ATTR_L_THRESH, destination->lower_threshold);
    nla_nest_end(message, nest);
    return;
nla_put_failure:
    die("no room for a destination");
}

/* By default libnl requests an acknowledgement of every message. */
static void finish(struct nl_msg *message) {
    check(nl_send_auto(sock, message), "send");
    nlmsg_free(message);
    check(nl_wait_for_ack(sock), "the kernel's answer");
}

/* Reading. libnl checks lengths by the policy. */

static struct nla_policy command_policy[IPVS_CMD_ATTR_MAX + 1] = {
    [IPVS_CMD_ATTR_SERVICE] = {.type = NLA_NESTED},
    [IPVS_CMD_ATTR_DEST] = {.type = NLA_NESTED},
};

static struct nla_policy service_policy[IPVS_SVC_ATTR_MAX + 1] = {
    [IPVS_SVC_ATTR_AF] = {.type = NLA_U16},
    [IPVS_SVC_ATTR_PROTOCOL] = {.type = NLA_U16},
    [IPVS_SVC_ATTR_ADDR] = {.minlen = 4},
    [IPVS_SVC_ATTR_PORT] = {.type = NLA_U16},
    [IPVS_SVC_ATTR_FWMARK] = {.type = NLA_U32},
    [IPVS_SVC_ATTR_SCHED_NAME] = {.type = NLA_STRING, .maxlen = IP_VS_SCHEDNAME_MAXLEN},
    [IPVS_SVC_ATTR_FLAGS] = {.minlen = sizeof(struct ip_vs_flags)},
    [IPVS_SVC_ATTR_TIMEOUT] = {.type = NLA_U32},
    [IPVS_SVC_ATTR_NETMASK] = {.type = NLA_U32},
    [IPVS_SVC_ATTR_STATS] = {.type = NLA_NESTED},
    [IPVS_SVC_ATTR_STATS64] = {.type = NLA_NESTED},
};

static struct nla_policy destination_policy[IPVS_DEST_ATTR_MAX + 1] = {
    [IPVS_DEST_ATTR_ADDR] = {.minlen = 4},
    [IPVS_DEST_ATTR_PORT] = {.type = NLA_U16},
    [IPVS_DEST_ATTR_FWD_METHOD] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_WEIGHT] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_U_THRESH] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_L_THRESH] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_ACTIVE_CONNS] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_INACT_CONNS] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_PERSIST_CONNS] = {.type = NLA_U32},
    [IPVS_DEST_ATTR_STATS] = {.type = NLA_NESTED},
    [IPVS_DEST_ATTR_STATS64] = {.type = NLA_NESTED},
};

static struct nla_policy counter_policy[IPVS_STATS_ATTR_MAX + 1] = {
    [IPVS_STATS_ATTR_CONNS] = {.type = NLA_U64},   [IPVS_STATS_ATTR_INPKTS] = {.type = NLA_U64},
    [IPVS_STATS_ATTR_OUTPKTS] = {.type = NLA_U64}, [IPVS_STATS_ATTR_INBYTES] = {.type = NLA_U64},
    [IPVS_STATS_ATTR_OUTBYTES] = {.type = NLA_U64}, [IPVS_STATS_ATTR_CPS] = {.type = NLA_U64},
    [IPVS_STATS_ATTR_INPPS] = {.type = NLA_U64},   [IPVS_STATS_ATTR_OUTPPS] = {.type = NLA_U64},
    [IPVS_STATS_ATTR_INBPS] = {.type = NLA_U64},   [IPVS_STATS_ATTR_OUTBPS] = {.type = NLA_U64},
};

static uint32_t u32(struct nlattr *attribute) { return attribute ? nla_get_u32(attribute) : 0; }
static uint64_t u64(struct nlattr *attribute) { return attribute ? nla_get_u64(attribute) : 0; }

/* Only the 64-bit counters are read: every kernel since 4.1 sends them. */
static void read_counters(struct nlattr *nest, struct counters *counters) {
    struct nlattr *attributes[IPVS_STATS_ATTR_MAX + 1];
    if (!nest) return;
    check(nla_parse_nested(attributes, IPVS_STATS_ATTR_MAX, nest, counter_policy), "counters");
    *counters = (struct counters){
        .connections = u64(attributes[IPVS_STATS_ATTR_CONNS]),
        .incoming_packets = u64(attributes[IPVS_STATS_ATTR_INPKTS]),
        .outgoing_packets = u64(attributes[IPVS_STATS_ATTR_OUTPKTS]),
        .incoming_bytes = u64(attributes[IPVS_STATS_ATTR_INBYTES]),
        .outgoing_bytes = u64(attributes[IPVS_STATS_ATTR_OUTBYTES]),
        .connection_rate = u64(attributes[IPVS_STATS_ATTR_CPS]),
        .incoming_packet_rate = u64(attributes[IPVS_STATS_ATTR_INPPS]),
        .outgoing_packet_rate = u64(attributes[IPVS_STATS_ATTR_OUTPPS]),
        .incoming_byte_rate = u64(attributes[IPVS_STATS_ATTR_INBPS]),
        .outgoing_byte_rate = u64(attributes[IPVS_STATS_ATTR_OUTBPS]),
    };
}

static int read_service(struct nl_msg *message, void *context) {
    struct nlattr *command[IPVS_CMD_ATTR_MAX + 1], *attributes[IPVS_SVC_ATTR_MAX + 1];
    check(genlmsg_parse(nlmsg_hdr(message), 0, command, IPVS_CMD_ATTR_MAX, command_policy), "a message");
    if (!command[IPVS_CMD_ATTR_SERVICE]) return NL_SKIP;
    check(nla_parse_nested(attributes, IPVS_SVC_ATTR_MAX, command[IPVS_CMD_ATTR_SERVICE], service_policy), "a service");
    if (!attributes[IPVS_SVC_ATTR_AF] || !attributes[IPVS_SVC_ATTR_SCHED_NAME]) die("a service is incomplete");

    struct service *service = table_append(context);
    service->family = nla_get_u16(attributes[IPVS_SVC_ATTR_AF]);
    if (attributes[IPVS_SVC_ATTR_PROTOCOL]) service->protocol = nla_get_u16(attributes[IPVS_SVC_ATTR_PROTOCOL]);
    service->address = ntohl(u32(attributes[IPVS_SVC_ATTR_ADDR]));
    if (attributes[IPVS_SVC_ATTR_PORT]) service->port = ntohs(nla_get_u16(attributes[IPVS_SVC_ATTR_PORT]));
    service->mark = u32(attributes[IPVS_SVC_ATTR_FWMARK]);
    nla_strlcpy(service->scheduler, attributes[IPVS_SVC_ATTR_SCHED_NAME], sizeof service->scheduler);
    if (attributes[IPVS_SVC_ATTR_FLAGS]) {
        struct ip_vs_flags flags;
        nla_memcpy(&flags, attributes[IPVS_SVC_ATTR_FLAGS], sizeof flags);
        service->flags = flags.flags;
    }
    service->timeout = u32(attributes[IPVS_SVC_ATTR_TIMEOUT]);
    service->netmask = ntohl(u32(attributes[IPVS_SVC_ATTR_NETMASK]));
    read_counters(attributes[IPVS_SVC_ATTR_STATS64], &service->counters);
    return NL_OK;
}

static int read_destination(struct nl_msg *message, void *context) {
    struct nlattr *command[IPVS_CMD_ATTR_MAX + 1], *attributes[IPVS_DEST_ATTR_MAX + 1];
    check(genlmsg_parse(nlmsg_hdr(message), 0, command, IPVS_CMD_ATTR_MAX, command_policy), "a message");
    if (!command[IPVS_CMD_ATTR_DEST]) return NL_SKIP;
    check(nla_parse_nested(attributes, IPVS_DEST_ATTR_MAX, command[IPVS_CMD_ATTR_DEST], destination_policy),
          "a destination");
    if (!attributes[IPVS_DEST_ATTR_ADDR] || !attributes[IPVS_DEST_ATTR_PORT]) die("a destination is incomplete");

    struct destination *destination = service_append(*(struct service **)context);
    destination->address = ntohl(nla_get_u32(attributes[IPVS_DEST_ATTR_ADDR]));
    destination->port = ntohs(nla_get_u16(attributes[IPVS_DEST_ATTR_PORT]));
    destination->forwarding = u32(attributes[IPVS_DEST_ATTR_FWD_METHOD]) & IP_VS_CONN_F_FWD_MASK;
    destination->weight = u32(attributes[IPVS_DEST_ATTR_WEIGHT]);
    destination->upper_threshold = u32(attributes[IPVS_DEST_ATTR_U_THRESH]);
    destination->lower_threshold = u32(attributes[IPVS_DEST_ATTR_L_THRESH]);
    destination->active = u32(attributes[IPVS_DEST_ATTR_ACTIVE_CONNS]);
    destination->inactive = u32(attributes[IPVS_DEST_ATTR_INACT_CONNS]);
    destination->persistent = u32(attributes[IPVS_DEST_ATTR_PERSIST_CONNS]);
    read_counters(attributes[IPVS_DEST_ATTR_STATS64], &destination->counters);
    return NL_OK;
}

static void dump_messages(struct nl_msg *message) {
    check(nl_send_auto(sock, message), "send");
    nlmsg_free(message);
    check(nl_recvmsgs_default(sock), "dump");
}

/* The works of the benchmark. */

static void open_socket(const struct table *wanted, const struct table *changed) {
    (void)wanted, (void)changed;
    sock = nl_socket_alloc();
    if (!sock) die("no socket");
    check(genl_connect(sock), "connect");
    family = genl_ctrl_resolve(sock, IPVS_GENL_NAME);
    check(family, "resolve " IPVS_GENL_NAME);
}

static void close_socket(void) { nl_socket_free(sock); }

static void create(const struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) {
        const struct service *service = &table->services[index];
        struct nl_msg *message = begin(IPVS_CMD_NEW_SERVICE, 0);
        put_service(message, service);
        finish(message);
        for (size_t number = 0; number < service->destination_count; number++) {
            message = begin(IPVS_CMD_NEW_DEST, 0);
            put_identity(message, service);
            put_destination(message, &service->destinations[number]);
            finish(message);
        }
    }
}

static void update(const struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) {
        const struct service *service = &table->services[index];
        for (size_t number = 0; number < service->destination_count; number++) {
            struct nl_msg *message = begin(IPVS_CMD_SET_DEST, 0);
            put_identity(message, service);
            put_destination(message, &service->destinations[number]);
            finish(message);
        }
    }
}

static void delete(const struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) {
        struct nl_msg *message = begin(IPVS_CMD_DEL_SERVICE, 0);
        put_identity(message, &table->services[index]);
        finish(message);
    }
}

static void dump(struct table *table) {
    check(nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, read_service, table), "callback");
    dump_messages(begin(IPVS_CMD_GET_SERVICE, NLM_F_DUMP));

    struct service *service;
    check(nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, read_destination, &service), "callback");
    for (size_t index = 0; index < table->service_count; index++) {
        service = &table->services[index];
        struct nl_msg *message = begin(IPVS_CMD_GET_DEST, NLM_F_DUMP);
        put_identity(message, service);
        dump_messages(message);
    }
    check(nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL), "callback");
}

int main(void) {
    static const struct peer peer = {
        .open = open_socket,
        .close = close_socket,
        .create = create,
        .update = update,
        .delete = delete,
        .dump = dump,
    };
    return peer_main(&peer);
}
