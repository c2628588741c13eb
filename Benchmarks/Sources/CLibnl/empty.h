/* The module map beside this file links libnl; CNetlink holds the headers. */
