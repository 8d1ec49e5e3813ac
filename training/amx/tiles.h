// Matrix tiles (AMX), bfloat16 and buffers.
//
// A tile has 16 rows of 64 bytes: 32 bfloat16 or 16 float32. One instruction multiplies 16 pixels by 32
// numbers each (A) with 32x16 weights (B, rows in pairs: [16][16][2]) and adds to 16 pixels by 16 sums.

#pragma once

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

using bfloat16 = uint16_t;

constexpr int LANES = 16;                // channels that one tile or register holds as float32
constexpr int TILE = LANES * 2 * LANES;  // bfloat16 in a tile

// Ask Linux for the permission to use tiles, which a process must have. Returns whether the processor and the
// system can do what network.cpp needs.
inline bool request_tiles() {
    constexpr int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

// Configures all eight tile registers of the calling thread as whole tiles, for as long as the object lives.
class Tiles {
  public:
    Tiles() {
        alignas(64) uint8_t config[64] = {};
        config[0] = 1;
        for (int i = 0; i < 8; i++) {
            config[16 + 2 * i] = 64;
            config[48 + i] = 16;
        }
        _tile_loadconfig(config);
    }
    ~Tiles() { _tile_release(); }
    Tiles(const Tiles &) = delete;
    Tiles &operator=(const Tiles &) = delete;
};

// Zeroed, aligned memory of `count` elements. `buffer + i` points to element `front + i`, so that small
// negative positions are within it.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    Buffer(size_t count, size_t front) : count_(count), front_(front) {
        // 4096 bytes more, so that a whole tile can be read at any position.
        const size_t bytes = (count * sizeof(T) + 4096 + 63) / 64 * 64;
        data_ = static_cast<T *>(std::aligned_alloc(64, bytes));
        if (data_ == nullptr) throw std::bad_alloc();
        std::memset(data_, 0, bytes);
    }
    Buffer(Buffer &&other) noexcept { *this = std::move(other); }
    Buffer &operator=(Buffer &&other) noexcept {
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
        std::swap(front_, other.front_);
        return *this;
    }
    ~Buffer() { std::free(data_); }
    T *operator+(ptrdiff_t i) const { return data_ + front_ + i; }
    // Zero everything from position `i` on.
    void zero_from(size_t i) {
        if (front_ + i < count_) std::memset(*this + i, 0, (count_ - front_ - i) * sizeof(T));
    }

  private:
    T *data_ = nullptr;
    size_t count_ = 0, front_ = 0;
};

// Round to nearest, ties to even.
inline bfloat16 to_bfloat16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return static_cast<bfloat16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// 16 bfloat16 as float32.
inline __m512 widen(const bfloat16 *sixteen) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(sixteen));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// 32 float32 as bfloat16: `first` in the low half, `second` in the high half.
inline __m512i narrow(__m512 first, __m512 second) {
    return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
}

// a0 .. a15 b0 .. b15  ->  a0 b0 a1 b1 .. a15 b15: a row of a B tile.
inline __m512i interleave(__m512i halves) {
    const __m512i even = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(16));
    return _mm512_permutexvar_epi16(_mm512_or_si512(even, _mm512_slli_epi32(odd, 16)), halves);
}

// Transpose a 16x16 matrix of 32-bit numbers in place, a row in each register.
inline void transpose(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}
