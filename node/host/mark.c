/* mark.c: HOME/store.mark: how far the store of this home has come, and which file it is.  A store that is
 * behind it, or another file, was put back from a copy.
 *
 * It is written without sync after each commit: after a power cut it may lag behind the store, which says
 * nothing; it is never ahead of what the store has synced. */
#include "node/host/host.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_BYTES = 42 }; /* "commit inode\n", 20 digits each */

struct mark {
    int fd;
    uint64_t commit, inode;
};

static uint64_t inode_of(const char *home)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/store/data.mdb", home);
    return stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

int mark_open(struct mark **out, const char *home, uint64_t commit, bool *put_back, struct report *r)
{
    char path[512], text[MARK_BYTES + 1] = "";
    char *space, *end;
    struct mark *m = xcalloc(1, sizeof *m);
    snprintf(path, sizeof path, "%s/store.mark", home);
    m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (m->fd < 0) {
        free(m);
        return report_set(r, SOUK_EIO, "cannot write %s: make the home writable", path);
    }
    m->inode = inode_of(home);
    /* Unreadable, or never written: it says nothing. */
    bool read = pread(m->fd, text, MARK_BYTES, 0) == MARK_BYTES;
    uint64_t was_commit = strtoull(text, &space, 10), was_inode = strtoull(space, &end, 10);
    *put_back = read && space > text && end > space && (was_commit > commit || was_inode != m->inode);
    mark_write(m, commit);
    *out = m;
    return 0;
}

void mark_write(struct mark *m, uint64_t commit)
{
    char text[MARK_BYTES + 1];
    if (commit == m->commit)
        return;
    m->commit = commit;
    snprintf(text, sizeof text, "%020llu %020llu\n", (unsigned long long)commit,
             (unsigned long long)m->inode);
    (void)!pwrite(m->fd, text, MARK_BYTES, 0); /* a full disk: the mark lags, and says less */
}

void mark_close(struct mark *m)
{
    if (!m)
        return;
    close(m->fd);
    free(m);
}
