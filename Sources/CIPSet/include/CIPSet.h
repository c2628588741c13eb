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

/* Runs one command as `ipset` would read it: `list -name`, `save NAME`. */
CIPSetResult CIPSet_run(const char *line);

/* Runs the lines of an `ipset restore` file, in as few messages to the kernel as possible. */
CIPSetResult CIPSet_restore(const char *script, size_t length);

void CIPSet_free(CIPSetResult result);

#pragma clang assume_nonnull end

#endif
