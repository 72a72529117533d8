"""A second program for the random streams: prints the values that golden.rs expects.

It shares nothing with the Rust code: BLAKE3 (single chunk), ChaCha12 and the draws are written here
from their published descriptions and from the docstrings of `flare_core::random`. Numbers behind a
logarithm come from the C library here and from `libm` there, and so may differ in their last bits.

    python3 reference.py
"""

import math
import struct

MASK = 0xFFFFFFFF
IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
CHUNK_START, CHUNK_END, ROOT = 1, 2, 8
DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 32, 64


def rotate_right(x, n):
    return ((x >> n) | (x << (32 - n))) & MASK


def rotate_left(x, n):
    return ((x << n) | (x >> (32 - n))) & MASK


def compress(chain, block, length, flags):
    """One BLAKE3 compression with counter 0; the first eight words of its output."""
    state = list(chain) + IV[:4] + [0, 0, length, flags]
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))

    def mix(a, b, c, d, x, y):
        state[a] = (state[a] + state[b] + x) & MASK
        state[d] = rotate_right(state[d] ^ state[a], 16)
        state[c] = (state[c] + state[d]) & MASK
        state[b] = rotate_right(state[b] ^ state[c], 12)
        state[a] = (state[a] + state[b] + y) & MASK
        state[d] = rotate_right(state[d] ^ state[a], 8)
        state[c] = (state[c] + state[d]) & MASK
        state[b] = rotate_right(state[b] ^ state[c], 7)

    for turn in range(7):
        for i in range(4):
            mix(i, 4 + i, 8 + i, 12 + i, words[2 * i], words[2 * i + 1])
        for i in range(4):
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, words[8 + 2 * i], words[9 + 2 * i])
        words = [words[k] for k in PERMUTATION]
    return [state[i] ^ state[i + 8] for i in range(8)]


def hash_chunk(key, data, flags):
    """BLAKE3 of at most 1,024 bytes."""
    assert len(data) <= 1024
    blocks = [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
    chain = key
    for i, block in enumerate(blocks):
        kind = flags | (CHUNK_START if i == 0 else 0)
        kind |= CHUNK_END | ROOT if i == len(blocks) - 1 else 0
        chain = compress(chain, block, len(block), kind)
    return chain


def derive_key(context, material):
    context_key = hash_chunk(IV, context.encode(), DERIVE_KEY_CONTEXT)
    return hash_chunk(context_key, material, DERIVE_KEY_MATERIAL)


def chacha12_block(key, counter):
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574] + key + [counter & MASK, counter >> 32, 0, 0]
    state = list(start)

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & MASK
            state[z] = rotate_left(state[z] ^ state[x], n)

    for _ in range(6):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(x + y) & MASK for x, y in zip(state, start)]


def encode(seed, purpose, operation, stop, client):
    if operation is None:
        operation_field = b"\0"
    elif isinstance(operation, str):
        operation_field = b"\1" + operation.encode()
    else:
        operation_field = b"\2" + struct.pack("<Q", operation)
    fields = [struct.pack("<Q", seed), purpose.encode(), operation_field, struct.pack("<I", stop), client.encode()]
    return b"".join(struct.pack("<Q", len(field)) + field for field in fields)


class Stream:
    def __init__(self, seed, purpose, operation=None, stop=0, client=""):
        self.key = derive_key("flare stream v1", encode(seed, purpose, operation, stop, client))
        self.used = 0

    def u32(self):
        word = chacha12_block(self.key, self.used // 16)[self.used % 16]
        self.used += 1
        return word

    def u64(self):
        low = self.u32()
        return low | self.u32() << 32

    def f32(self):
        return (self.u32() >> 8) / 2**24

    def f64(self):
        return (self.u64() >> 11) / 2**53

    def below(self, n):
        while True:
            product = self.u64() * n
            if product % 2**64 >= 2**64 % n:
                return product >> 64

    def permutation(self, n):
        order = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order

    def sample(self, n, k):
        taken = set()
        for j in range(n - k, n):
            t = self.below(j + 1)
            taken.add(j if t in taken else t)
        return sorted(taken)

    def normal(self):
        while True:
            u = 2 * self.f64() - 1
            v = 2 * self.f64() - 1
            s = u * u + v * v
            if 0 < s < 1:
                return u * math.sqrt(-2 * math.log(s) / s)

    def gamma_from_one(self, shape):
        d = shape - 1 / 3
        c = 1 / math.sqrt(9 * d)
        while True:
            x = self.normal()
            v = (1 + c * x) ** 3
            if v <= 0:
                continue
            u = 1 - self.f64()
            if math.log(u) < x * x / 2 + d - d * v + d * math.log(v):
                return d * v

    def gamma_ln(self, shape):
        if shape >= 1:
            return math.log(self.gamma_from_one(shape))
        from_one = math.log(self.gamma_from_one(shape + 1))
        return from_one + math.log(1 - self.f64()) / shape

    def dirichlet(self, alpha, n):
        logs = [self.gamma_ln(alpha) for _ in range(n)]
        weights = [math.exp(x - max(logs)) for x in logs]
        return [weight / sum(weights) for weight in weights]


def main():
    print("encode", encode(2**64 - 2, "shuffle", "train-3", 1, "client-04").hex())
    identities = [
        (0, "a"),
        (1, "a"),
        (0, "b"),
        (0, "a", "3"),
        (0, "a", 3),
        (0, "a", None, 1),
        (0, "a", None, 0, "c"),
        (2**64 - 2, "shuffle", "train-3", 1, "client-04"),
    ]
    for identity in identities:
        stream = Stream(*identity)
        print("first", identity, "0x%016x" % stream.u64())
    stream = Stream(0, "a", None, 0, "x" * 300)
    print("long client", "0x%016x" % stream.u64())
    stream = Stream(0, "words")
    print("words", ["0x%08x" % stream.u32() for _ in range(3)])
    for _ in range(60):
        stream.u32()
    print("u64 from word 63", "0x%016x" % stream.u64(), "then", "0x%08x" % stream.u32())
    stream = Stream(0, "floats")
    print("floats", [stream.f32() for _ in range(3)], [stream.f64() for _ in range(3)])
    stream = Stream(0, "below")
    print("below", [stream.below(n) for n in (1, 2, 10, 1000, 2**63 + 1, 3 * 2**62, 2**64 - 1)])
    print("below 3 * 2^62", [stream.below(3 * 2**62) for _ in range(8)], "used", stream.used)
    stream = Stream(0, "permutation")
    print("permutation", stream.permutation(12))
    stream = Stream(0, "sample")
    print("sample", stream.sample(20, 7), stream.sample(1_000_000, 6), stream.sample(5, 5), stream.sample(5, 0))
    stream = Stream(0, "normal")
    print("normal", [stream.normal() for _ in range(5)], "used", stream.used)
    stream = Stream(0, "gamma")
    print("gamma", [stream.gamma_from_one(shape) for shape in (1, 2.5, 1000, 1e12)], "used", stream.used)
    print("gamma_ln", [stream.gamma_ln(shape) for shape in (0.5, 0.001, 1e-300, 3)], "used", stream.used)
    stream = Stream(0, "dirichlet")
    print("dirichlet", stream.dirichlet(0.5, 4), stream.dirichlet(0.001, 3), stream.dirichlet(1e-300, 3))
    print("used", stream.used)


if __name__ == "__main__":
    main()
