// Runs the step for a whole session on the processor. Reads from standard input, little endian:
//   u32 symbols, members, steps, order; fp16 weights of all members;
//   for each step u32 count and `count` entries.
// Writes for each step `count` x members x OUTPUTS_PADDED floats.
// `order`: 0 threads ascending, 1 descending, 2 shuffled anew each step.

static void get(void *to, size_t bytes)
{
    if (bytes && fread(to, 1, bytes, stdin) != bytes) {
        fprintf(stderr, "input is cut\n");
        exit(2);
    }
}

static void *take(size_t bytes)
{
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(2);
    }
    return memory;
}

static void order_threads(uint32_t order, uint32_t *seed)
{
    for (int t = 0; t < THREADS; ++t)
        thread_order[t] = order == 1 ? THREADS - 1 - t : t;
    for (int n = THREADS - 1; order == 2 && n > 0; --n) {
        *seed = *seed * 1664525u + 1013904223u;
        const int other = (int)((*seed >> 8) % (uint32_t)(n + 1)), t = thread_order[n];
        thread_order[n] = thread_order[other];
        thread_order[other] = t;
    }
}

int main(void)
{
    uint32_t head[4], seed = 1;
    get(head, sizeof head);
    const uint32_t symbols = head[0], members = head[1], steps = head[2], order = head[3];
    const size_t weight_bytes = (size_t)members * MEMBER_VALUES * sizeof(half_bits);
    half_bits *weights = take(weight_bytes);
    get(weights, weight_bytes);
    const size_t ring_values = (size_t)LAYERS * 2 * WINDOW * D_MODEL;
    half_bits *rings = take(symbols * members * ring_values * sizeof(half_bits));
    // What was never written must not matter: fp16 "not a number" shows wherever it is read.
    memset(rings, 0xff, symbols * members * ring_values * sizeof(half_bits));
    Entry *entries = take(symbols * sizeof(Entry));
    float *outputs = take((size_t)symbols * members * OUTPUTS_PADDED * sizeof(float));
    Shared *shared = take(sizeof(Shared));
    Control control = {0};
    unsigned int counter = 0, flag = 0;
    const Step step = {weights, rings, &control, entries, outputs, &counter, &flag, members};
    for (uint32_t n = 1; n <= steps; ++n) {
        get(&control.count, sizeof control.count);
        control.sequence = n;
        if (control.count > symbols)
            return 2;
        get(entries, control.count * sizeof(Entry));
        order_threads(order, &seed);
        // One tile more than needed: a block without tokens must do nothing but be counted.
        const uint32_t tiles = (control.count + TILE - 1) / TILE + 1;
        for (uint32_t block = 0; block < tiles * members; ++block) {
            memset(shared, 0xff, sizeof(Shared));
            step_block(shared, &step, block / members, block % members);
            EACH_THREAD(phase_tell(t, &step, tiles * members));
            if (flag != (block + 1 == tiles * members ? n : n - 1))
                return 3; // told too early or not at all
        }
        fwrite(outputs, sizeof(float), (size_t)control.count * members * OUTPUTS_PADDED, stdout);
    }
    return 0;
}
