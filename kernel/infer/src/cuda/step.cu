// One token of up to TILE symbols through one member of the ensemble, in one block of threads.
//
// The text is C as well as CUDA C++: everything between two barriers is a function of the thread's
// number `t` (a phase), and EACH_THREAD runs a phase for every thread. No phase reads what another
// thread writes in the same phase, so the order of threads does not show; a test runs them in
// several orders and compares bits. Every fused multiplication and addition says so (fmaf) and the
// compiler is told to fuse nothing else, so a device computes what the C compiler computes.
//
// Weights are fp16, keys and values are kept as fp16 in rings on the device; every sum, the
// softmax and what stays inside a block is fp32.
//
// Definition of the model: src/reference.rs. Layout of the weights: src/cuda/layout.rs.

#define GROUPS (THREADS / D_MODEL)              // parts of the inputs of a 64-wide layer
#define HEAD_GROUPS (THREADS / OUTPUTS_PADDED)  // the same of the head
#define PARTS (THREADS / (TILE * HEADS))        // threads that share one head's band
#define SLOTS_A_PART (WINDOW / PARTS)
#define PARTIAL (HEAD_DIM + 2)                  // a part's maximum, sum, mixed values
#define PER_LOAD 8                              // fp16 values of a 16-byte load
#define HALF_MAX 65504.0f
#define LOWEST (-3.0e38f)

// One token on its way in: 64 bytes.
typedef struct {
    unsigned int symbol; // row of the rings
    unsigned int slot;   // where the newest token lies: position modulo WINDOW
    unsigned int filled; // slots in use, the newest included: 1 to WINDOW
    unsigned int reserved;
    float features[FEATURES]; // scaled
} Entry;

// In front of the tokens.
typedef struct {
    unsigned int count;    // tokens of this step
    unsigned int sequence; // number of this step, told when it is done
    unsigned int reserved[14];
} Control;

typedef struct {
    const half_bits *weights;  // (member, MEMBER_VALUES)
    half_bits *rings;          // (symbol, member, layer, key or value, slot, D_MODEL)
    const Control *control;    // pinned memory of the host
    const Entry *entries;      // pinned memory of the host, (count,)
    float *outputs;            // pinned memory of the host, (count, member, OUTPUTS_PADDED)
    unsigned int *counter;     // blocks that are done
    unsigned int *flag;        // pinned memory of the host: the last step that is done
    unsigned int members;
} Step;

// What the threads of a block share.
typedef struct {
    float x[TILE][D_MODEL];   // residual stream
    float h[TILE][D_MODEL];   // a norm's output, mixed values
    float wide[TILE][FF];     // features, queries, hidden feed-forward layer
    float part[THREADS * (TILE > PARTIAL ? TILE : PARTIAL)]; // partial sums
    unsigned int symbol[TILE];
    unsigned int slot[TILE];
    unsigned int filled[TILE];
    unsigned int live;        // tokens of this tile
    unsigned int first;       // index of the first
    unsigned int member;
} Shared;

// e^x for x clamped to -87..88: range reduction and coefficients of expf in the Cephes library
// (Moshier, 1989).
INLINE float exp_clamped(float x)
{
    x = fminf(fmaxf(x, -87.0f), 88.0f);
    const float rounded = fmaf(x, 1.44269504f, 12582912.0f);
    const float n = rounded - 12582912.0f;
    const float r = fmaf(n, 2.1219444e-4f, fmaf(n, -0.6933594f, x));
    float p = 1.9875691e-4f;
    p = fmaf(p, r, 1.3981999e-3f);
    p = fmaf(p, r, 8.333452e-3f);
    p = fmaf(p, r, 4.1665796e-2f);
    p = fmaf(p, r, 1.6666665e-1f);
    p = fmaf(p, r, 5e-1f);
    const float mantissa = fmaf(p, r * r, r) + 1.0f;
    return mantissa * as_float((as_bits(rounded) << 23) + 0x3f800000u);
}

INLINE float gelu(float x)
{
    const float u = x + 0.044715f * (x * x * x);
    return x / (1.0f + exp_clamped(-1.5957692f * u));
}

// A key or value as it is kept: finite, whatever the weights.
INLINE half_bits kept(float v) { return narrow(fminf(fmaxf(v, -HALF_MAX), HALF_MAX)); }

INLINE void widen8(uint4 words, float *to)
{
    const unsigned int word[4] = {words.x, words.y, words.z, words.w};
    for (int i = 0; i < 4; ++i) {
        to[2 * i] = widen((half_bits)(word[i] & 0xffffu));
        to[2 * i + 1] = widen((half_bits)(word[i] >> 16));
    }
}

