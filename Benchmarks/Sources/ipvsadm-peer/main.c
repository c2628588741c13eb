/* ipvsadm as scripts use it: rules as text on the standard input of `ipvsadm -R`, and `ipvsadm -Sn` to read them. The
   text is ready before the clock starts, and of the lines read only the weight is parsed: both in ipvsadm's favour. */
#define _GNU_SOURCE
#include "PeerSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Files in memory. */
static int create_text = -1, update_text = -1, delete_text = -1;

static int text_file(const char *text, size_t size) {
    int descriptor = memfd_create("rules", MFD_CLOEXEC);
    if (descriptor < 0) die("memfd_create");
    for (size_t done = 0; done < size;) {
        ssize_t count = write(descriptor, text + done, size - done);
        if (count < 0) die("write");
        done += (size_t)count;
    }
    return descriptor;
}

static void print_address(FILE *file, uint32_t address, uint16_t port) {
    fprintf(file, "%u.%u.%u.%u:%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, port);
}

static void print_service(FILE *file, const char *command, const struct service *service) {
    fprintf(file, "%s -t ", command);
    print_address(file, service->address, service->port);
}

static void print_destinations(FILE *file, const char *command, const struct service *service) {
    for (size_t number = 0; number < service->destination_count; number++) {
        const struct destination *destination = &service->destinations[number];
        print_service(file, command, service);
        fputs(" -r ", file);
        print_address(file, destination->address, destination->port);
        fprintf(file, " -m -w %u\n", destination->weight);
    }
}

static void write_texts(const struct table *wanted, const struct table *changed) {
    char *text[3];
    size_t size[3];
    FILE *file[3];
    for (int index = 0; index < 3; index++)
        if (!(file[index] = open_memstream(&text[index], &size[index]))) die("out of memory");
    for (size_t index = 0; index < wanted->service_count; index++) {
        const struct service *service = &wanted->services[index];
        print_service(file[0], "-A", service);
        fprintf(file[0], " -s %s\n", service->scheduler);
        print_destinations(file[0], "-a", service);
        print_destinations(file[1], "-e", &changed->services[index]);
        print_service(file[2], "-D", service);
        fputc('\n', file[2]);
    }
    int *descriptors[3] = {&create_text, &update_text, &delete_text};
    for (int index = 0; index < 3; index++) {
        fclose(file[index]);
        *descriptors[index] = text_file(text[index], size[index]);
        free(text[index]);
    }
}

static void close_texts(void) {
    close(create_text);
    close(update_text);
    close(delete_text);
}

static pid_t start(char *option, int input, int output) {
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    if (input >= 0) posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    errno = posix_spawnp(&child, "ipvsadm", &actions, NULL, (char *[]){"ipvsadm", option, NULL}, environ);
    if (errno) die("cannot start ipvsadm");
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static void await(pid_t child) {
    int status;
    if (waitpid(child, &status, 0) < 0) die("waitpid");
    if (status) die("ipvsadm ended with status %d", WEXITSTATUS(status));
}

static void restore(int text) {
    lseek(text, 0, SEEK_SET);
    await(start("-R", text, -1));
}

static void create(const struct table *wanted) { (void)wanted, restore(create_text); }
static void update(const struct table *changed) { (void)changed, restore(update_text); }
static void delete(const struct table *wanted) { (void)wanted, restore(delete_text); }

static void dump(struct table *table) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) die("pipe");
    pid_t child = start("-Sn", -1, ends[1]);
    close(ends[1]);
    FILE *file = fdopen(ends[0], "r");
    char line[256];
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "-A", 2)) {
            table_append(table);
        } else if (!strncmp(line, "-a", 2) && table->service_count) {
            const char *weight = strstr(line, " -w ");
            service_append(&table->services[table->service_count - 1])->weight =
                weight ? (uint32_t)strtoul(weight + 4, NULL, 10) : 0;
        }
    }
    fclose(file);
    await(child);
}

int main(void) {
    static const struct peer peer = {
        .open = write_texts,
        .close = close_texts,
        .create = create,
        .update = update,
        .delete = delete,
        .dump = dump,
    };
    return peer_main(&peer);
}
