#ifndef CIPSET_H
#define CIPSET_H

#include <stdbool.h>
#include <stddef.h>

#pragma clang assume_nonnull begin

/*
 * libipset reports through variadic callbacks, which Swift can neither implement nor call. These functions collect the
 * reports. They work in the network namespace of the calling thread. libipset keeps global state, so only one thread
 * may call them at a time.
 */

typedef struct {
    bool succeeded;
    /* The output and the error messages; either may be empty. Freed by CIPSet_free. */
    char *output;
    char *error;
} CIPSetResult;

/*
 * Runs commands as `ipset` would read them, `list -name` or `save NAME`, in one session, until one fails. A session costs
 * three sockets and some questions to the kernel. The parser writes into the lines. Returns how many results there are.
 */
size_t CIPSet_run(char *_Nonnull const *_Nonnull lines, size_t count, CIPSetResult *results);

/* Runs the lines of an `ipset restore` file, in as few messages to the kernel as possible. */
CIPSetResult CIPSet_restore(const char *script, size_t length);

void CIPSet_free(CIPSetResult result);

#pragma clang assume_nonnull end

#endif