// sum[s] += the weights of output `o` from `count` loads of inputs on, for every symbol.
INLINE void accumulate(const half_bits *weight, int outputs, int o, int from, int count,
                       const float *x, int stride, float *sum)
{
    for (int load = from; load < from + count; ++load) {
        float w[PER_LOAD];
        widen8(load16(weight + (load * outputs + o) * PER_LOAD), w);
        for (int s = 0; s < TILE; ++s) {
            const float *input = x + s * stride + load * PER_LOAD;
            for (int j = 0; j < PER_LOAD; ++j)
                sum[s] = fmaf(w[j], input[j], sum[s]);
        }
    }
}

// Keys (which = 0) or values (which = 1) of one symbol, member and layer: (slot, D_MODEL).
INLINE half_bits *ring(const Step *step, unsigned int symbol, unsigned int member, int layer,
                       int which)
{
    const unsigned long long row = (unsigned long long)symbol * step->members + member;
    return step->rings + ((row * LAYERS + layer) * 2 + which) * (WINDOW * D_MODEL);
}

INLINE void phase_enter(int t, Shared *sh, const Step *step, unsigned int tile,
                        unsigned int member)
{
    const unsigned int count = load_fresh(&step->control->count);
    const unsigned int first = tile * TILE;
    const unsigned int live = count > first ? count - first : 0;
    if (t == 0) {
        sh->first = first;
        sh->live = live < TILE ? live : TILE;
        sh->member = member;
    }
    for (int i = t; i < TILE * FEATURES_PADDED; i += THREADS) {
        const int s = i / FEATURES_PADDED, f = i % FEATURES_PADDED;
        float value = 0.0f;
        if ((unsigned int)s < live && f < FEATURES)
            value = as_float(load_fresh(
                (const unsigned int *)&step->entries[first + s].features[f]));
        sh->wide[s][f] = value;
    }
    if (t < TILE) {
        const int is_live = (unsigned int)t < live;
        const Entry *entry = &step->entries[first + t];
        sh->symbol[t] = is_live ? load_fresh(&entry->symbol) : 0;
        sh->slot[t] = is_live ? load_fresh(&entry->slot) : 0;
        sh->filled[t] = is_live ? load_fresh(&entry->filled) : 0;
    }
}

INLINE void phase_input(int t, Shared *sh, const half_bits *weights)
{
    if (t >= D_MODEL)
        return;
    float sum[TILE];
    for (int s = 0; s < TILE; ++s)
        sum[s] = widen(weights[INPUT_BIAS + t]);
    accumulate(weights + INPUT_WEIGHT, D_MODEL, t, 0, FEATURES_PADDED / PER_LOAD, &sh->wide[0][0],
               FF, sum);
    for (int s = 0; s < TILE; ++s)
        sh->x[s][t] = sum[s];
}

// h = norm(x). Every thread sums the whole vector itself: cheaper than two more barriers.
INLINE void phase_norm(int t, Shared *sh, const half_bits *weight, const half_bits *bias)
{
    for (int i = t; i < TILE * D_MODEL; i += THREADS) {
        const int s = i / D_MODEL, d = i % D_MODEL;
        float lane[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int j = 0; j < D_MODEL; ++j)
            lane[j & 3] += sh->x[s][j];
        const float mean = ((lane[0] + lane[1]) + (lane[2] + lane[3])) / (float)D_MODEL;
        float square[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int j = 0; j < D_MODEL; ++j) {
            const float off = sh->x[s][j] - mean;
            square[j & 3] = fmaf(off, off, square[j & 3]);
        }
        const float variance =
            ((square[0] + square[1]) + (square[2] + square[3])) / (float)D_MODEL;
        const float gain = 1.0f / sqrtf(variance + 1e-5f);
        sh->h[s][d] = fmaf((sh->x[s][d] - mean) * gain, widen(weight[d]), widen(bias[d]));
    }
}

// Queries stay in the block; keys and values go to the rings.
INLINE void phase_qkv(int t, Shared *sh, const Step *step, const half_bits *block, int layer)
{
    if (t >= 3 * D_MODEL)
        return;
    float sum[TILE];
    for (int s = 0; s < TILE; ++s)
        sum[s] = widen(block[QKV_BIAS + t]);
    accumulate(block + QKV_WEIGHT, 3 * D_MODEL, t, 0, D_MODEL / PER_LOAD, &sh->h[0][0], D_MODEL,
               sum);
    const int which = t / D_MODEL, d = t % D_MODEL;
    for (int s = 0; s < TILE; ++s) {
        if (which == 0)
            sh->wide[s][d] = sum[s] * 0.35355338f; // 1 / sqrt(HEAD_DIM)
        else if ((unsigned int)s < sh->live)
            ring(step, sh->symbol[s], sh->member, layer,
                 which - 1)[sh->slot[s] * D_MODEL + d] = kept(sum[s]);
    }
}

