#define _GNU_SOURCE
#include "PeerSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IPPROTO_TCP_NUMBER = 6, FORWARDING_MASQUERADE = 0 };

void die(const char *format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (error) fprintf(stderr, ": %s", strerror(error));
    fputc('\n', stderr);
    exit(1);
}

static void *grow(void *array, size_t *capacity, size_t size) {
    *capacity = *capacity ? *capacity * 2 : 8;
    array = realloc(array, *capacity * size);
    if (!array) die("out of memory");
    return array;
}

struct service *table_append(struct table *table) {
    if (table->service_count == table->service_capacity)
        table->services = grow(table->services, &table->service_capacity, sizeof(struct service));
    struct service *service = &table->services[table->service_count++];
    memset(service, 0, sizeof *service);
    return service;
}

struct destination *service_append(struct service *service) {
    if (service->destination_count == service->destination_capacity)
        service->destinations =
            grow(service->destinations, &service->destination_capacity, sizeof(struct destination));
    struct destination *destination = &service->destinations[service->destination_count++];
    memset(destination, 0, sizeof *destination);
    return destination;
}

void table_free(struct table *table) {
    for (size_t index = 0; index < table->service_count; index++) free(table->services[index].destinations);
    free(table->services);
    *table = (struct table){0};
}

/* The same values as IPVSKit's: ipvskit-peer/Workload.swift. */
static struct table make_table(unsigned services, unsigned destinations, uint32_t weight) {
    struct table table = {0};
    uint32_t next = 0x0A800001; /* 10.128.0.1 */
    for (unsigned index = 0; index < services; index++) {
        struct service *service = table_append(&table);
        service->family = AF_INET;
        service->protocol = IPPROTO_TCP_NUMBER;
        service->address = 0x0A400001 + index; /* 10.64.0.1 */
        service->port = 80;
        service->netmask = UINT32_MAX;
        strcpy(service->scheduler, "rr");
        for (unsigned number = 0; number < destinations; number++) {
            struct destination *destination = service_append(service);
            destination->address = next++;
            destination->port = 8080;
            destination->forwarding = FORWARDING_MASQUERADE;
            destination->weight = weight;
        }
    }
    return table;
}

/* For diff, every tenth destination has another weight. */
static void change_some(struct table *table) {
    size_t count = 0;
    for (size_t index = 0; index < table->service_count; index++) {
        struct service *service = &table->services[index];
        for (size_t number = 0; number < service->destination_count; number++)
            if (count++ % 10 == 0) service->destinations[number].weight = 3;
    }
}

/* The values that the harness checks: the number of destinations, and the sum of their weights. */
static void count(const struct table *table, size_t *destinations, size_t *weights) {
    *destinations = *weights = 0;
    for (size_t index = 0; index < table->service_count; index++) {
        const struct service *service = &table->services[index];
        *destinations += service->destination_count;
        for (size_t number = 0; number < service->destination_count; number++)
            *weights += service->destinations[number].weight;
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int open_namespace(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) die("cannot open the namespace %s", path);
    return descriptor;
}

static void enter(int namespace) {
    if (setns(namespace, CLONE_NEWNET) < 0) die("cannot enter a namespace");
}

/* Enters a namespace by the name that `ip netns add` gave it. */
static void enter_named(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    int descriptor = open_namespace(path);
    enter(descriptor);
    close(descriptor);
}

int peer_main(const struct peer *peer) {
    struct table wanted = {0}, changed = {0}, dumped = {0}, other = {0};
    char line[512], namespace[256];
    unsigned services, each;

    const int home = open_namespace("/proc/self/ns/net");
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        errno = 0;
        double start = now();
        if (sscanf(line, "open %255s %u %u", namespace, &services, &each) == 3) {
            enter_named(namespace);
            wanted = make_table(services, each, 1);
            changed = make_table(services, each, 2);
            other = make_table(services, each, 2);
            change_some(&other);
            peer->open(&wanted, &changed);
            puts("ok");
        } else if (!strcmp(line, "create") && peer->create) {
            peer->create(&wanted);
            printf("%.9f\n", now() - start);
        } else if (!strcmp(line, "update") && peer->update) {
            peer->update(&changed);
            printf("%.9f\n", now() - start);
        } else if (!strcmp(line, "delete") && peer->delete) {
            peer->delete(&wanted);
            printf("%.9f\n", now() - start);
        } else if (!strcmp(line, "dump") && peer->dump) {
            table_free(&dumped);
            start = now();
            peer->dump(&dumped);
            double seconds = now() - start;
            size_t destinations, weights;
            count(&dumped, &destinations, &weights);
            printf("%.9f %zu %zu %zu\n", seconds, dumped.service_count, destinations, weights);
        } else if (!strcmp(line, "diff") && peer->diff) {
            size_t changes = peer->diff(&dumped, &other);
            printf("%.9f %zu\n", now() - start, changes);
        } else if (!strcmp(line, "close")) {
            peer->close();
            /* A namespace and its table live as long as a process is in it. */
            enter(home);
            table_free(&wanted);
            table_free(&changed);
            table_free(&dumped);
            table_free(&other);
            puts("ok");
        } else {
            puts("none");
        }
    }
    return 0;
}
