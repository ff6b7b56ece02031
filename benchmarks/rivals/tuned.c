/* The rival in C: a matcher on OpenSSL's libcrypto, as good as its public interface allows.
 *
 * What a careful C programmer does: the HMAC midstates of the zero salt are computed once, the
 * message of the constant second block is constant, one cipher context is kept and only its key
 * changes, a key's blocks are encrypted in one call, a filter of one 64-bit word and two bits per
 * identifier stands before an open-addressing table, both are kept per UTC day (with the two hours
 * of tolerance on either side), and beyond the caches the filter's words are prefetched.
 *
 * Built by benchmarks.rivals.tuned_c as a shared object:  cc -O3 -march=native -shared -fPIC
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DAY 144
#define TOLERANCE 12
#define PREFETCH_FROM_BYTES (4u << 20)

typedef struct {
    uint64_t *filter;
    uint32_t *slots; /* row + 1, 0 is empty */
    unsigned filter_shift;
    uint64_t slot_mask;
    int prefetch;
} day_index;

typedef struct {
    const uint8_t *rpi;
    const uint32_t *interval;
    int64_t first_day, days;
    day_index *day;
} tuned_index;

static uint64_t low(const uint8_t *rpi)
{
    uint64_t x;
    memcpy(&x, rpi, 8);
    return x;
}

static uint64_t two_bits(uint64_t x)
{
    return UINT64_C(1) << (x & 63) | UINT64_C(1) << (x >> 6 & 63);
}

static void insert(tuned_index *index, int64_t day, uint32_t row)
{
    day_index *d = &index->day[day - index->first_day];
    uint64_t x = low(index->rpi + 16 * (uint64_t)row);
    d->filter[x >> d->filter_shift] |= two_bits(x);
    uint64_t at = x >> 12 & d->slot_mask;
    while (d->slots[at])
        at = (at + 1) & d->slot_mask;
    d->slots[at] = row + 1;
}

static unsigned log2_up(uint64_t n)
{
    unsigned k = 0;
    while ((UINT64_C(1) << k) < n)
        k++;
    return k;
}

static int64_t day_of(int64_t interval) { return interval < 0 ? -1 : interval / DAY; }

void tuned_free(tuned_index *index)
{
    if (!index)
        return;
    for (int64_t i = 0; index->day && i < index->days; i++) {
        free(index->day[i].filter);
        free(index->day[i].slots);
    }
    free(index->day);
    free(index);
}

/* The arrays must outlive the index. Rows: rpi[16 * n], interval[n]. NULL when memory is short. */
tuned_index *tuned_build(const uint8_t *rpi, const uint32_t *interval, int64_t n)
{
    tuned_index *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    index->rpi = rpi;
    index->interval = interval;
    if (n == 0)
        return index;
    int64_t first = INT64_MAX, last = -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t a = day_of((int64_t)interval[i] - TOLERANCE);
        int64_t b = day_of((int64_t)interval[i] + TOLERANCE);
        if (a < 0)
            a = 0;
        if (a < first)
            first = a;
        if (b > last)
            last = b;
    }
    index->first_day = first;
    index->days = last - first + 1;
    index->day = calloc((size_t)index->days, sizeof *index->day);
    int64_t *count = calloc((size_t)index->days, sizeof *count);
    if (!index->day || !count)
        goto fail;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < n; i++) {
            int64_t a = day_of((int64_t)interval[i] - TOLERANCE);
            int64_t b = day_of((int64_t)interval[i] + TOLERANCE);
            for (int64_t d = a < 0 ? 0 : a; d <= b; d++) {
                if (pass)
                    insert(index, d, (uint32_t)i);
                else
                    count[d - first]++;
            }
        }
        for (int64_t d = 0; !pass && d < index->days; d++) {
            day_index *x = &index->day[d];
            uint64_t m = (uint64_t)count[d];
            if (!m)
                continue;
            unsigned words = log2_up(m < 8 ? 8 : m); /* 64 bits per identifier, at least one each */
            x->filter_shift = 64 - words;
            x->slot_mask = (UINT64_C(1) << log2_up(2 * m + 1)) - 1;
            x->filter = calloc((size_t)1 << words, 8);
            x->slots = calloc((size_t)x->slot_mask + 1, 4);
            x->prefetch = (UINT64_C(8) << words) >= PREFETCH_FROM_BYTES;
            if (!x->filter || !x->slots)
                goto fail;
        }
    }
    free(count);
    return index;
fail:
    free(count);
    tuned_free(index);
    return NULL;
}

static void big_endian(uint8_t out[32], const SHA256_CTX *c)
{
    for (int i = 0; i < 8; i++) {
        uint32_t h = __builtin_bswap32(c->h[i]);
        memcpy(out + 4 * i, &h, 4);
    }
}

typedef struct {
    SHA256_CTX inner, outer; /* midstates of HMAC with the zero salt */
    uint8_t tail16[64];      /* a 16-byte message's block, after one block already hashed */
    uint8_t tail32[64];
    uint8_t info[64]; /* "EN-RPIK" 0x01 and its padding */
} hkdf_constants;

