/* The practical limit: netlink messages written by hand, 64 to a send(), the last of each acknowledged. The errors of
   the others come back before that acknowledgement, each with its number. */
#include "PeerSupport.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

enum { BATCH = 64, SEND_SIZE = 64 * 256, RECEIVE_SIZE = 64 * 1024 };

static int descriptor = -1;
static uint32_t port;
static uint32_t sequence;
static uint16_t family;
static _Alignas(8) char out[SEND_SIZE];
static _Alignas(8) char in[RECEIVE_SIZE];

/* Writing. `end` is where the next byte goes. */

static char *end = out;
static struct nlmsghdr *message;
static unsigned pending;

static struct nlattr *put(uint16_t type, const void *value, uint16_t size) {
    struct nlattr *attribute = (struct nlattr *)end;
    attribute->nla_type = type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    memcpy(end + NLA_HDRLEN, value, size);
    end += NLA_HDRLEN;
    memset(end + size, 0, NLA_ALIGN(size) - size);
    end += NLA_ALIGN(size);
    return attribute;
}

static void put16(uint16_t type, uint16_t value) { put(type, &value, sizeof value); }
static void put32(uint16_t type, uint32_t value) { put(type, &value, sizeof value); }

static struct nlattr *nest(uint16_t type) { return put(type | NLA_F_NESTED, "", 0); }
static void close_nest(struct nlattr *attribute) { attribute->nla_len = (uint16_t)(end - (char *)attribute); }

static void begin(uint16_t type, uint8_t command, uint8_t version, uint16_t flags) {
    message = (struct nlmsghdr *)end;
    *message = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++sequence};
    *(struct genlmsghdr *)NLMSG_DATA(message) = (struct genlmsghdr){.cmd = command, .version = version};
    end += NLMSG_HDRLEN + GENL_HDRLEN;
}

static void put_key(const struct service *service) {
    put16(IPVS_SVC_ATTR_AF, service->family);
    put16(IPVS_SVC_ATTR_PROTOCOL, service->protocol);
    put32(IPVS_SVC_ATTR_ADDR, htonl(service->address));
    put16(IPVS_SVC_ATTR_PORT, htons(service->port));
}

static void put_identity(const struct service *service) {
    struct nlattr *attribute = nest(IPVS_CMD_ATTR_SERVICE);
    put_key(service);
    close_nest(attribute);
}

static void put_service(const struct service *service) {
    struct ip_vs_flags flags = {.flags = service->flags, .mask = ~0u};
    struct nlattr *attribute = nest(IPVS_CMD_ATTR_SERVICE);
    put_key(service);
    put(IPVS_SVC_ATTR_SCHED_NAME, service->scheduler, (uint16_t)(strlen(service->scheduler) + 1));
    put(IPVS_SVC_ATTR_FLAGS, &flags, sizeof flags);
    put32(IPVS_SVC_ATTR_TIMEOUT, service->timeout);
    put32(IPVS_SVC_ATTR_NETMASK, htonl(service->netmask));
    close_nest(attribute);
}