// One part of one head's band of one symbol: maximum, sum and mixed values of its slots.
INLINE void phase_attend(int t, Shared *sh, const Step *step, const half_bits *block, int layer)
{
    const int head = t % HEADS, part = t / HEADS % PARTS, s = t / (HEADS * PARTS);
    const unsigned int filled = sh->filled[s], slot = sh->slot[s];
    const half_bits *keys = ring(step, sh->symbol[s], sh->member, layer, 0) + head * HEAD_DIM;
    const half_bits *values = ring(step, sh->symbol[s], sh->member, layer, 1) + head * HEAD_DIM;
    const float *q = &sh->wide[s][head * HEAD_DIM];
    float score[SLOTS_A_PART];
    float max = LOWEST;
    for (int i = 0; i < SLOTS_A_PART; ++i) {
        const unsigned int then = part + PARTS * i;
        score[i] = LOWEST;
        if (then < filled) {
            const unsigned int age = (slot - then) & (WINDOW - 1);
            float k[PER_LOAD];
            widen8(load16(keys + then * D_MODEL), k);
            score[i] = widen(block[AGE_BIAS + head * WINDOW + age]);
            for (int d = 0; d < HEAD_DIM; ++d)
                score[i] = fmaf(q[d], k[d], score[i]);
            max = fmaxf(max, score[i]);
        }
    }
    float total = 0.0f, mixed[HEAD_DIM] = {0.0f};
    for (int i = 0; i < SLOTS_A_PART; ++i) {
        const unsigned int then = part + PARTS * i;
        if (then < filled) {
            const float p = exp_clamped(score[i] - max);
            float v[PER_LOAD];
            widen8(load16(values + then * D_MODEL), v);
            total += p;
            for (int d = 0; d < HEAD_DIM; ++d)
                mixed[d] = fmaf(p, v[d], mixed[d]);
        }
    }
    float *to = sh->part + t * PARTIAL;
    to[0] = max;
    to[1] = total;
    for (int d = 0; d < HEAD_DIM; ++d)
        to[2 + d] = mixed[d];
}

// Joins the parts of a head: h = mixed values.
INLINE void phase_merge(int t, Shared *sh)
{
    for (int i = t; i < TILE * D_MODEL; i += THREADS) {
        const int s = i / D_MODEL, head = i % D_MODEL / HEAD_DIM, d = i % HEAD_DIM;
        const float *first = sh->part + (s * PARTS * HEADS + head) * PARTIAL;
        float max = LOWEST;
        for (int part = 0; part < PARTS; ++part)
            max = fmaxf(max, first[part * HEADS * PARTIAL]);
        float total = 0.0f, mixed = 0.0f;
        for (int part = 0; part < PARTS; ++part) {
            const float *of = first + part * HEADS * PARTIAL;
            const float scale = exp_clamped(of[0] - max);
            total = fmaf(scale, of[1], total);
            mixed = fmaf(scale, of[2 + d], mixed);
        }
        // A place of the tile without a token has no band.
        sh->h[s][i % D_MODEL] = total > 0.0f ? mixed / total : 0.0f;
    }
}

// Partial sums of a layer of D_MODEL outputs; `loads` of inputs in all.
INLINE void phase_narrow(int t, Shared *sh, const half_bits *weight, const float *x, int stride,
                         int loads)
{
    const int o = t % D_MODEL, group = t / D_MODEL;
    float sum[TILE];
    for (int s = 0; s < TILE; ++s)
        sum[s] = 0.0f;
    accumulate(weight, D_MODEL, o, group * (loads / GROUPS), loads / GROUPS, x, stride, sum);
    for (int s = 0; s < TILE; ++s)
        sh->part[(group * TILE + s) * D_MODEL + o] = sum[s];
}

// x += the partial sums and the bias.
INLINE void phase_add(int t, Shared *sh, const half_bits *bias)
{
    for (int i = t; i < TILE * D_MODEL; i += THREADS) {
        const int s = i / D_MODEL, d = i % D_MODEL;
        float sum = widen(bias[d]);
        for (int group = 0; group < GROUPS; ++group)
            sum += sh->part[(group * TILE + s) * D_MODEL + d];
        sh->x[s][d] += sum;
    }
}

