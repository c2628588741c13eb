/* The module map beside this file links libnftables; CNFTables holds the headers. */
