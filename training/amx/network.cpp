// The details of a batch of crops and the gradient of every weight, in bfloat16 on matrix tiles.
//
// What vs_emtcm/network.py computes, crop by crop, each in memory of its own. Sums, biases, slopes, the
// head, the interpolation and the details themselves are float32; features and their gradients are
// bfloat16. Channels are 16 or 32, sub-pixels at most 16.

#include <omp.h>

#include <memory>

#include "convolution.h"

namespace {

// A valid 5x5 convolution of one float32 plane to 16 lanes; `finish(p, a, b)` gets pixels p and p + 1.
template <class Finish>
void convolve_plane(const float *x, int pitch, const float *kernel, int step, __m512 bias, int count,
                    Finish finish) {
    __m512 k[25];
    for (int i = 0; i < 25; i++) k[i] = _mm512_loadu_ps(kernel + i * step);
    for (int p = 0; p < count; p += 4) {
        __m512 sums[4] = {bias, bias, bias, bias};
        for (int i = 0; i < 25; i++) {
            const float *at = x + p + i / 5 * pitch + i % 5;
            for (int j = 0; j < 4; j++) sums[j] = _mm512_fmadd_ps(k[i], _mm512_set1_ps(at[j]), sums[j]);
        }
        finish(p, sums[0], sums[1]);
        finish(p + 2, sums[2], sums[3]);
    }
}

inline void add_to(float *sum, __m512 value) {
    _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), value));
}

struct Sizes {
    int channels, stage1, stage2, subpixels, side, crops, threads;

    int side1() const { return side - 4 - 2 * stage1 - 2; }            // of the first detail
    int side2() const { return side1() - 2 * (stage2 + 1); }           // of the second
    int layers() const { return 1 + stage1 + stage2; }                 // head, body1, fuse, body2
    int fuse() const { return 1 + stage1; }                            // the layer
    int longest() const { return std::max({stage1, stage2, 2}) + 1; }  // that a skip or a kernel reaches
};

class Network {
  public:
    virtual ~Network() = default;
    virtual void forward(const float *weights, const float *low, float *detail1, float *detail2) = 0;
    virtual void backward(const float *gradient1, const float *gradient2, float *gradients) = 0;
};

template <int HALVES>
class NetworkOf final : public Network {
    static constexpr int C = HALVES * LANES;

    // What a layer leaves behind for the way back.
    struct Layer {
        Buffer<bfloat16> values;    // pixel-major
        Buffer<uint16_t> negative;  // a bit for each channel, a plane for each half
    };

    struct Crop {
        Buffer<float> x, detail1;
        std::vector<Layer> layers;
        Buffer<bfloat16> features, refined, fed_back;  // with their skips; the detail, padded to 16
    };

    // A gradient of features, pixel-major and as B tiles.
    struct Gradient {
        Buffer<bfloat16> pixels, pairs;
    };

    // What one thread needs on the way back.
    struct Desk {
        Gradient layer[2], detail;
        Buffer<bfloat16> features, refined;  // gradients that a skip takes back to its start
        Buffer<float> fed_back;
        std::vector<float> gradients;
    };

    // The kernel of a 3x3 convolution as B tiles, for the way there and back.
    struct Kernel {
        int inputs, outputs;
        size_t offset;
        std::vector<bfloat16> forward, backward;
        float *in(std::vector<float> &weights) const { return &weights[offset]; }
    };

    const Sizes sizes_;
    const int pitch_, front_, total_;
    const size_t plane_;
    const __mmask16 subpixels_;
    std::vector<float> cubic_, weights_;
    // Where the weights are: head, kernels, biases, slopes, biases of the details.
    std::vector<Kernel> body_;  // the kernel of each layer; the head's is none of these
    Kernel estimate1_, estimate2_, feed_back_;
    size_t biases_, slopes_, detail_biases_, count_;
    std::vector<bfloat16> to_features_;  // from the first estimate and from fuse, back to the features
    std::vector<Crop> crops_;
    std::vector<Desk> desks_;

