/* Reads a filter and keys, derives every identifier by the kernels, writes them and what was found.
   In:  uint32 words (a power of two), so many uint64; uint32 keys (a multiple of 4),
        so many (16 bytes, uint32 first interval).
   Out: per key six groups of 24 identifiers, each followed by a byte: whether the group before may
        be in the filter. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void truyvet_hkdf(uint64_t keys, uint64_t rpiks);
void truyvet_expand(uint64_t rpik, uint64_t schedule);
void truyvet_encrypt(uint64_t schedule, uint32_t first, uint64_t out);
uint64_t truyvet_derive(uint64_t schedule, uint64_t counters, uint64_t slot, uint64_t probed,
                        uint64_t checked, uint64_t words, uint64_t mask);

static void need(void *into, size_t size) {
  if (fread(into, 1, size, stdin) != size) exit(3);
}

#define AT(pointer) ((uint64_t)(uintptr_t)(pointer))

int main(void) {
  uint32_t count, keys;
  need(&count, 4);
  uint64_t *words = malloc(8ul * count);
  need(words, 8ul * count);
  need(&keys, 4);
  uint8_t slots[2][384], again[384], schedule[176], counters[384];
  memset(counters, 0, sizeof counters);
  memset(slots, 0, sizeof slots);
  int here = 0;
  for (uint32_t key = 0; key < keys; key += 4) {
    uint8_t data[64], rpiks[64];
    uint32_t firsts[4];
    for (int lane = 0; lane < 4; lane++) {
      need(data + 16 * lane, 16);
      need(firsts + lane, 4);
    }
    truyvet_hkdf(AT(data), AT(rpiks));
    for (int lane = 0; lane < 4; lane++) {
      truyvet_expand(AT(rpiks + 16 * lane), AT(schedule));
      for (int group = 0; group < 6; group++, here ^= 1) {
        uint32_t first = firsts[lane] + 24 * group;
        for (uint32_t block = 0; block < 24; block++) {
          uint32_t interval = first + block;
          memcpy(counters + 16 * block + 12, &interval, 4);
        }
        uint64_t found = truyvet_derive(AT(schedule), AT(counters), AT(slots[here]), AT(slots[!here]), 0,
                                        AT(words), 8ul * (count - 1));
        truyvet_encrypt(AT(schedule), first, AT(again));
        if (memcmp(again, slots[here], sizeof again)) return 4;
        fwrite(slots[here], 1, 384, stdout);
        putchar(found != 0);
      }
    }
  }
  return 0;
}
