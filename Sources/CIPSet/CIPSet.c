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

/* Runs the body for each argument in one session, until one fails. Returns how many results there are. */
static size_t run(
    int (*body)(struct ipset *, void *), void *const *arguments, size_t count, CIPSetResult *results) {
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
    Sinks sinks;
    if (ipset != NULL) ipset_custom_printf(ipset, take_parser_error, take_session_error, take_output, &sinks);

    size_t done = 0;
    bool goes_on = true;
    while (goes_on && done < count) {
        CIPSetResult *result = &results[done];
        *result = (CIPSetResult){false, NULL, NULL};
        size_t output_size, error_size;
        sinks = (Sinks){open_memstream(&result->output, &output_size), open_memstream(&result->error, &error_size)};
        int status = -1;
        if (error != 0) {
            fprintf(sinks.error, "Cannot open a netfilter socket: %s", strerror(error));
        } else if (ipset == NULL) {
            fputs("Cannot open session to kernel.", sinks.error);
        } else {
            status = body(ipset, arguments[done]);
        }
        fclose(sinks.output);
        fclose(sinks.error);
        result->succeeded = status >= 0 && result->error[0] == '\0';
        goes_on = result->succeeded;
        done++;
    }
    if (ipset != NULL) ipset_fini(ipset);
    if (english != (locale_t)0) {
        uselocale(before);
        freelocale(english);
    }
    return done;
}

static int run_line(struct ipset *ipset, void *line) { return ipset_parse_line(ipset, line); }
static int run_stream(struct ipset *ipset, void *stream) { return ipset_parse_stream(ipset, stream); }

size_t CIPSet_run(char *const *lines, size_t count, CIPSetResult *results) {
    return run(run_line, (void *const *)lines, count, results);
}

CIPSetResult CIPSet_restore(const char *script, size_t length) {
    FILE *stream = fmemopen((void *)script, length, "r");
    CIPSetResult result;
    void *argument = stream;
    run(run_stream, &argument, 1, &result);
    fclose(stream);
    return result;
}

void CIPSet_free(CIPSetResult result) {
    free(result.output);
    free(result.error);
}
