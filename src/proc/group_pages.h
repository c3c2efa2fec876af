/*
 * What the processes of a group count (base/tally.h), for the one child that watches them. Each has
 * a page of its own, made by the parent, which lives as long as the group: the numbers go on when a
 * process is restarted. The page is sealed against resizing; a process gets its own for writing,
 * who watches gets all for reading.
 */
#ifndef SILD_PROC_GROUP_PAGES_H
#define SILD_PROC_GROUP_PAGES_H

#include "base/tally.h"
#include "proc/group.h"

/* The words of the parent's page: GROUP_PAGES_EACH for each child, in the order of the group. */
enum group_pages_word {
    GROUP_PAGES_PID, /* 0: it does not run */
    GROUP_PAGES_READY,
    GROUP_PAGES_RESTARTS,
    GROUP_PAGES_SINCE, /* since when it has been ready or not, ms since 1970 */
    GROUP_PAGES_EACH,
};

struct group_process {
    char name[48]; /* "worker:0"; the parent: "parent" */
    const struct tally_page *page;
    int statm; /* /proc/<pid>/statm, -1: none */
};

struct group_pages {
    struct group_process at[GROUP_CHILDREN_MAX + 1]; /* the parent first */
    size_t n;
};

/* In a child that watches; lives as long as the process. Children come in the order of the group:
 * at[i + 1] is the child whose words begin at group_pages_word(i, …) of the parent's page. */
const struct group_pages *group_pages(const struct group_self *s);
uint64_t group_pages_get(const struct group_pages *p, size_t child, enum group_pages_word w);
/* Resident memory in bytes; -1 when the process is gone. */
int64_t group_pages_resident(const struct group_process *p);

/* Of group_self.c: a page that came from the parent. Takes the descriptor. */
void group_pages_take(struct group_pages *p, const char *self, bool statm, struct slice name,
                      int fd);

#endif
