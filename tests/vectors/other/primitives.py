"""primitives.py: the cryptography that spec/crypto.md names, in plain Python, written from the RFCs.

Slow, not constant in time, and so for checking vectors only: never for secrets of one's own.
BLAKE2b (RFC 7693) and SHA-2 are hashlib's; the rest is here: Ed25519 as strict as crypto.md, section 3, X25519
(RFC 7748), ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), Noise XX.
"""
import hashlib
import hmac
import struct

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def blake2b(message, use="", salt=bytes(16), size=32, key=b""):
    return hashlib.blake2b(message, digest_size=size, key=key, salt=salt, person=use.encode().ljust(16, b"\0")).digest()


# ---- Ed25519 ------------------------------------------------------------------------------------------

def point_add(p, q):
    """Extended coordinates (RFC 8032, 5.1.4)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_mul(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = point_add(q, p)
        p = point_add(p, p)
        n >>= 1
    return q


def point_encode(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def point_decode(b):
    """The point of a canonical encoding, or None."""
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def is_neutral(p):
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0


def small_order(p):
    return is_neutral(point_mul(8, p))


BASE = point_decode(bytes([0x58]) + bytes([0x66] * 31))


def verify(public, message, signature):
    """Strict: canonical S, R and key, none of small order; then [S]B = R + [h]A, without the cofactor."""
    if len(signature) != 64 or len(public) != 32:
        return False
    r, s = point_decode(signature[:32]), int.from_bytes(signature[32:], "little")
    a = point_decode(public)
    if s >= L or r is None or a is None or small_order(r) or small_order(a):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return point_encode(point_mul(s, BASE)) == point_encode(point_add(r, point_mul(h, a)))


def sign(seed, message):
    """RFC 8032, 5.1.6: for peers made up by tests, whose secrets are nobody's."""
    h = hashlib.sha512(seed).digest()
    a, public = clamp(h[:32]), public_of(seed)
    r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % L
    big_r = point_encode(point_mul(r, BASE))
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % L
    return big_r + ((r + k * a) % L).to_bytes(32, "little")


def public_of(seed):
    return point_encode(point_mul(clamp(hashlib.sha512(seed).digest()[:32]), BASE))


def x_of_node(public):
    """The X25519 key of an Ed25519 node key (RFC 7748, 4.1), or None unless it is a canonical encoding of a
    point of the prime-order group."""
    p = point_decode(public)
    if p is None or is_neutral(p) or not is_neutral(point_mul(L, p)):
        return None
    y = p[1]
    return ((1 + y) * pow(1 - y, P - 2, P) % P).to_bytes(32, "little")


def x_secret_of_seed(seed):
    return hashlib.sha512(seed).digest()[:32]


# ---- X25519 -------------------------------------------------------------------------------------------

def clamp(b):
    return int.from_bytes(b, "little") & ~7 & (2**254 - 1) | 2**254


def x25519(secret, public=(9).to_bytes(32, "little")):
    """The shared secret, or None when it is 32 zeros."""
    k, x1 = clamp(secret), int.from_bytes(public, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    out = (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")
    return out if any(out) else None


# ---- ChaCha20-Poly1305 --------------------------------------------------------------------------------

def rounds(s):
    def quarter(a, b, c, d):
        s[a] = s[a] + s[b] & 0xFFFFFFFF
        s[d] ^= s[a]
        s[d] = (s[d] << 16 | s[d] >> 16) & 0xFFFFFFFF
        s[c] = s[c] + s[d] & 0xFFFFFFFF
        s[b] ^= s[c]
        s[b] = (s[b] << 12 | s[b] >> 20) & 0xFFFFFFFF
        s[a] = s[a] + s[b] & 0xFFFFFFFF
        s[d] ^= s[a]
        s[d] = (s[d] << 8 | s[d] >> 24) & 0xFFFFFFFF
        s[c] = s[c] + s[d] & 0xFFFFFFFF
        s[b] ^= s[c]
        s[b] = (s[b] << 7 | s[b] >> 25) & 0xFFFFFFFF
    for _ in range(10):
        quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15)
        quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14)
    return s


SIGMA = struct.unpack("<4L", b"expand 32-byte k")


