#ifndef CNFTABLES_H
#define CNFTABLES_H

/* The kernel's constants for sets and their elements, and libnftables as one call. */
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>

#pragma clang assume_nonnull begin

typedef struct {
    bool succeeded;
    /* The output and the error messages; either may be empty. Freed by CNFTables_free. */
    char *output;
    char *error;
    /* The errno of the socket or thread without which libnftables could not be called; else 0. */
    int error_number;
} CNFTablesResult;

/*
 * Runs commands as `nft -f -` would, in one transaction, in the network namespace of the calling thread. Listings have
 * no counters and no elements of sets, and are JSON on request. With is_check, the kernel checks the commands without
 * carrying them out. A lock of the process allows one call at a time.
 */
CNFTablesResult CNFTables_run(const char *commands, bool is_check, bool as_json);

void CNFTables_free(CNFTablesResult result);

/* The file from which libnftables was loaded: the library has no function that returns its version. */
const char *_Nullable CNFTables_library_path(void);

#pragma clang assume_nonnull end

#endif
