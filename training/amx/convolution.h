// 3x3 convolutions of pixel-major bfloat16 pictures, and the gradients of their kernels.
//
// A picture is one long row of pixels: its rows follow each other at a distance of `pitch` pixels. A "valid"
// convolution is computed at every position of it, even where its window reaches across the end of a row.
// Results there are never used, so that their gradients are zero, and edges need no code of their own.

#pragma once

#include <algorithm>
#include <vector>

#include "tiles.h"

// The part of a convolution that one tile multiplication computes: 32 products for each sum. Its A tile holds
// 32 numbers for each of 16 pixels.
struct Step {
    const bfloat16 *source;  // of the A tile for pixel 0
    ptrdiff_t stride;        // bytes from one pixel to the next
};

// Append the steps of a 3x3 convolution whose first tap for pixel 0 is at `first`. With 32 channels a step is
// one tap. With 16 channels it is two horizontal neighbours; the fourth tap of a row has weights of zero.
inline void add_steps(std::vector<Step> &steps, const bfloat16 *first, int channels, int pitch) {
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column += 2 * LANES / channels)
            steps.push_back({first + static_cast<ptrdiff_t>(row * pitch + column) * channels,
                             static_cast<ptrdiff_t>(channels * sizeof(bfloat16))});
}

// Number of steps of a 3x3 convolution.
constexpr int steps_of(int channels) { return channels == LANES ? 6 : 9; }

// Fill the B tiles of the steps of add_steps: [step][half of the outputs][16][16][2].
// `weight(output, input, tap)` gives the weights; `reversed` counts taps from the last one, for a gradient.
template <class Weight>
void pack(bfloat16 *tiles, int inputs, int outputs, bool reversed, Weight weight) {
    const int columns = inputs == LANES ? 4 : 3;
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < columns; column += 2 * LANES / inputs)
            for (int half = 0; half < outputs / LANES; half++, tiles += TILE)
                for (int i = 0; i < TILE; i++) {
                    const int number = i / (2 * LANES) * 2 + i % 2;  // of 32
                    const int tap = row * 3 + column + number / inputs;
                    const bool there = column + number / inputs < 3;
                    const int output = half * LANES + i % (2 * LANES) / 2;
                    tiles[i] =
                        there ? to_bfloat16(weight(output, number % inputs, reversed ? 8 - tap : tap)) : 0;
                }
}

// Convolve `count` pixels (a multiple of 64) to HALVES * 16 channels. `bias` may be null.
// `finish(p, sums)` is given the float32 sums of 64 / HALVES pixels from p on, pixel-major.
template <int HALVES, class Finish>
void convolve(const std::vector<Step> &steps, const bfloat16 *tiles, const float *bias, int count,
              Finish finish) {
    alignas(64) float sums[64 * LANES];
    alignas(64) float start[HALVES][LANES * LANES];
    for (int half = 0; half < HALVES; half++)
        for (int i = 0; i < LANES * LANES; i++) start[half][i] = bias ? bias[half * LANES + i % LANES] : 0.0f;
    for (int p = 0; p < count; p += 64 / HALVES) {
        _tile_loadd(0, start[0], 64);
        _tile_loadd(1, start[HALVES - 1], 64);
        _tile_loadd(2, start[0], 64);
        _tile_loadd(3, start[HALVES - 1], 64);
        const bfloat16 *b = tiles;
        for (const Step &step : steps) {
            const ptrdiff_t stride = step.stride;
            const char *a = reinterpret_cast<const char *>(step.source) + p * stride;
            _tile_loadd(4, b, 64);
            if constexpr (HALVES == 1) {
                _tile_loadd(5, a, stride);
                _tile_loadd(6, a + 16 * stride, stride);
                _tile_dpbf16ps(0, 5, 4);
                _tile_dpbf16ps(1, 6, 4);
                _tile_loadd(7, a + 32 * stride, stride);
                _tile_loadd(5, a + 48 * stride, stride);
                _tile_dpbf16ps(2, 7, 4);
                _tile_dpbf16ps(3, 5, 4);
            } else {
                _tile_loadd(5, b + TILE, 64);
                _tile_loadd(6, a, stride);
                _tile_loadd(7, a + 16 * stride, stride);
                _tile_dpbf16ps(0, 6, 4);
                _tile_dpbf16ps(1, 6, 5);
                _tile_dpbf16ps(2, 7, 4);
                _tile_dpbf16ps(3, 7, 5);
            }
            b += HALVES * TILE;
        }
        // The tiles hold 4 x 16 pixels, or 2 x 16 pixels in two halves each.
        constexpr int row = HALVES * 64;
        constexpr int second = HALVES == 1 ? 16 * LANES : LANES;
        _tile_stored(0, sums, row);
        _tile_stored(1, sums + second, row);
        _tile_stored(2, sums + 32 * LANES, row);
        _tile_stored(3, sums + 32 * LANES + second, row);
        finish(p, sums);
    }
}