  public:
    NetworkOf(const Sizes &sizes, const float *cubic)
        : sizes_(sizes),
          pitch_(sizes.side),
          front_((sizes.longest() * (sizes.side + 1) + 127) / 64 * 64),
          total_(front_ + (sizes.side * sizes.side + sizes.longest() * (sizes.side + 1) + 255) / 64 * 64),
          plane_(static_cast<size_t>(total_) * LANES),
          subpixels_((1u << sizes.subpixels) - 1),
          cubic_(cubic, cubic + 25 * LANES) {
        size_t end = 25 * C;
        auto kernel = [&](int inputs, int outputs) {
            const size_t offset = std::exchange(end, end + static_cast<size_t>(9) * inputs * outputs);
            const auto tiles = [](int k, int n) {
                return static_cast<size_t>(steps_of(k)) * (n / LANES) * TILE;
            };
            return Kernel{inputs, outputs, offset, std::vector<bfloat16>(tiles(inputs, outputs)),
                          std::vector<bfloat16>(tiles(outputs, inputs))};
        };
        body_.push_back({});
        for (int i = 1; i < sizes.layers(); i++) body_.push_back(kernel(C, C));
        feed_back_ = kernel(LANES, C);
        estimate1_ = kernel(C, LANES);
        estimate2_ = kernel(C, LANES);
        biases_ = std::exchange(end, end + static_cast<size_t>(sizes.layers()) * C);
        slopes_ = std::exchange(end, end + static_cast<size_t>(sizes.layers()) * C);
        detail_biases_ = std::exchange(end, end + 2 * LANES);
        count_ = end;
        for (int i = 0; i < sizes.crops; i++) {
            Crop crop{plane<float>(1),    plane<float>(LANES), {},
                      plane<bfloat16>(C), plane<bfloat16>(C),  plane<bfloat16>(LANES)};
            for (int j = 0; j < sizes.layers(); j++)
                crop.layers.push_back(
                    {plane<bfloat16>(C), Buffer<uint16_t>(static_cast<size_t>(total_) * HALVES, front_)});
            crops_.push_back(std::move(crop));
        }
        for (int i = 0; i < sizes.threads; i++)
            desks_.push_back({{gradient(C), gradient(C)},
                              gradient(LANES),
                              plane<bfloat16>(C),
                              plane<bfloat16>(C),
                              plane<float>(LANES),
                              std::vector<float>(count_)});
    }

    void forward(const float *weights, const float *low, float *detail1, float *detail2) override {
        take(weights);
        const size_t in = area(sizes_.side), out1 = area(sizes_.side1()) * sizes_.subpixels,
                     out2 = area(sizes_.side2()) * sizes_.subpixels;
#pragma omp parallel for num_threads(sizes_.threads) schedule(static)
        for (int i = 0; i < sizes_.crops; i++) {
            const Tiles tiles;
            forward(crops_[i], low + i * in, detail1 + i * out1, detail2 + i * out2);
        }
    }

    void backward(const float *gradient1, const float *gradient2, float *gradients) override {
        const size_t out1 = area(sizes_.side1()) * sizes_.subpixels,
                     out2 = area(sizes_.side2()) * sizes_.subpixels;
        for (Desk &desk : desks_) std::fill(desk.gradients.begin(), desk.gradients.end(), 0.0f);
#pragma omp parallel for num_threads(sizes_.threads) schedule(static)
        for (int i = 0; i < sizes_.crops; i++) {
            const Tiles tiles;
            backward(crops_[i], desks_[omp_get_thread_num()], gradient1 + i * out1, gradient2 + i * out2);
        }
        std::copy(desks_[0].gradients.begin(), desks_[0].gradients.end(), gradients);
        for (size_t d = 1; d < desks_.size(); d++)
            for (size_t i = 0; i < count_; i++) gradients[i] += desks_[d].gradients[i];
    }

