#ifndef CLIBFUZZER_H
#define CLIBFUZZER_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's own mutations, in place; the new size. No header declares it. */
size_t LLVMFuzzerMutate(uint8_t *_Nullable data, size_t size, size_t max_size);

#endif
