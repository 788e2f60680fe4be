// What the step takes from a device. The host's counterpart is tests/emulation/host.h.

typedef unsigned short half_bits; // an fp16 number

#define INLINE static __device__ __forceinline__
#define EACH_THREAD(call)             \
    {                                 \
        const int t = (int)threadIdx.x; \
        call;                         \
    }                                 \
    __syncthreads()

INLINE float widen(half_bits h)
{
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
}

// To nearest, ties to even.
INLINE half_bits narrow(float f)
{
    half_bits h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
}

INLINE float as_float(unsigned int bits) { return __uint_as_float(bits); }
INLINE unsigned int as_bits(float f) { return __float_as_uint(f); }
INLINE uint4 load16(const half_bits *at) { return *(const uint4 *)at; }

// What the host writes while the kernel waits to be started again must not come from a cache.
INLINE unsigned int load_fresh(const unsigned int *at)
{
    return *(const volatile unsigned int *)at;
}

// Returns how many blocks arrived before this one; what they wrote is seen by the last.
INLINE unsigned int arrive(unsigned int *counter)
{
    __threadfence_system();
    return atomicAdd(counter, 1u);
}

// Tells the host, after everything that was written before.
INLINE void publish(unsigned int *flag, unsigned int value)
{
    __threadfence_system();
    *(volatile unsigned int *)flag = value;
}
