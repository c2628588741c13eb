/* The module map beside this file links libnetfilter_conntrack; CConntrack holds the headers. */
