/* The line between a group's parent and a child: frame types (proc/ipc.h). Inside of group.c and
 * group_self.c. */
#ifndef SILD_PROC_GROUP_LINE_H
#define SILD_PROC_GROUP_LINE_H

#define GROUP_LINE_FD 3
#define GROUP_NAME_MAX 48

enum group_line {
    /* to the child; the body is a name */
    GROUP_LISTEN = 1, /* a listening socket */
    GROUP_PEER,       /* the end of a line to another child */
    GROUP_BEGIN,      /* all there is at first was sent: run */
    GROUP_COMMAND,    /* id; body: the words */
    GROUP_STOP,
    GROUP_PAGE,  /* what a process counts (base/tally.h): one's own, or, for who watches, each */
    GROUP_STATM, /* for who watches: a process's memory as the kernel tells it */
    /* to the parent */
    GROUP_READY,
    GROUP_ANSWER, /* id; u8 exit code, text */
    GROUP_TELL,   /* name of a child, one zero byte, the words */
};

#endif
