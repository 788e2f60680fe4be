// What the step takes from a plain C compiler: the counterpart of src/cuda/device.cuh.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t half_bits;
typedef struct {
    uint32_t x, y, z, w;
} uint4;

#define INLINE static inline

// Threads of a phase run one after another, in the order of a table.
static int thread_order[THREADS];
#define EACH_THREAD(call)                   \
    for (int n = 0; n < THREADS; ++n) {     \
        const int t = thread_order[n];      \
        call;                               \
    }

INLINE float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

INLINE uint32_t as_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

INLINE float widen(half_bits h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
    if (rest >= 0x7c00) // infinity, not a number
        return as_float(sign | 0x7f800000 | (rest & 0x3ff) << 13);
    if (rest < 0x400) // subnormal: exact in fp32
        return sign ? -(float)rest * 0x1p-24f : (float)rest * 0x1p-24f;
    return as_float(sign | ((rest << 13) + 0x38000000));
}

INLINE half_bits narrow(float f)
{
    const uint32_t bits = as_bits(f), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest >= 0x7f800000)
        return sign | 0x7c00 | (rest > 0x7f800000 ? 0x200 : 0);
    if (rest >= 0x477ff000) // rounds beyond the largest
        return sign | 0x7c00;
    if (rest < 0x38800000) // subnormal: adding 0.5 rounds at the last bit of an fp16
        return sign | (as_bits(as_float(rest) + 0.5f) - 0x3f000000);
    return sign | (rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13;
}

INLINE uint4 load16(const half_bits *at)
{
    uint4 words;
    memcpy(&words, at, sizeof words);
    return words;
}

INLINE unsigned int load_fresh(const unsigned int *at) { return *at; }
INLINE unsigned int arrive(unsigned int *counter) { return (*counter)++; }
INLINE void publish(unsigned int *flag, unsigned int value) { *flag = value; }