static void put_destination(const struct destination *destination) {
    struct nlattr *attribute = nest(IPVS_CMD_ATTR_DEST);
    put16(IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
    put32(IPVS_DEST_ATTR_ADDR, htonl(destination->address));
    put16(IPVS_DEST_ATTR_PORT, htons(destination->port));
    put32(IPVS_DEST_ATTR_FWD_METHOD, destination->forwarding);
    put32(IPVS_DEST_ATTR_WEIGHT, destination->weight);
    put32(IPVS_DEST_ATTR_U_THRESH, destination->upper_threshold);
    put32(IPVS_DEST_ATTR_L_THRESH, destination->lower_threshold);
    close_nest(attribute);
}

/* Sending and receiving. */

static void send_all(void) {
    if (send(descriptor, out, (size_t)(end - out), 0) < 0) die("send");
    end = out;
    pending = 0;
}

static size_t receive(void) {
    ssize_t count = recv(descriptor, in, sizeof in, MSG_TRUNC);
    if (count < 0) die("recv");
    if ((size_t)count > sizeof in) die("a datagram of %zd bytes", count);
    return (size_t)count;
}

/* Sends what is pending and waits for the answer to its last message. */
static void flush(void) {
    if (!pending) return;
    message->nlmsg_flags |= NLM_F_ACK;
    uint32_t last = sequence;
    send_all();
    for (;;) {
        size_t rest = receive();
        for (struct nlmsghdr *reply = (struct nlmsghdr *)in; NLMSG_OK(reply, rest); reply = NLMSG_NEXT(reply, rest)) {
            if (reply->nlmsg_type != NLMSG_ERROR) continue;
            const struct nlmsgerr *error = NLMSG_DATA(reply);
            if (error->error) {
                errno = -error->error;
                die("message %u", reply->nlmsg_seq);
            }
            if (reply->nlmsg_seq == last) return;
        }
    }
}

static void finish(void) {
    message->nlmsg_len = (uint32_t)(end - (char *)message);
    if (++pending == BATCH) flush();
}

/* Reading. */

typedef void (*reader)(struct nlattr *attribute, void *context);

static void each(void *bytes, size_t size, reader read, void *context) {
    struct nlattr *attribute = bytes;
    while (size >= NLA_HDRLEN && attribute->nla_len >= NLA_HDRLEN && attribute->nla_len <= size) {
        read(attribute, context);
        size_t step = NLA_ALIGN(attribute->nla_len);
        if (step >= size) break;
        size -= step;
        attribute = (struct nlattr *)((char *)attribute + step);
    }
}

static void *data(struct nlattr *attribute) { return (char *)attribute + NLA_HDRLEN; }
static size_t data_size(const struct nlattr *attribute) { return attribute->nla_len - NLA_HDRLEN; }

static uint64_t number(struct nlattr *attribute) {
    switch (data_size(attribute)) {
    case 0:
    case 1:
        return 0;
    case 2:
    case 3: {
        uint16_t value;
        memcpy(&value, data(attribute), sizeof value);
        return value;
    }
    case 4 ... 7: {
        uint32_t value;
        memcpy(&value, data(attribute), sizeof value);
        return value;
    }
    default: {
        uint64_t value;
        memcpy(&value, data(attribute), sizeof value);
        return value;
    }
    }
}

static uint32_t address(struct nlattr *attribute) {
    uint32_t value = 0;
    if (data_size(attribute) >= 4) memcpy(&value, data(attribute), sizeof value);
    return ntohl(value);
}

static void read_counter(struct nlattr *attribute, void *context) {
    struct counters *counters = context;
    switch (attribute->nla_type & NLA_TYPE_MASK) {
    case IPVS_STATS_ATTR_CONNS: counters->connections = number(attribute); break;
    case IPVS_STATS_ATTR_INPKTS: counters->incoming_packets = number(attribute); break;
    case IPVS_STATS_ATTR_OUTPKTS: counters->outgoing_packets = number(attribute); break;
    case IPVS_STATS_ATTR_INBYTES: counters->incoming_bytes = number(attribute); break;
    case IPVS_STATS_ATTR_OUTBYTES: counters->outgoing_bytes = number(attribute); break;
    case IPVS_STATS_ATTR_CPS: counters->connection_rate = number(attribute); break;
    case IPVS_STATS_ATTR_INPPS: counters->incoming_packet_rate = number(attribute); break;
    case IPVS_STATS_ATTR_OUTPPS: counters->outgoing_packet_rate = number(attribute); break;
    case IPVS_STATS_ATTR_INBPS: counters->incoming_byte_rate = number(attribute); break;
    case IPVS_STATS_ATTR_OUTBPS: counters->outgoing_byte_rate = number(attribute); break;
    }
}

static void read_service_attribute(struct nlattr *attribute, void *context) {
    struct service *service = context;
    switch (attribute->nla_type & NLA_TYPE_MASK) {
    case IPVS_SVC_ATTR_AF: service->family = (uint16_t)number(attribute); break;
    case IPVS_SVC_ATTR_PROTOCOL: service->protocol = (uint16_t)number(attribute); break;
    case IPVS_SVC_ATTR_ADDR: service->address = address(attribute); break;
    case IPVS_SVC_ATTR_PORT: service->port = ntohs((uint16_t)number(attribute)); break;
    case IPVS_SVC_ATTR_FWMARK: service->mark = (uint32_t)number(attribute); break;
    case IPVS_SVC_ATTR_SCHED_NAME: strncpy(service->scheduler, data(attribute), sizeof service->scheduler - 1); break;
    case IPVS_SVC_ATTR_FLAGS:
        /* The first half of struct ip_vs_flags. */
        if (data_size(attribute) >= 4) memcpy(&service->flags, data(attribute), sizeof service->flags);
        break;
    case IPVS_SVC_ATTR_TIMEOUT: service->timeout = (uint32_t)number(attribute); break;
    case IPVS_SVC_ATTR_NETMASK: service->netmask = address(attribute); break;
    /* Only the 64-bit counters are read: every kernel since 4.1 sends them. */
    case IPVS_SVC_ATTR_STATS64:
        each(data(attribute), data_size(attribute), read_counter, &service->counters);
        break;
    }
}

static void read_destination_attribute(struct nlattr *attribute, void *context) {
    struct destination *destination = context;
    switch (attribute->nla_type & NLA_TYPE_MASK) {
    case IPVS_DEST_ATTR_ADDR: destination->address = address(attribute); break;
    case IPVS_DEST_ATTR_PORT: destination->port = ntohs((uint16_t)number(attribute)); break;
    case IPVS_DEST_ATTR_FWD_METHOD:
        destination->forwarding = (uint32_t)number(attribute) & IP_VS_CONN_F_FWD_MASK;
        break;
    case IPVS_DEST_ATTR_WEIGHT: destination->weight = (uint32_t)number(attribute); break;
    case IPVS_DEST_ATTR_U_THRESH: destination->upper_threshold = (uint32_t)number(attribute); break;
    case IPVS_DEST_ATTR_L_THRESH: destination->lower_threshold = (uint32_t)number(attribute); break;
    case IPVS_DEST_ATTR_ACTIVE_CONNS: destination->active = (uint32_t)number(attribute); break;
    case IPVS_DEST_ATTR_INACT_CONNS: destination->inactive = (uint32_t)number(attribute); break;
    case IPVS_DEST_ATTR_PERSIST_CONNS: destination->persistent = (uint32_t)number(attribute); break;
    case IPVS_DEST_ATTR_STATS64:
        each(data(attribute), data_size(attribute), read_counter, &destination->counters);
        break;
    }
}

static void read_service(struct nlattr *attribute, void *context) {
    if ((attribute->nla_type & NLA_TYPE_MASK) == IPVS_CMD_ATTR_SERVICE)
        each(data(attribute), data_size(attribute), read_service_attribute, table_append(context));
}

static void read_destination(struct nlattr *attribute, void *context) {
    if ((attribute->nla_type & NLA_TYPE_MASK) == IPVS_CMD_ATTR_DEST)
        each(data(attribute), data_size(attribute), read_destination_attribute, service_append(context));
}

/* Sends the one message that was written, and passes the messages that answer it to `read`, up to the end of the dump. */
static void dump_messages(reader read, void *context) {
    message->nlmsg_len = (uint32_t)(end - (char *)message);
    send_all();
    for (;;) {
        size_t rest = receive();
        for (struct nlmsghdr *reply = (struct nlmsghdr *)in; NLMSG_OK(reply, rest); reply = NLMSG_NEXT(reply, rest)) {
            if (reply->nlmsg_seq != sequence || reply->nlmsg_pid != port) continue;
            if (reply->nlmsg_type == NLMSG_DONE) return;
            if (reply->nlmsg_type == NLMSG_ERROR) {
                errno = -((struct nlmsgerr *)NLMSG_DATA(reply))->error;
                die("dump");
            }
            each((char *)NLMSG_DATA(reply) + GENL_HDRLEN, reply->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, read, context);
        }
    }
}

/* The works of the benchmark. */

static void read_family(struct nlattr *attribute, void *context) {
    if ((attribute->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_FAMILY_ID) *(uint16_t *)context = (uint16_t)number(attribute);
}

static void open_socket(const struct table *wanted, const struct table *changed) {
    (void)wanted, (void)changed;
    descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    struct sockaddr_nl name = {.nl_family = AF_NETLINK};
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&name, sizeof name) < 0) die("socket");
    socklen_t size = sizeof name;
    getsockname(descriptor, (struct sockaddr *)&name, &size);
    port = name.nl_pid;
    int room = 1 << 20, on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);

    begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
    put(CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME, sizeof IPVS_GENL_NAME);
    message->nlmsg_len = (uint32_t)(end - (char *)message);
    send_all();
    receive();
    struct nlmsghdr *reply = (struct nlmsghdr *)in;
    family = 0;
    if (reply->nlmsg_type == GENL_ID_CTRL)
        each((char *)NLMSG_DATA(reply) + GENL_HDRLEN, reply->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, read_family,
             &family);
    if (!family) die("the kernel has no family %s", IPVS_GENL_NAME);
}

