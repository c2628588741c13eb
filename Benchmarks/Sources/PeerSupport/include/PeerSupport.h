#ifndef PEER_SUPPORT_H
#define PEER_SUPPORT_H

/* What the peers in C share: the values, the clock, and the conversation with the harness. */

#include <stddef.h>
#include <stdint.h>

/* Addresses and ports are numbers in the host's order. IPv4 only, and TCP. */

struct counters {
    uint64_t connections, incoming_packets, outgoing_packets, incoming_bytes, outgoing_bytes;
    uint64_t connection_rate, incoming_packet_rate, outgoing_packet_rate, incoming_byte_rate, outgoing_byte_rate;
};

struct destination {
    uint32_t address;
    uint16_t port;
    uint32_t forwarding, weight, upper_threshold, lower_threshold;
    uint32_t active, inactive, persistent;
    struct counters counters;
};

struct service {
    uint16_t family, protocol;
    uint32_t address;
    uint16_t port;
    uint32_t mark;
    char scheduler[16];
    uint32_t flags, timeout, netmask;
    struct counters counters;
    /* An array of its own. */
    struct destination *destinations;
    size_t destination_count, destination_capacity;
};

struct table {
    struct service *services;
    size_t service_count, service_capacity;
};

/* Appends a zeroed element and returns it; never fails, since die() ends the program first. Growing moves what was
   there before. */
struct service *table_append(struct table *table);
struct destination *service_append(struct service *service);
void table_free(struct table *table);

/* What a peer can do. Each function does a whole work and returns when its results are in hand; what fails ends the
   program by die(). NULL for what it cannot do. */
struct peer {
    /* Not measured. The calling thread is in a fresh network namespace. */
    void (*open)(const struct table *wanted, const struct table *changed);
    void (*close)(void);
    void (*create)(const struct table *wanted);
    /* Every destination. */
    void (*update)(const struct table *changed);
    /* The same, but that each change is waited for before the next is sent. */
    void (*call)(const struct table *changed);
    /* Every service; its destinations go with it. */
    void (*delete)(const struct table *wanted);
    /* Appends to an empty table. */
    void (*dump)(struct table *result);
    /* How many changes turn one table into another; the changes themselves are made and freed. */
    size_t (*diff)(const struct table *old, const struct table *new);
};

/* Does what the harness says on standard input, and answers on standard output, until the input ends. See
   docs/benchmarks.md for the words. */
int peer_main(const struct peer *peer);

/* Ends the program with a message like printf's and, where errno is not 0, what that means. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