static void pad(uint8_t block[64], unsigned length)
{
    memset(block + length, 0, 64 - length);
    block[length] = 0x80;
    uint64_t bits = __builtin_bswap64((uint64_t)(64 + length) * 8);
    memcpy(block + 56, &bits, 8);
}

static void hkdf_setup(hkdf_constants *k)
{
    uint8_t block[64];
    SHA256_Init(&k->inner);
    k->outer = k->inner;
    memset(block, 0x36, 64);
    SHA256_Transform(&k->inner, block);
    memset(block, 0x5c, 64);
    SHA256_Transform(&k->outer, block);
    pad(k->tail16, 16);
    pad(k->tail32, 32);
    memcpy(k->info, "EN-RPIK\1", 8);
    pad(k->info, 8);
}

static void derive_rpik(const hkdf_constants *k, const uint8_t tek[16], uint8_t rpik[16])
{
    SHA256_CTX c = k->inner, initial;
    uint8_t block[64], prk[32], keyed[64];
    memcpy(block, k->tail16, 64);
    memcpy(block, tek, 16);
    SHA256_Transform(&c, block);
    memcpy(block, k->tail32, 64);
    big_endian(block, &c);
    c = k->outer;
    SHA256_Transform(&c, block);
    big_endian(prk, &c);

    SHA256_Init(&initial);
    memset(keyed, 0x36, 64);
    for (int i = 0; i < 32; i++)
        keyed[i] ^= prk[i];
    c = initial;
    SHA256_Transform(&c, keyed);
    SHA256_Transform(&c, k->info);
    big_endian(block, &c);
    memset(keyed, 0x5c, 64);
    for (int i = 0; i < 32; i++)
        keyed[i] ^= prk[i];
    c = initial;
    SHA256_Transform(&c, keyed);
    SHA256_Transform(&c, block);
    big_endian(prk, &c);
    memcpy(rpik, prk, 16);
}

static int64_t look_up(const tuned_index *index, const day_index *d, const uint8_t *rpis,
                       int64_t from, int64_t to, uint32_t start, int64_t key, int64_t *hits,
                       int64_t found, int64_t capacity)
{
    if (d->prefetch)
        for (int64_t i = from; i < to; i++)
            __builtin_prefetch(&d->filter[low(rpis + 16 * i) >> d->filter_shift], 0, 1);
    for (int64_t i = from; i < to; i++) {
        uint64_t x = low(rpis + 16 * i), bits = two_bits(x);
        if ((d->filter[x >> d->filter_shift] & bits) != bits)
            continue;
        for (uint64_t at = x >> 12 & d->slot_mask; d->slots[at]; at = (at + 1) & d->slot_mask) {
            uint32_t row = d->slots[at] - 1;
            int64_t apart = (int64_t)index->interval[row] - ((int64_t)start + i);
            if (apart < -TOLERANCE || apart > TOLERANCE ||
                memcmp(index->rpi + 16 * (uint64_t)row, rpis + 16 * i, 16))
                continue;
            if (found < capacity) {
                hits[2 * found] = key;
                hits[2 * found + 1] = row;
            }
            found++;
        }
    }
    return found;
}

/* Finds every (key, row) whose identifier is equal and whose intervals are at most 12 apart.
 * Returns how many there are; only the first `capacity` are written. -1 when libcrypto fails. */
int64_t tuned_match(const tuned_index *index, const uint8_t *tek, const uint32_t *start,
                    const uint8_t *period, int64_t n, int64_t *hits, int64_t capacity)
{
    hkdf_constants constants;
    hkdf_setup(&constants);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t plain[16 * DAY], rpis[16 * DAY], rpik[16] = {0};
    int64_t found = 0;
    int written;
    if (!cipher || !EVP_EncryptInit_ex(cipher, EVP_aes_128_ecb(), NULL, rpik, NULL))
        goto fail;
    EVP_CIPHER_CTX_set_padding(cipher, 0);
    memset(plain, 0, sizeof plain);
    for (int i = 0; i < DAY; i++)
        memcpy(plain + 16 * i, "EN-RPI", 6);
    for (int64_t k = 0; k < n; k++) {
        derive_rpik(&constants, tek + 16 * k, rpik);
        for (uint32_t i = 0; i < period[k]; i++) {
            uint32_t interval = start[k] + i;
            memcpy(plain + 16 * i + 12, &interval, 4);
        }
        if (!EVP_EncryptInit_ex(cipher, NULL, NULL, rpik, NULL) ||
            !EVP_EncryptUpdate(cipher, rpis, &written, plain, 16 * period[k]))
            goto fail;
        for (int64_t from = 0; from < period[k];) {
            int64_t day = ((int64_t)start[k] + from) / DAY;
            int64_t to = (day + 1) * DAY - start[k];
            if (to > period[k])
                to = period[k];
            if (day >= index->first_day && day < index->first_day + index->days &&
                index->day[day - index->first_day].filter)
                found = look_up(index, &index->day[day - index->first_day], rpis, from, to,
                                start[k], k, hits, found, capacity);
            from = to;
        }
    }
    EVP_CIPHER_CTX_free(cipher);
    return found;
fail:
    EVP_CIPHER_CTX_free(cipher);
    return -1;
}
