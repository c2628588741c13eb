#define _GNU_SOURCE
#include "CNFTables.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <locale.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* libnftables keeps its list of interfaces and other state globally, without a lock. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    const char *commands;
    bool is_check, as_json;
    CNFTablesResult result;
} Call;

/*
 * libnftables ends the process if it cannot open a socket: a netfilter socket when it starts, a route socket when it
 * looks up interfaces. It also reads files. So this opens as many descriptors as libnftables may have at a time, and
 * closes them again. Returns 0, or an errno.
 */
static int probe_sockets(void) {
    static const int protocols[] = {NETLINK_NETFILTER, NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_ROUTE};
    enum { count = sizeof protocols / sizeof protocols[0] };
    int sockets[count], opened = 0, error = 0;
    while (opened < count && error == 0) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocols[opened]);
        if (fd < 0) {
            error = errno;
        } else {
            sockets[opened++] = fd;
        }
    }
    while (opened > 0) close(sockets[--opened]);
    return error;
}

static void *run(void *argument) {
    Call *call = argument;
    CNFTablesResult *result = &call->result;
    /* The thread gets a descriptor table of its own, so that no other thread takes the descriptors that were probed. */
    unshare(CLONE_FILES);
    /* Messages must be in English, because they are matched as text, whatever locale the program has set. */
    locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = english == (locale_t)0 ? (locale_t)0 : uselocale(english);

    result->error_number = probe_sockets();
    struct nft_ctx *context = result->error_number == 0 ? nft_ctx_new(NFT_CTX_DEFAULT) : NULL;
    if (context != NULL) {
        nft_ctx_buffer_output(context);
        nft_ctx_buffer_error(context);
        unsigned int flags = NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE;
        nft_ctx_output_set_flags(context, call->as_json ? flags | NFT_CTX_OUTPUT_JSON : flags);
        nft_ctx_set_dry_run(context, call->is_check);
        result->succeeded = nft_run_cmd_from_buffer(context, call->commands) == 0;
        result->output = strdup(nft_ctx_get_output_buffer(context));
        result->error = strdup(nft_ctx_get_error_buffer(context));
        nft_ctx_free(context);
    } else {
        result->output = strdup("");
        result->error = strdup("libnftables cannot be opened");
    }
    if (english != (locale_t)0) {
        uselocale(before);
        freelocale(english);
    }
    return NULL;
}

CNFTablesResult CNFTables_run(const char *commands, bool is_check, bool as_json) {
    Call call = {.commands = commands, .is_check = is_check, .as_json = as_json};
    pthread_t thread;
    pthread_mutex_lock(&one_at_a_time);
    int error = pthread_create(&thread, NULL, run, &call);
    if (error == 0) {
        pthread_join(thread, NULL);
    } else {
        call.result.error_number = error;
        call.result.output = strdup("");
        call.result.error = strdup("libnftables cannot be given a thread");
    }
    pthread_mutex_unlock(&one_at_a_time);
    return call.result;
}

void CNFTables_free(CNFTablesResult result) {
    free(result.output);
    free(result.error);
}

const char *CNFTables_library_path(void) {
    Dl_info info;
    return dladdr((const void *)nft_ctx_new, &info) != 0 ? info.dli_fname : NULL;
}