  private:
    template <class T>
    Buffer<T> plane(int channels) const {
        return Buffer<T>(static_cast<size_t>(total_) * channels, static_cast<size_t>(front_) * channels);
    }
    Gradient gradient(int channels) const {
        return {plane<bfloat16>(channels), Buffer<bfloat16>(static_cast<size_t>(total_) * channels, 0)};
    }
    static size_t area(int side) { return static_cast<size_t>(side) * side; }
    // Pixels of so many rows, in whole blocks.
    int pixels(int rows) const { return (rows * pitch_ + 63) / 64 * 64; }
    // How far into a picture one lies that has `border` fewer pixels on each side.
    ptrdiff_t inside(int border) const { return static_cast<ptrdiff_t>(border) * (pitch_ + 1); }

    void take(const float *weights) {
        weights_.assign(weights, weights + count_);
        auto both = [&](Kernel &k) {
            const float *w = k.in(weights_);
            pack(k.forward.data(), k.inputs, k.outputs, false, [&](int to, int from, int tap) {
                return w[(static_cast<size_t>(tap) * k.inputs + from) * k.outputs + to];
            });
            pack(k.backward.data(), k.outputs, k.inputs, true, [&](int to, int from, int tap) {
                return w[(static_cast<size_t>(tap) * k.inputs + to) * k.outputs + from];
            });
        };
        for (size_t i = 1; i < body_.size(); i++) both(body_[i]);
        both(feed_back_);
        both(estimate1_);
        both(estimate2_);
        to_features_ = estimate1_.backward;
        const std::vector<bfloat16> &fuse = body_[sizes_.fuse()].backward;
        to_features_.insert(to_features_.end(), fuse.begin(), fuse.end());
    }

    // `finish(p, half, a, b)` gets pixels p and p + 1 of convolve's sums.
    template <int OF, class Finish>
    static void each_pair(int p, const float *sums, Finish finish) {
        for (int i = 0; i < 64 / OF; i += 2)
            for (int half = 0; half < OF; half++) {
                const float *at = sums + (i * OF + half) * LANES;
                finish(p + i, half, _mm512_load_ps(at), _mm512_load_ps(at + OF * LANES));
            }
    }