static void close_socket(void) { close(descriptor); }

static void create(const struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) {
        const struct service *service = &table->services[index];
        begin(family, IPVS_CMD_NEW_SERVICE, IPVS_GENL_VERSION, 0);
        put_service(service);
        finish();
        for (size_t number = 0; number < service->destination_count; number++) {
            begin(family, IPVS_CMD_NEW_DEST, IPVS_GENL_VERSION, 0);
            put_identity(service);
            put_destination(&service->destinations[number]);
            finish();
        }
    }
    flush();
}

static void update(const struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) {
        const struct service *service = &table->services[index];
        for (size_t number = 0; number < service->destination_count; number++) {
            begin(family, IPVS_CMD_SET_DEST, IPVS_GENL_VERSION, 0);
            put_identity(service);
            put_destination(&service->destinations[number]);
            finish();
        }
    }
    flush();
}

static void delete(const struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) {
        begin(family, IPVS_CMD_DEL_SERVICE, IPVS_GENL_VERSION, 0);
        put_identity(&table->services[index]);
        finish();
    }
    flush();
}

static void dump(struct table *table) {
    begin(family, IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION, NLM_F_DUMP);
    dump_messages(read_service, table);
    for (size_t index = 0; index < table->service_count; index++) {
        begin(family, IPVS_CMD_GET_DEST, IPVS_GENL_VERSION, NLM_F_DUMP);
        put_identity(&table->services[index]);
        dump_messages(read_destination, &table->services[index]);
    }
}

