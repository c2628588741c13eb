#ifndef CNFTABLES_H
#define CNFTABLES_H

/* The kernel's constants for sets and their elements, and libnftables as one call. */
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>

#pragma clang assume_nonnull begin

typedef struct {
    bool succeeded;
    /* What was printed, and what was wrong: empty or text. Freed by CNFTables_free. */
    char *output;
    char *error;
    /* Why the library was not even begun with: the errno of a socket or a thread that it takes; else 0. */
    int error_number;
} CNFTablesResult;

/*
 * Runs commands as `nft -f -` would, in one transaction, in the network namespace of the calling thread. What is
 * listed comes without counters and without the elements of sets. A check has the kernel look at the commands and do
 * none of them. What is listed can be had as JSON. Takes a lock of the process's: one call at a time.
 */
CNFTablesResult CNFTables_run(const char *commands, bool is_check, bool as_json);

void CNFTables_free(CNFTablesResult result);

/* The file that libnftables was loaded from: it has no function that tells its version. */
const char *_Nullable CNFTables_library_path(void);

#pragma clang assume_nonnull end

#endif