INLINE void phase_ff1(int t, Shared *sh, const half_bits *block)
{
    for (int o = t; o < FF; o += THREADS) {
        float sum[TILE];
        for (int s = 0; s < TILE; ++s)
            sum[s] = widen(block[FF1_BIAS + o]);
        accumulate(block + FF1_WEIGHT, FF, o, 0, D_MODEL / PER_LOAD, &sh->h[0][0], D_MODEL, sum);
        for (int s = 0; s < TILE; ++s)
            sh->wide[s][o] = gelu(sum[s]);
    }
}

INLINE void phase_head(int t, Shared *sh, const half_bits *weights)
{
    const int o = t % OUTPUTS_PADDED, group = t / OUTPUTS_PADDED;
    const int loads = D_MODEL / PER_LOAD / HEAD_GROUPS;
    float sum[TILE];
    for (int s = 0; s < TILE; ++s)
        sum[s] = 0.0f;
    accumulate(weights + HEAD_WEIGHT, OUTPUTS_PADDED, o, group * loads, loads, &sh->h[0][0],
               D_MODEL, sum);
    for (int s = 0; s < TILE; ++s)
        sh->part[(group * TILE + s) * OUTPUTS_PADDED + o] = sum[s];
}

INLINE void phase_leave(int t, Shared *sh, const Step *step, const half_bits *weights)
{
    for (int i = t; i < TILE * OUTPUTS_PADDED; i += THREADS) {
        const int s = i / OUTPUTS_PADDED, o = i % OUTPUTS_PADDED;
        float sum = widen(weights[HEAD_BIAS + o]);
        for (int group = 0; group < HEAD_GROUPS; ++group)
            sum += sh->part[(group * TILE + s) * OUTPUTS_PADDED + o];
        if ((unsigned int)s < sh->live) {
            const unsigned long long row =
                (unsigned long long)(sh->first + s) * step->members + sh->member;
            step->outputs[row * OUTPUTS_PADDED + o] = sum;
        }
    }
}

// The last block of the grid tells the host.
INLINE void phase_tell(int t, const Step *step, unsigned int blocks)
{
    if (t == 0 && arrive(step->counter) == blocks - 1) {
        *step->counter = 0;
        publish(step->flag, load_fresh(&step->control->sequence));
    }
}

INLINE void step_block(Shared *sh, const Step *step, unsigned int tile, unsigned int member)
{
    const half_bits *weights = step->weights + (unsigned long long)member * MEMBER_VALUES;
    EACH_THREAD(phase_enter(t, sh, step, tile, member));
    if (sh->live == 0)
        return;
    EACH_THREAD(phase_input(t, sh, weights));
    for (int layer = 0; layer < LAYERS; ++layer) {
        const half_bits *block = weights + BLOCKS_BEGIN + layer * BLOCK_VALUES;
        EACH_THREAD(phase_norm(t, sh, block + NORM1_WEIGHT, block + NORM1_BIAS));
        EACH_THREAD(phase_qkv(t, sh, step, block, layer));
        EACH_THREAD(phase_attend(t, sh, step, block, layer));
        EACH_THREAD(phase_merge(t, sh));
        EACH_THREAD(phase_narrow(t, sh, block + OUT_WEIGHT, &sh->h[0][0], D_MODEL,
                                 D_MODEL / PER_LOAD));
        EACH_THREAD(phase_add(t, sh, block + OUT_BIAS));
        EACH_THREAD(phase_norm(t, sh, block + NORM2_WEIGHT, block + NORM2_BIAS));
        EACH_THREAD(phase_ff1(t, sh, block));
        EACH_THREAD(phase_narrow(t, sh, block + FF2_WEIGHT, &sh->wide[0][0], FF, FF / PER_LOAD));
        EACH_THREAD(phase_add(t, sh, block + FF2_BIAS));
    }
    EACH_THREAD(phase_norm(t, sh, weights + NORM_F_WEIGHT, weights + NORM_F_BIAS));
    EACH_THREAD(phase_head(t, sh, weights));
    EACH_THREAD(phase_leave(t, sh, step, weights));
}

#ifdef __CUDACC__
extern "C" __global__ void __launch_bounds__(THREADS, 2) ENTRY_POINT(const Step step)
{
    __shared__ __align__(16) Shared shared;
    step_block(&shared, &step, blockIdx.x, blockIdx.y);
    phase_tell((int)threadIdx.x, &step, gridDim.x * gridDim.y);
}
#endif