// Add to the gradient of a kernel:
// kernel[tap][INPUTS * 16][OUTPUTS * 16] += sum over pixels p of x[p + tap] * d[p].
// x: the convolution's input, pixel-major, from the first tap of pixel 0 on.
// d: the gradient of its result as B tiles of pixel pairs, `plane` numbers for each half of the outputs.
// count: number of pixels.
template <int INPUTS, int OUTPUTS>
void add_kernel_gradient(const bfloat16 *x, int pitch, const bfloat16 *d, size_t plane, int count,
                         float *kernel) {
    constexpr int channels = INPUTS * LANES;
    constexpr int chunk = 2048;  // pixels whose planes stay in the nearest cache
    static thread_local std::vector<bfloat16> planes;
    // An odd number of cache lines from channel to channel, so that channels do not compete for one cache
    // set.
    const int line = ((chunk + 2 * pitch + 2 + 64) / 32 | 1) * 32;
    planes.resize(static_cast<size_t>(line) * channels + 64);
    for (int begin = 0; begin < count; begin += chunk) {
        const int n = std::min(chunk, count - begin);
        for (int p = 0; p < n + 2 * pitch + 2; p += 32)
            for (int half = 0; half < INPUTS; half++) {
                __m512i pairs[16];
                const bfloat16 *from = x + static_cast<ptrdiff_t>(begin + p) * channels + half * LANES;
                for (int i = 0; i < 16; i++, from += 2 * channels) {
                    const auto *first = reinterpret_cast<const __m256i *>(from);
                    const auto *second = reinterpret_cast<const __m256i *>(from + channels);
                    pairs[i] = interleave(_mm512_inserti64x4(
                        _mm512_castsi256_si512(_mm256_loadu_si256(first)), _mm256_loadu_si256(second), 1));
                }
                transpose(pairs);
                for (int i = 0; i < 16; i++)
                    _mm512_storeu_si512(&planes[static_cast<size_t>(half * LANES + i) * line + p], pairs[i]);
            }
        const bfloat16 *b = d + static_cast<size_t>(begin) * LANES;
        const ptrdiff_t stride = line * sizeof(bfloat16);
        constexpr int row = OUTPUTS * 64;
        for (int tap = 0; tap < 9; tap += INPUTS * OUTPUTS == 1 ? 3 : 1) {
            const bfloat16 *a = &planes[tap / 3 * pitch + tap % 3];
            const bfloat16 *lower = a + static_cast<size_t>(line) * LANES;
            float *k = kernel + static_cast<size_t>(tap) * channels * OUTPUTS * LANES;
            constexpr int inputs = LANES * OUTPUTS * LANES;  // from one half of the inputs to the next
            if constexpr (INPUTS == 1 && OUTPUTS == 1) {
                _tile_loadd(0, k, row);
                _tile_loadd(1, k + inputs, row);
                _tile_loadd(2, k + 2 * inputs, row);
                for (int p = 0; p < n; p += 32) {
                    _tile_loadd(4, b + p * LANES, 64);
                    _tile_loadd(5, a + p, stride);
                    _tile_dpbf16ps(0, 5, 4);
                    _tile_loadd(6, a + p + 1, stride);
                    _tile_dpbf16ps(1, 6, 4);
                    _tile_loadd(7, a + p + 2, stride);
                    _tile_dpbf16ps(2, 7, 4);
                }
                _tile_stored(0, k, row);
                _tile_stored(1, k + inputs, row);
                _tile_stored(2, k + 2 * inputs, row);
            } else {
                _tile_loadd(0, k, row);
                if constexpr (OUTPUTS == 2) _tile_loadd(1, k + LANES, row);
                if constexpr (INPUTS == 2) _tile_loadd(2, k + inputs, row);
                if constexpr (INPUTS == 2 && OUTPUTS == 2) _tile_loadd(3, k + inputs + LANES, row);
                for (int p = 0; p < n; p += 32) {
                    _tile_loadd(4, b + p * LANES, 64);
                    if constexpr (OUTPUTS == 2) _tile_loadd(5, b + plane + p * LANES, 64);
                    _tile_loadd(6, a + p, stride);
                    if constexpr (INPUTS == 2) _tile_loadd(7, lower + p, stride);
                    _tile_dpbf16ps(0, 6, 4);
                    if constexpr (OUTPUTS == 2) _tile_dpbf16ps(1, 6, 5);
                    if constexpr (INPUTS == 2) _tile_dpbf16ps(2, 7, 4);
                    if constexpr (INPUTS == 2 && OUTPUTS == 2) _tile_dpbf16ps(3, 7, 5);
                }
                _tile_stored(0, k, row);
                if constexpr (OUTPUTS == 2) _tile_stored(1, k + LANES, row);
                if constexpr (INPUTS == 2) _tile_stored(2, k + inputs, row);
                if constexpr (INPUTS == 2 && OUTPUTS == 2) _tile_stored(3, k + inputs + LANES, row);
            }
        }
    }
}