/* Comparing. Both tables are sorted by key, then walked together. */

struct change {
    uint8_t command;
    const struct service *service;
    const struct destination *destination;
};

struct changes {
    struct change *list;
    size_t count, capacity;
};

static void note(struct changes *changes, uint8_t command, const struct service *service,
                 const struct destination *destination) {
    if (changes->count == changes->capacity) {
        changes->capacity = changes->capacity ? changes->capacity * 2 : 64;
        changes->list = realloc(changes->list, changes->capacity * sizeof(struct change));
        if (!changes->list) die("out of memory");
    }
    changes->list[changes->count++] = (struct change){command, service, destination};
}

static int order(uint64_t left, uint64_t right) { return (left > right) - (left < right); }

static uint64_t destination_key(const struct destination *destination) {
    return (uint64_t)destination->address << 16 | destination->port;
}

static int compare_services(const void *left, const void *right) {
    const struct service *a = *(struct service *const *)left, *b = *(struct service *const *)right;
    int result = order((uint64_t)a->mark << 16 | a->family, (uint64_t)b->mark << 16 | b->family);
    if (!result) result = order(a->address, b->address);
    return result ? result : order((uint64_t)a->port << 16 | a->protocol, (uint64_t)b->port << 16 | b->protocol);
}

static int compare_destinations(const void *left, const void *right) {
    return order(destination_key(*(struct destination *const *)left),
                 destination_key(*(struct destination *const *)right));
}

