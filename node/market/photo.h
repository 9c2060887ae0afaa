/* photo.h: pictures, without what telephones write into them.
 *
 * Three formats are known: JPEG (ITU T.81), PNG (ISO 15948) and WebP (RFC 9649), still pictures only.  They
 * are taken apart by segment or chunk and put together again from what is needed to draw them; nothing is
 * decoded, so the picture itself stays as it was, bit by bit.  What goes: EXIF (with it the position, the
 * owner's name and the thumbnail of what the picture once showed), XMP, IPTC, colour profiles, comments,
 * texts, times, further pictures of a burst, and whatever lies behind the end.  What stays:
 *
 *     JPEG   SOI, a JFIF header without thumbnail, Adobe's APP14, DQT DHT DAC DRI SOFn DNL SOS scans EOI
 *     PNG    IHDR PLTE IDAT IEND, tRNS cHRM gAMA sBIT sRGB bKGD pHYs of their exact or bounded sizes
 *     WebP   VP8X (its flags made true), ALPH, one VP8 or VP8L
 *
 * Two losses are known: a picture that its EXIF turns upright lies on its side afterwards, and one in a
 * wide colour space looks paler.  Both need a decoder; until there is one, save the picture upright in
 * sRGB.
 *
 * Bytes come from anywhere: reading is bounded, allocates only the output, and never looks behind the end.
 */
#ifndef SOUK_PHOTO_H
#define SOUK_PHOTO_H
#include "crypto/base/buf.h"
#include "crypto/base/err.h"
#include "crypto/base/span.h"

enum { PHOTO_BYTES_MOST = 2 << 20, PHOTO_SIDE_MOST = 20000, PHOTO_THUMBNAIL_BYTES = 8192 };
enum photo_type { PHOTO_OTHER, PHOTO_JPEG, PHOTO_PNG, PHOTO_WEBP };
struct photo_facts {
    enum photo_type type;
    uint32_t width, height; /* 1..PHOTO_SIDE_MOST pixels */
    size_t stripped_bytes;  /* how much shorter the clean picture is */
};
/* By the first bytes alone. */
enum photo_type photo_type_of(struct span bytes);
/* "image/jpeg"; "" for PHOTO_OTHER.  Static storage. */
const char *photo_type_name(enum photo_type type);

/* Appends the clean picture to out (NULL: only looks) and tells its facts.  SOUK_EINVALID: not one of the
 * three, animated, or damaged; SOUK_ERANGE: beyond 2 MiB or 20,000 pixels a side.  Nothing is appended
 * then. Cleaning a clean picture gives the same bytes. */
int photo_strip(struct buf *out, struct span bytes, struct photo_facts *facts, struct report *r);

/* What a node keeps and passes on for others: 0 for bytes that are no picture and for clean pictures,
 * otherwise SOUK_EINVALID (also for pictures of kinds that cannot be cleaned: HEIF, TIFF, GIF, ...) or
 * SOUK_ERANGE. */
int photo_clean(struct span bytes, struct report *r);
#endif
