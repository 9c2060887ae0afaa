/* settings.h: what soukd is told: a file HOME/souk.conf of `name = value` lines, and flags --name VALUE
 * that override it.  Every setting is both. */
#ifndef SOUK_SETTINGS_H
#define SOUK_SETTINGS_H
#include "node/host/host.h"

struct settings {
    char home[256];
    struct host_config host;
    struct node_config node; /* network, listen, peers…; the node key is read by settings_node_key */
    uint8_t node_sk[64];     /* what node.node_sk points to; host_run wipes it */
    char network[40];
    unsigned work_bits, puzzle_bits;
    bool loopback;
    char passphrase_file[256];
    char log_level[8];
    enum { RUN_NODE, RUN_CHECK, RUN_REINDEX, RUN_HELP, RUN_VERSION } run;
};
/* Reads the flags, then the file of the home that they name, then the flags again.  SOUK_EUSAGE or
 * SOUK_EINVALID with the name of the setting, the line of the file and the mend. */
int settings_read(struct settings *s, int argc, char **argv, struct report *r);
void settings_help(void); /* prints every setting with its meaning and default */
/* Reads HOME/node.key, or makes one (0600) whose DHT id shows the network's puzzle. */
int settings_node_key(struct settings *s, struct report *r);
/* Reads a passphrase (first line) into *out, sodium_malloc'ed with *n bytes; the caller frees it. */
int settings_passphrase(const struct settings *s, char **out, size_t *n, struct report *r);
#endif
