#define _GNU_SOURCE
#include "CNetlink.h"

#include <sched.h>
#include <sys/eventfd.h>

int CNetlink_enter_network_namespace(int fd) { return setns(fd, CLONE_NEWNET); }

int CNetlink_unshare_network_namespace(void) { return unshare(CLONE_NEWNET); }

int CNetlink_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