def chacha20(key, counter, nonce, data):
    first = list(SIGMA + struct.unpack("<8L", key))
    last = list(struct.unpack("<3L", nonce))
    out = bytearray()
    for i in range(0, len(data), 64):
        start = first + [counter + i // 64] + last
        block = struct.pack("<16L", *((a + b) & 0xFFFFFFFF for a, b in zip(rounds(list(start)), start)))
        out += bytes(a ^ b for a, b in zip(data[i:i + 64], block))
    return bytes(out)


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    a = 0
    for i in range(0, len(message), 16):
        a = (a + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (a + int.from_bytes(key[16:32], "little") & (2**128 - 1)).to_bytes(16, "little")


def tag_of(key, nonce, ad, sealed):
    def padded(b):
        return b + bytes(-len(b) % 16)
    one_time = chacha20(key, 0, nonce, bytes(32))
    return poly1305(one_time, padded(ad) + padded(sealed) + struct.pack("<QQ", len(ad), len(sealed)))


def aead_open(key, nonce, sealed, ad):
    """The plaintext, or None when it does not authenticate."""
    if len(sealed) < 16 or not hmac.compare_digest(tag_of(key, nonce, ad, sealed[:-16]), sealed[-16:]):
        return None
    return chacha20(key, 1, nonce, sealed[:-16])


def aead_seal(key, nonce, plain, ad):
    sealed = chacha20(key, 1, nonce, plain)
    return sealed + tag_of(key, nonce, ad, sealed)


def hchacha20(key, nonce16):
    s = rounds(list(SIGMA + struct.unpack("<8L", key) + struct.unpack("<4L", nonce16)))
    return struct.pack("<8L", *s[:4], *s[12:])


def xaead_open(key, nonce24, sealed, ad):
    return aead_open(hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:], sealed, ad)


def xaead_seal(key, nonce24, plain, ad):
    return aead_seal(hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:], plain, ad)


# ---- Noise_XX_25519_ChaChaPoly_BLAKE2b ----------------------------------------------------------------

def hkdf(ck, ikm):
    """HMAC-BLAKE2b, two outputs of 64 bytes (Noise, revision 34, section 4.3)."""
    def mac(k, m):
        return hmac.new(k, m, lambda d=b"": hashlib.blake2b(d)).digest()
    temp = mac(ck, ikm)
    one = mac(temp, b"\1")
    return one, mac(temp, one + b"\2")


class Cipher:
    def __init__(self, key):
        self.key, self.n = key, 0

    def open(self, sealed, ad=b""):
        plain = aead_open(self.key, struct.pack("<4xQ", self.n), sealed, ad)
        self.n += plain is not None
        return plain

    def seal(self, plain, ad=b""):
        self.n += 1
        return aead_seal(self.key, struct.pack("<4xQ", self.n - 1), plain, ad)


TOKENS = (("e",), ("e", "ee", "s", "es"), ("s", "se"))


class Noise:
    """One side of Noise_XX_25519_ChaChaPoly_BLAKE2b, from its static and ephemeral secrets: write and read in
    turn, three messages in all; then `remote` is the other's static key and `split` gives the ciphers."""

    def __init__(self, initiator, prologue, static, ephemeral):
        self.initiator, self.s, self.e = initiator, static, ephemeral
        self.h = self.ck = b"Noise_XX_25519_ChaChaPoly_BLAKE2b".ljust(64, b"\0")
        self.cipher, self.step, self.remote, self.remote_e = None, 0, None, None
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.h = hashlib.blake2b(self.h + data).digest()

    def agree(self, token):
        """ee, es, se: the first letter is the initiator's key, the second the responder's."""
        mine, theirs = token if self.initiator else token[::-1]
        shared = x25519(self.e if mine == "e" else self.s, self.remote_e if theirs == "e" else self.remote)
        if shared is None:
            raise ValueError("a key of small order")
        self.ck, k = hkdf(self.ck, shared)
        self.cipher = Cipher(k[:32])

    def seal(self, plain):
        out = self.cipher.seal(plain, self.h) if self.cipher else plain
        self.mix_hash(out)
        return out

    def open(self, sealed):
        plain = self.cipher.open(sealed, self.h) if self.cipher else sealed
        if plain is None:
            raise ValueError("does not authenticate")
        self.mix_hash(sealed)
        return plain

    def write(self, payload):
        out = b""
        for token in TOKENS[self.step]:
            if token == "e":
                out += x25519(self.e)
                self.mix_hash(out)
            elif token == "s":
                out += self.seal(x25519(self.s))
            else:
                self.agree(token)
        self.step += 1
        return out + self.seal(payload)

    def read(self, message):
        at = 0
        for token in TOKENS[self.step]:
            if token == "e":
                self.remote_e, at = message[:32], 32
                self.mix_hash(self.remote_e)
            elif token == "s":
                self.remote, at = self.open(message[at:at + 48]), at + 48
            else:
                self.agree(token)
        self.step += 1
        return self.open(message[at:])

    def split(self):
        """(sending, receiving) ciphers."""
        one, two = (Cipher(k[:32]) for k in hkdf(self.ck, b""))
        return (one, two) if self.initiator else (two, one)
