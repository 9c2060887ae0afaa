/* pack.c: see pack.h. */
#include "crypto/wire/pack.h"
#include "crypto/base/err.h"
#include <msgpack.h>

static int append(void *b, const char *p, size_t n)
{
    buf_append(b, p, n);
    return 0;
}

static msgpack_packer packer(struct buf *b)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, b, append);
    return pk;
}

void pack_uint(struct buf *b, uint64_t v)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_uint64(&pk, v);
}

void pack_int(struct buf *b, int64_t v)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_int64(&pk, v);
}

void pack_bool(struct buf *b, bool v)
{
    msgpack_packer pk = packer(b);
    if (v)
        msgpack_pack_true(&pk);
    else
        msgpack_pack_false(&pk);
}

void pack_nil(struct buf *b)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_nil(&pk);
}

void pack_double(struct buf *b, double v)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_double(&pk, v);
}

void pack_str(struct buf *b, struct span s)
{
    msgpack_packer pk = packer(b);
    MUST(s.n <= UINT32_MAX);
    msgpack_pack_str(&pk, s.n);
    msgpack_pack_str_body(&pk, s.p, s.n);
}

void pack_cstr(struct buf *b, const char *s)
{
    pack_str(b, span_str(s));
}

void pack_bin(struct buf *b, struct span s)
{
    msgpack_packer pk = packer(b);
    MUST(s.n <= UINT32_MAX);
    msgpack_pack_bin(&pk, s.n);
    msgpack_pack_bin_body(&pk, s.p, s.n);
}

void pack_array(struct buf *b, size_t n)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_array(&pk, n);
}

void pack_map(struct buf *b, size_t n)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_map(&pk, n);
}
