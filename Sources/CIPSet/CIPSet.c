#define _GNU_SOURCE
#include "CIPSet.h"

#include <errno.h>
#include <libipset/ipset.h>
#include <libipset/session.h>
#include <libipset/types.h>
#include <linux/netlink.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    FILE *output;
    FILE *error;
} Sinks;

static int take_output(struct ipset_session *session, void *context, const char *format, ...) {
    (void)session;
    va_list arguments;
    va_start(arguments, format);
    int written = vfprintf(((Sinks *)context)->output, format, arguments);
    va_end(arguments);
    return written;
}

/* Collects the errors of the parser. Returning a negative number ends the command; libipset's own handler exits. */
static int take_parser_error(struct ipset *ipset, void *context, int status, const char *format, ...) {
    (void)ipset;
    if (status == IPSET_NO_PROBLEM) return 0;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(((Sinks *)context)->error, format, arguments);
    va_end(arguments);
    return -1;
}

/* Collects the errors of the session: the kernel's refusal, in libipset's words. */
static int take_session_error(struct ipset *ipset, void *context) {
    struct ipset_session *session = ipset_session(ipset);
    enum ipset_err_type type = ipset_session_report_type(session);
    if (type == IPSET_ERROR || type == IPSET_NOTICE) {
        fputs(ipset_session_report_msg(session), ((Sinks *)context)->error);
    }
    ipset_session_report_reset(session);
    return type == IPSET_ERROR ? -1 : 0;
}

static CIPSetResult run(int (*body)(struct ipset *, void *), void *argument) {
    CIPSetResult result = {false, NULL, NULL};
    size_t output_size, error_size;
    Sinks sinks = {open_memstream(&result.output, &output_size), open_memstream(&result.error, &error_size)};
    /* Messages must be in English, because they are matched as text, whatever locale the program has set. */
    locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = english == (locale_t)0 ? (locale_t)0 : uselocale(english);

    /* The set types are registered once, because each call would add them to a list again. */
    static bool types_are_loaded = false;
    if (!types_are_loaded) ipset_load_types();
    types_are_loaded = true;

    /* libipset does not report why it cannot open a session, so a socket is tried first. */
    int probe = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    int error = probe < 0 && errno != EPROTONOSUPPORT ? errno : 0;
    if (probe >= 0) close(probe);
    struct ipset *ipset = error == 0 ? ipset_init() : NULL;
    if (error != 0) {
        fprintf(sinks.error, "Cannot open a netfilter socket: %s", strerror(error));
    } else if (ipset == NULL) {
        fputs("Cannot open session to kernel.", sinks.error);
    } else {
        ipset_custom_printf(ipset, take_parser_error, take_session_error, take_output, &sinks);
        result.succeeded = body(ipset, argument) >= 0;
        ipset_fini(ipset);
    }
    fclose(sinks.output);
    fclose(sinks.error);
    if (english != (locale_t)0) {
        uselocale(before);
        freelocale(english);
    }
    result.succeeded = result.succeeded && result.error[0] == '\0';
    return result;
}

static int run_line(struct ipset *ipset, void *line) { return ipset_parse_line(ipset, line); }
static int run_stream(struct ipset *ipset, void *stream) { return ipset_parse_stream(ipset, stream); }

CIPSetResult CIPSet_run(const char *line) {
    /* The parser writes into the line. */
    char *copy = strdup(line);
    CIPSetResult result = run(run_line, copy);
    free(copy);
    return result;
}

CIPSetResult CIPSet_restore(const char *script, size_t length) {
    FILE *stream = fmemopen((void *)script, length, "r");
    CIPSetResult result = run(run_stream, stream);
    fclose(stream);
    return result;
}

void CIPSet_free(CIPSetResult result) {
    free(result.output);
    free(result.error);
}