static const struct service **sorted_services(const struct table *table) {
    const struct service **list = malloc((table->service_count + 1) * sizeof *list);
    if (!list) die("out of memory");
    for (size_t index = 0; index < table->service_count; index++) list[index] = &table->services[index];
    qsort(list, table->service_count, sizeof *list, compare_services);
    list[table->service_count] = NULL;
    return list;
}

static const struct destination **sorted_destinations(const struct service *service) {
    const struct destination **list = malloc((service->destination_count + 1) * sizeof *list);
    if (!list) die("out of memory");
    for (size_t index = 0; index < service->destination_count; index++) list[index] = &service->destinations[index];
    qsort(list, service->destination_count, sizeof *list, compare_destinations);
    list[service->destination_count] = NULL;
    return list;
}

static int same_service(const struct service *a, const struct service *b) {
    /* The kernel reports a flag that is internal to it. */
    uint32_t flags = ~(uint32_t)IP_VS_SVC_F_HASHED;
    return !strcmp(a->scheduler, b->scheduler) && (a->flags & flags) == (b->flags & flags) &&
           a->timeout == b->timeout && a->netmask == b->netmask;
}

static int same_destination(const struct destination *a, const struct destination *b) {
    return a->forwarding == b->forwarding && a->weight == b->weight && a->upper_threshold == b->upper_threshold &&
           a->lower_threshold == b->lower_threshold;
}

static void diff_destinations(const struct service *old, const struct service *new, struct changes *additions,
                              struct changes *removals) {
    const struct destination **found = sorted_destinations(old), **wanted = sorted_destinations(new);
    const struct destination **left = found, **right = wanted;
    while (*left || *right) {
        int side = !*left ? 1 : !*right ? -1 : compare_destinations(left, right);
        if (side < 0) {
            note(removals, IPVS_CMD_DEL_DEST, new, *left++);
        } else if (side > 0) {
            note(additions, IPVS_CMD_NEW_DEST, new, *right++);
        } else {
            if (!same_destination(*left, *right)) note(additions, IPVS_CMD_SET_DEST, new, *right);
            left++, right++;
        }
    }
    free(found);
    free(wanted);
}

static size_t diff(const struct table *old, const struct table *new) {
    const struct service **found = sorted_services(old), **wanted = sorted_services(new);
    const struct service **left = found, **right = wanted;
    struct changes additions = {0}, removals = {0};
    while (*left || *right) {
        int side = !*left ? 1 : !*right ? -1 : compare_services(left, right);
        if (side < 0) {
            note(&removals, IPVS_CMD_DEL_SERVICE, *left++, NULL);
        } else if (side > 0) {
            note(&additions, IPVS_CMD_NEW_SERVICE, *right, NULL);
            diff_destinations(&(struct service){0}, *right, &additions, &removals);
            right++;
        } else {
            if (!same_service(*left, *right)) note(&additions, IPVS_CMD_SET_SERVICE, *right, NULL);
            diff_destinations(*left++, *right++, &additions, &removals);
        }
    }
    for (size_t index = 0; index < removals.count; index++)
        note(&additions, removals.list[index].command, removals.list[index].service, removals.list[index].destination);
    size_t count = additions.count;
    free(additions.list);
    free(removals.list);
    free(found);
    free(wanted);
    return count;
}

int main(void) {
    static const struct peer peer = {
        .open = open_socket,
        .close = close_socket,
        .create = create,
        .update = update,
        .delete = delete,
        .dump = dump,
        .diff = diff,
    };
    return peer_main(&peer);
}
