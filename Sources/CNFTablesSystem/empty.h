/* The module map beside this file links libipset; CIPSet holds the headers. */
