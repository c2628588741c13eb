#ifndef PEER_SUPPORT_H
#define PEER_SUPPORT_H

/* The parts that the peers in C share: the values, the clock, and the protocol with the harness. */

#include <stddef.h>
#include <stdint.h>

/* Addresses and ports are numbers in host byte order. Only IPv4 and TCP are supported. */

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

/* Appends a zeroed element and returns it. It never fails, since die() ends the program first. Growing may move the
   existing elements. */
struct service *table_append(struct table *table);
struct destination *service_append(struct service *service);
void table_free(struct table *table);

/* The works of a peer. Each function does a whole work and returns when its results are in hand; a failure ends the
   program by die(). A function is NULL if the peer cannot do the work. */
struct peer {
    /* This is not measured. The calling thread is in a fresh network namespace. */
    void (*open)(const struct table *wanted, const struct table *changed);
    void (*close)(void);
    void (*create)(const struct table *wanted);
    /* Updates every destination. */
    void (*update)(const struct table *changed);
    /* Deletes every service with its destinations. */
    void (*delete)(const struct table *wanted);
    /* Appends to an empty table. */
    void (*dump)(struct table *result);
    /* Computes the changes that turn one table into another, frees them, and returns their number. */
    size_t (*diff)(const struct table *old, const struct table *new);
};

/* Carries out the harness's commands from standard input, and answers on standard output, until the input ends.
   docs/benchmarks.md describes the commands. */
int peer_main(const struct peer *peer);

/* Ends the program with a message, formatted as by printf, and the text of errno if it is not 0. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