    // Two pixels of C channels, at one half of them.
    static void store_pair(bfloat16 *at, __m512i pair) {
        if constexpr (HALVES == 1) {
            _mm512_storeu_si512(at, pair);
        } else {
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(at), _mm512_castsi512_si256(pair));
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(at + C), _mm512_extracti64x4_epi64(pair, 1));
        }
    }
    static ptrdiff_t place(int p, int half) { return static_cast<ptrdiff_t>(p) * C + half * LANES; }
    __m512 vector(size_t block, int layer, int half) const {
        return _mm512_loadu_ps(&weights_[block + static_cast<size_t>(layer) * C + half * LANES]);
    }
    uint16_t *signs(Layer &layer, int p, int half) const { return layer.negative + (half * total_ + p); }

    void activate(Layer &layer, __m512 slope, int p, int half, __m512 &a, __m512 &b) {
        const __mmask16 na = _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_LT_OQ);
        const __mmask16 nb = _mm512_cmp_ps_mask(b, _mm512_setzero_ps(), _CMP_LT_OQ);
        a = _mm512_mask_mul_ps(a, na, a, slope);
        b = _mm512_mask_mul_ps(b, nb, b, slope);
        store_pair(layer.values + place(p, half), narrow(a, b));
        uint16_t *to = signs(layer, p, half);
        to[0] = na;
        to[1] = nb;
    }

    // `skip` is added to what the layer gives; the sum goes to `sum`.
    void run_layer(Crop &crop, int index, const std::vector<Step> &steps, const bfloat16 *tiles, int rows,
                   const bfloat16 *skip, bfloat16 *sum) {
        Layer &layer = crop.layers[index];
        convolve<HALVES>(steps, tiles, &weights_[biases_ + static_cast<size_t>(index) * C], pixels(rows),
                         [&](int first, const float *sums) {
                             each_pair<HALVES>(first, sums, [&](int p, int half, __m512 a, __m512 b) {
                                 activate(layer, vector(slopes_, index, half), p, half, a, b);
                                 if (!skip) return;
                                 const bfloat16 *s = skip + place(p, half);
                                 store_pair(sum + place(p, half), narrow(_mm512_add_ps(a, widen(s)),
                                                                         _mm512_add_ps(b, widen(s + C))));
                             });
                         });
    }

    // Layers `first` to `last`, each on the one before it; `sum` is that of the last one and `skip`.
    void run_layers(Crop &crop, int first, int last, int &rows, Buffer<bfloat16> &skip,
                    Buffer<bfloat16> &sum) {
        for (int i = first; i <= last; i++) {
            std::vector<Step> steps;
            add_steps(steps, crop.layers[i - 1].values + 0, C, pitch_);
            rows -= 2;
            run_layer(crop, i, steps, body_[i].forward.data(), rows,
                      i == last ? skip + inside(last - first + 1) * C : nullptr, sum + 0);
        }
    }

    void forward(Crop &crop, const float *low, float *detail1, float *detail2) {
        std::copy(low, low + area(sizes_.side), crop.x + 0);
        int rows = sizes_.side - 4;
        for (int half = 0; half < HALVES; half++)
            convolve_plane(crop.x + 0, pitch_, &weights_[half * LANES], C, vector(biases_, 0, half),
                           pixels(rows), [&](int p, __m512 a, __m512 b) {
                               activate(crop.layers[0], vector(slopes_, 0, half), p, half, a, b);
                           });
        run_layers(crop, 1, sizes_.stage1, rows, crop.layers[0].values, crop.features);

        rows -= 2;
        const __m512 bias1 = _mm512_loadu_ps(&weights_[detail_biases_]);
        convolve_plane(crop.x + inside(sizes_.stage1 + 1), pitch_, cubic_.data(), LANES, bias1, pixels(rows),
                       [&](int p, __m512 a, __m512 b) {
                           _mm512_storeu_ps(crop.detail1 + p * LANES, a);
                           _mm512_storeu_ps(crop.detail1 + (p + 1) * LANES, b);
                       });
        std::vector<Step> steps;
        add_steps(steps, crop.features + 0, C, pitch_);
        convolve<1>(steps, estimate1_.forward.data(), nullptr, pixels(rows),
                    [&](int first, const float *sums) {
                        each_pair<1>(first, sums, [&](int p, int, __m512 a, __m512 b) {
                            float *to = crop.detail1 + p * LANES;
                            a = _mm512_add_ps(a, _mm512_loadu_ps(to));
                            b = _mm512_add_ps(b, _mm512_loadu_ps(to + LANES));
                            _mm512_storeu_ps(to, a);
                            _mm512_storeu_ps(to + LANES, b);
                            _mm512_storeu_si512(crop.fed_back + p * LANES, narrow(a, b));
                        });
                    });
        for (int y = 0, side = sizes_.side1(); y < side; y++)
            for (int x = 0; x < side; x++, detail1 += sizes_.subpixels)
                _mm512_mask_storeu_ps(detail1, subpixels_,
                                      _mm512_loadu_ps(crop.detail1 + (y * pitch_ + x) * LANES));

        rows -= 2;
        const int fuse = sizes_.fuse(), last = sizes_.layers() - 1;
        steps.clear();
        add_steps(steps, crop.features + inside(1) * C, C, pitch_);
        add_steps(steps, crop.fed_back + 0, LANES, pitch_);
        std::vector<bfloat16> tiles = body_[fuse].forward;
        tiles.insert(tiles.end(), feed_back_.forward.begin(), feed_back_.forward.end());
        // Alone, the layer is its own skip.
        const bool alone = fuse == last;
        run_layer(crop, fuse, steps, tiles.data(), rows, alone ? crop.layers[fuse].values + 0 : nullptr,
                  alone ? crop.refined + 0 : nullptr);
        run_layers(crop, fuse + 1, last, rows, crop.layers[fuse].values, crop.refined);

        rows -= 2;
        steps.clear();
        add_steps(steps, crop.refined + 0, C, pitch_);
        const __m512 bias2 = _mm512_loadu_ps(&weights_[detail_biases_ + LANES]);
        const int side = sizes_.side2();
        const float *base = crop.detail1 + inside(sizes_.stage2 + 1) * LANES;
        convolve<1>(steps, estimate2_.forward.data(), nullptr, pixels(rows),
                    [&](int first, const float *sums) {
                        for (int p = first; p < first + 64; p++, sums += LANES) {
                            const int y = p / pitch_, x = p % pitch_;
                            if (y >= side || x >= side) continue;
                            const __m512 refined =
                                _mm512_add_ps(_mm512_load_ps(sums), _mm512_loadu_ps(base + p * LANES));
                            _mm512_mask_storeu_ps(detail2 + (y * side + x) * sizes_.subpixels, subpixels_,
                                                  _mm512_add_ps(refined, bias2));
                        }
                    });
    }

    // The steps of a convolution's way back: its first tap is where its last one was.
    void add_steps_back(std::vector<Step> &steps, const bfloat16 *gradient, int channels) const {
        add_steps(steps, gradient - inside(2) * channels, channels, pitch_);
    }

    // The gradient of a layer's sums from that of its values. `add`: more of the latter, from a skip;
    // `keep`: where the latter is kept for a skip.
    void run_layer_back(Crop &crop, Desk &desk, Gradient &result, int index, const std::vector<Step> &steps,
                        const bfloat16 *tiles, int rows, const bfloat16 *add, Buffer<bfloat16> *keep) {
        Layer &layer = crop.layers[index];
        __m512 biases[HALVES] = {}, slopes[HALVES] = {};
        const int count = pixels(rows);
        convolve<HALVES>(steps, tiles, nullptr, count, [&](int first, const float *sums) {
            each_pair<HALVES>(first, sums, [&](int p, int half, __m512 a, __m512 b) {
                const ptrdiff_t at = place(p, half);
                if (add) {
                    a = _mm512_add_ps(a, widen(add + at));
                    b = _mm512_add_ps(b, widen(add + at + C));
                }
                if (keep) store_pair(*keep + at, narrow(a, b));
                const uint16_t *negative = signs(layer, p, half);
                const bfloat16 *values = layer.values + at;
                slopes[half] = _mm512_mask3_fmadd_ps(a, widen(values), slopes[half], negative[0]);
                slopes[half] = _mm512_mask3_fmadd_ps(b, widen(values + C), slopes[half], negative[1]);
                const __m512 slope = vector(slopes_, index, half);
                a = _mm512_mask_mul_ps(a, negative[0], a, slope);
                b = _mm512_mask_mul_ps(b, negative[1], b, slope);
                biases[half] = _mm512_add_ps(biases[half], _mm512_add_ps(a, b));
                const __m512i pair = narrow(a, b);
                store_pair(result.pixels + at, pair);
                _mm512_storeu_si512(result.pairs + (half * plane_ + p * LANES), interleave(pair));
            });
        });
        // The buffer held a larger picture before.
        result.pixels.zero_from(static_cast<size_t>(count) * C);
        if (keep) keep->zero_from(static_cast<size_t>(count) * C);
        for (int half = 0; half < HALVES; half++) {
            const size_t at = static_cast<size_t>(index) * C + half * LANES;
            add_to(&desk.gradients[biases_ + at], biases[half]);
            // A negative value is the slope times what it was before.
            const __m512 slope = vector(slopes_, index, half);
            const __mmask16 divisible = _mm512_cmp_ps_mask(slope, _mm512_setzero_ps(), _CMP_NEQ_OQ);
            add_to(&desk.gradients[slopes_ + at], _mm512_maskz_div_ps(divisible, slopes[half], slope));
        }
    }

    // Back from layer `last`, whose gradient is `result`, to layer `first - 1`, whose start a skip takes too.
    Gradient *run_layers_back(Crop &crop, Desk &desk, Gradient *result, int first, int last, int &rows,
                              Buffer<bfloat16> &skip) {
        for (int i = last; i >= first; i--) {
            add_kernel_gradient<HALVES, HALVES>(crop.layers[i - 1].values + 0, pitch_, result->pairs + 0,
                                                plane_, pixels(rows), body_[i].in(desk.gradients));
            std::vector<Step> steps;
            add_steps_back(steps, result->pixels + 0, C);
            rows += 2;
            Gradient *next = other(desk, result);
            run_layer_back(crop, desk, *next, i - 1, steps, body_[i].backward.data(), rows,
                           i == first ? skip + -inside(last - first + 1) * C : nullptr, nullptr);
            result = next;
        }
        return result;
    }
    static Gradient *other(Desk &desk, const Gradient *one) {
        return one == &desk.layer[0] ? &desk.layer[1] : &desk.layer[0];
    }

    // The gradient of a detail of side x side pixels; `value(p, y, x)` of its sub-pixels.
    template <class Value>
    void start_back(Desk &desk, int side, float *bias, Value value) {
        __m512 sum = _mm512_setzero_ps();
        const int count = pixels(side);
        for (int p = 0; p < count; p += 2) {
            __m512 both[2] = {};
            for (int j = 0; j < 2; j++) {
                const int y = (p + j) / pitch_, x = (p + j) % pitch_;
                if (y < side && x < side) both[j] = value(p + j, y, x);
            }
            sum = _mm512_add_ps(sum, _mm512_add_ps(both[0], both[1]));
            const __m512i pair = narrow(both[0], both[1]);
            _mm512_storeu_si512(desk.detail.pixels + p * LANES, pair);
            _mm512_storeu_si512(desk.detail.pairs + p * LANES, interleave(pair));
        }
        desk.detail.pixels.zero_from(static_cast<size_t>(count) * LANES);
        add_to(bias, sum);
    }

    void backward(Crop &crop, Desk &desk, const float *gradient1, const float *gradient2) {
        std::vector<float> &sums = desk.gradients;
        const int side1 = sizes_.side1(), side2 = sizes_.side2(), border = sizes_.stage2 + 1;
        const int fuse = sizes_.fuse(), last = sizes_.layers() - 1;
        auto of_detail2 = [&](int y, int x) {
            return _mm512_maskz_loadu_ps(subpixels_, gradient2 + (y * side2 + x) * sizes_.subpixels);
        };

        start_back(desk, side2, &sums[detail_biases_ + LANES],
                   [&](int, int y, int x) { return of_detail2(y, x); });
        int rows = side2;
        add_kernel_gradient<HALVES, 1>(crop.refined + 0, pitch_, desk.detail.pairs + 0, plane_, pixels(rows),
                                       estimate2_.in(sums));
        std::vector<Step> steps;
        add_steps_back(steps, desk.detail.pixels + 0, LANES);
        std::vector<bfloat16> tiles = estimate2_.backward;
        if (fuse == last) {
            // The skip takes back as much again.
            add_steps_back(steps, desk.detail.pixels + 0, LANES);
            tiles.insert(tiles.end(), estimate2_.backward.begin(), estimate2_.backward.end());
        }
        rows += 2;
        Gradient *result = &desk.layer[0];
        run_layer_back(crop, desk, *result, last, steps, tiles.data(), rows, nullptr, &desk.refined);
        result = run_layers_back(crop, desk, result, fuse + 1, last, rows, desk.refined);

        add_kernel_gradient<HALVES, HALVES>(crop.features + inside(1) * C, pitch_, result->pairs + 0, plane_,
                                            pixels(rows), body_[fuse].in(sums));
        add_kernel_gradient<1, HALVES>(crop.fed_back + 0, pitch_, result->pairs + 0, plane_, pixels(rows),
                                       feed_back_.in(sums));
        steps.clear();
        add_steps_back(steps, result->pixels + 0, C);
        rows += 2;
        convolve<1>(steps, feed_back_.backward.data(), nullptr, pixels(rows), [&](int p, const float *of) {
            std::copy(of, of + 64 * LANES, desk.fed_back + p * LANES);
        });
        start_back(desk, side1, &sums[detail_biases_], [&](int p, int y, int x) {
            __m512 value = _mm512_maskz_loadu_ps(subpixels_, gradient1 + (y * side1 + x) * sizes_.subpixels);
            value = _mm512_mask_add_ps(value, subpixels_, value, _mm512_loadu_ps(desk.fed_back + p * LANES));
            y -= border;
            x -= border;
            const bool refined = y >= 0 && x >= 0 && y < side2 && x < side2;
            return refined ? _mm512_add_ps(value, of_detail2(y, x)) : value;
        });
        add_kernel_gradient<HALVES, 1>(crop.features + 0, pitch_, desk.detail.pairs + 0, plane_,
                                       pixels(side1), estimate1_.in(sums));
        steps.clear();
        add_steps_back(steps, desk.detail.pixels + 0, LANES);
        add_steps_back(steps, result->pixels + -inside(1) * C, C);
        rows += 2;
        result = other(desk, result);
        run_layer_back(crop, desk, *result, sizes_.stage1, steps, to_features_.data(), rows, nullptr,
                       &desk.features);
        result = run_layers_back(crop, desk, result, 1, sizes_.stage1, rows, desk.features);

        for (int half = 0; half < HALVES; half++) {
            __m512 head[25] = {};
            for (int p = 0; p < pixels(rows); p++) {
                const __m512 d = widen(result->pixels + place(p, half));
                for (int i = 0; i < 25; i++)
                    head[i] =
                        _mm512_fmadd_ps(d, _mm512_set1_ps((crop.x + p)[i / 5 * pitch_ + i % 5]), head[i]);
            }
            for (int i = 0; i < 25; i++) add_to(&sums[static_cast<size_t>(i) * C + half * LANES], head[i]);
        }
    }
};

}  // namespace

extern "C" {

// Whether this processor and this system have matrix tiles.
int emtcm_supported() { return request_tiles(); }

// A network for batches of so many crops, or null. `cubic`: [25][16].
void *emtcm_create(int channels, int stage1, int stage2, int subpixels, int side, int crops, int threads,
                   const float *cubic) {
    const Sizes sizes{channels, stage1, stage2, subpixels, side, crops, threads};
    try {
        if (channels == 16) return static_cast<Network *>(new NetworkOf<1>(sizes, cubic));
        if (channels == 32) return static_cast<Network *>(new NetworkOf<2>(sizes, cubic));
    } catch (const std::bad_alloc &) {
    }
    return nullptr;
}

void emtcm_destroy(void *network) { delete static_cast<Network *>(network); }

// low: [crops][side][side]; detail1, detail2: [crops][height][width][subpixels].
void emtcm_forward(void *network, const float *weights, const float *low, float *detail1, float *detail2) {
    static_cast<Network *>(network)->forward(weights, low, detail1, detail2);
}

// Of the last batch.
void emtcm_backward(void *network, const float *gradient1, const float *gradient2, float *gradients) {
    static_cast<Network *>(network)->backward(gradient1, gradient2, gradients);
}
}
